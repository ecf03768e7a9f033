"""The integer graph: types, nodes, and the check that finds every fault. Knows no ONNX and no NumPy kernels."""

from intvit.ir.certificate import Certificate, Claim, certify
from intvit.ir.check import Fault, GraphError, check, check_graph, infer_types
from intvit.ir.graph import Graph, Node
from intvit.ir.op import Bound, Op, Operand, OpTypeError
from intvit.ir.tensor_type import TensorType
from intvit.ir.text import to_text

__all__ = [
    "Bound",
    "Certificate",
    "Claim",
    "Fault",
    "Graph",
    "GraphError",
    "Node",
    "Op",
    "OpTypeError",
    "Operand",
    "TensorType",
    "certify",
    "check",
    "check_graph",
    "infer_types",
    "to_text",
]
