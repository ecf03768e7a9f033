"""Turn any exporter's ONNX of a plain Vision Transformer into one canonical float graph.

The canonical graph holds only `Conv`, `MatMul`, `Add`, `Mul`, `LayerNormalization`, `Gelu`, `Softmax`, `Reshape`,
`Transpose`, `Slice`, `Concat`, `Expand` and `ReduceMean`, each in one spelling. Nodes that have no such spelling are
left as they are, and `coverage` says why.
"""

from intvit.importer.coverage import NodeCoverage, coverage
from intvit.importer.model import CanonicalModel
from intvit.importer.pipeline import import_onnx, with_rows_apart

__all__ = ["CanonicalModel", "NodeCoverage", "coverage", "import_onnx", "with_rows_apart"]
