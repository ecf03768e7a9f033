"""Imports point downward only."""

import pytest
from architecture.sources import imports, parse, sources

LAYERS = [
    {"numerics"},
    {"ir"},
    {"ops"},
    {"kernels"},
    {"io", "data"},
    {"runtime"},
    {"importer"},
    {"quantize", "verify"},
    {"report"},
    {"bench"},
    {"cli"},
    {"__main__"},
]
"""From the lowest to the highest; a module may import its own package and every lower layer."""
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FREE = {"", "errors", "extras", "files", "__version__"}
"""Modules without a layer, which every layer may import: `intvit` itself, its errors, its file access, its optional parts."""
NEEDS_EXTRA = {"onnxruntime", "onnxscript", "onnx_ir", "torch", "sklearn", "openvino", "nncf", "matplotlib"}
"""What `pip install intvit` alone does not bring; only the layers that convert and compare may import it."""
MAY_NEED_EXTRA = {"importer", "quantize", "verify", "report", "bench", "cli"}


def upward(source):
    """List the imports of a module that point up or sideways."""
    found = []
    for line, name in imports(source):
        if name.split(".")[0] != "intvit":
            continue
        target = [*name.split("."), ""][1]
        if target in FREE or target == source.layer:
            continue
        if source.layer not in RANK or target not in RANK:
            found.append(f"{source.module}:{line} imports {name}, which has no layer")
        elif RANK[target] >= RANK[source.layer]:
            found.append(f"{source.module}:{line} imports {name}")
    return found


def extras(source):
    """List the imports of a module that a plain install lacks."""
    if source.layer in MAY_NEED_EXTRA:
        return []
    return [f"{source.module}:{line} {name}" for line, name in imports(source) if name.split(".")[0] in NEEDS_EXTRA]


def test_imports_point_downward():
    assert [fault for source in sources() if source.layer not in FREE for fault in upward(source)] == []


def test_modules_without_a_layer_import_no_layer():
    for source in sources():
        if source.layer in FREE:
            targets = {[*name.split("."), ""][1] for _, name in imports(source) if name.startswith("intvit.")}
            if source.layer:
                assert targets <= FREE


def test_every_folder_has_a_layer():
    assert {source.layer for source in sources()} - FREE == set(RANK) & {source.layer for source in sources()}


def test_the_lean_install_is_enough_below_the_importer():
    assert [fault for source in sources() for fault in extras(source)] == []


@pytest.mark.parametrize(
    "text",
    [
        "from intvit.kernels.add import add",
        "import intvit.runtime.engine",
        "def f():\n    from intvit.io import load_model",
        "from intvit import runtime",
        "from ..io import model",
        "if True:\n    import intvit.cli.main as m",
        "from intvit.unheard import of",
    ],
)
def test_a_planted_import_is_found(text):
    assert len(upward(parse(text))) == 1


@pytest.mark.parametrize(
    "text", ["from intvit.ir import Op", "from intvit.ops.body import cast", "from . import body", "import intvit.errors"]
)
def test_downward_imports_are_allowed(text):
    assert upward(parse(text)) == []


def test_a_planted_dependency_is_found():
    assert extras(parse("def f():\n    import onnxruntime"))
    assert not extras(parse("import onnxruntime", "intvit.quantize.planted"))
