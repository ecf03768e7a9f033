"""No floating-point arithmetic from pixels to logits: a lint of the layers that compute."""

import ast

import pytest
from architecture.sources import parse, sources

ZONE = {"numerics", "ir", "ops", "kernels", "runtime"}
FLOAT_NAMES = {"float", "complex", "float16", "float32", "float64", "longdouble", "inf", "nan"}
FLOAT_ATTRIBUTES = FLOAT_NAMES | {"half", "single", "double", "floating", "HalfType", "FloatType", "DoubleType"}
FLOAT_CALLS = {"mean", "average", "std", "var", "sqrt", "exp", "log", "log2", "true_divide", "divide", "linspace", "rint"}
ALLOWED = {
    (
        "intvit.ops.linear",
        "exact_matmul",
    ): "BLAS in float64, only while every partial sum is an integer below 2^53 and so exact",
    ("intvit.numerics.dyadic", "nearest"): "accepts a float, which is converted to the exact Fraction it stands for",
}
"""Every function of the zone that may name a float, with the reason."""


def floats(source):
    """Yield (function name, what was found) for everything in a module that could make a float."""
    yield from _walk(source.tree, "")


def _walk(node, function):
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield function, f"{node.lineno}: the literal {node.value}"
    if isinstance(node, ast.Name) and node.id in FLOAT_NAMES:
        yield function, f"{node.lineno}: the name {node.id}"
    if isinstance(node, ast.Attribute) and node.attr in FLOAT_ATTRIBUTES:
        yield function, f"{node.lineno}: the attribute {node.attr}"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in ("float32", "float64", "f4", "f8"):
        yield function, f"{node.lineno}: the type name {node.value!r}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FLOAT_CALLS:
        yield function, f"{node.lineno}: a call of {node.func.attr}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _joins_paths(node):
        yield function, f"{node.lineno}: a true division"
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
        yield function, f"{node.lineno}: a true division"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.UnaryOp):
        yield function, f"{node.lineno}: a negative power"
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, function)


def _joins_paths(node):
    """`folder / "name"`, `Path(...) / name` and the like: an operand that is text or a path by its form."""
    text = isinstance(node.right, ast.Constant | ast.JoinedStr) and not isinstance(
        getattr(node.right, "value", ""), int | float
    )
    left = node.left
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Div):
        left = left.left
    calls = isinstance(left, ast.Call) and ast.unparse(left.func) in ("Path", "Path.home", "_root")
    return text or calls


def violations(source):
    if source.layer not in ZONE:
        return []
    return [f"{source.module}:{what}" for function, what in floats(source) if (source.module, function) not in ALLOWED]


def test_the_zone_names_no_float():
    assert [fault for source in sources() for fault in violations(source)] == []


def test_every_exception_is_still_needed():
    found = {(source.module, function) for source in sources() if source.layer in ZONE for function, _ in floats(source)}
    assert found == set(ALLOWED)
    assert all(ALLOWED.values())


@pytest.mark.parametrize(
    "text",
    [
        "x = 0.5",
        "x = 1e3",
        "x = 1j",
        "x = float(3)",
        "x = a.astype(np.float32)",
        "x = np.zeros(3, float)",
        "x = np.dtype('float64')",
        "x = a / b",
        "def f(a):\n    a /= 2",
        "x = a.mean()",
        "x = np.sqrt(a)",
        "x = 2 ** -3",
        "x = a / 2",
        "def f():\n    return math.inf",
    ],
)
def test_a_planted_float_is_found(text):
    assert violations(parse(text))


@pytest.mark.parametrize("text", ["x = a // b", "x = Path(p) / 'name'", "x = folder / f'{name}.py'", "x = 3 << 4", "x = half"])
def test_integer_code_and_paths_are_not(text):
    assert not violations(parse(text))


def test_a_float_outside_the_zone_is_allowed():
    assert not violations(parse("x = 0.5", "intvit.quantize.planted"))
