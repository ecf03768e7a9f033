"""What the package may not do, and how its files look."""

import ast

import pytest
from architecture.sources import imports, parse, sources

MAX_LINES = 350
NETWORK = {"socket", "ssl", "http", "urllib", "urllib3", "requests", "ftplib", "smtplib", "asyncio", "aiohttp", "httpx",
           "xmlrpc", "webbrowser", "huggingface_hub"}  # fmt: skip
UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
PROCESSES = {"subprocess", "multiprocessing", "pty", "ctypes", "runpy", "code"}
GRANTED = {
    "intvit.bench.process": {"subprocess"},
    "intvit.kernels.jit": {"ctypes"},
    "intvit.kernels.compile_apart": {"multiprocessing"},
}
"""Memory and start-up are measured in fresh processes; compiled kernels are called by their address."""
CALLS = {"eval", "exec", "__import__", "os.system", "os.popen", "os.fork", "os.execv", "os.spawnl", "os.startfile"}


def powers(source):
    """List what a module does that a library that runs models has no need of."""
    banned = (NETWORK | UNPICKLING | PROCESSES) - GRANTED.get(source.module, set())
    found = [f"{source.module}:{line} imports {name}" for line, name in imports(source) if name.split(".")[0] in banned]
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in CALLS or (called == "compile" and node.args):
            found.append(f"{source.module}:{node.lineno} calls {called}")
        if called.endswith(("np.load", "numpy.load")) and not _is_false(node, "allow_pickle"):
            found.append(f"{source.module}:{node.lineno} calls np.load without allow_pickle=False")
    return found


def _is_false(call, name):
    return any(k.arg == name and isinstance(k.value, ast.Constant) and k.value.value is False for k in call.keywords)


def test_the_package_uses_no_network_pickle_eval_or_process():
    assert [fault for source in sources() for fault in powers(source)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import socket",
        "from urllib.request import urlopen",
        "def f():\n    import pickle",
        "x = eval('1')",
        "exec('x = 1')",
        "import subprocess as s",
        "os.system('ls')",
        "x = np.load(p)",
        "x = np.load(p, allow_pickle=True)",
    ],
)
def test_a_planted_power_is_found(text):
    assert len(powers(parse(text))) == 1


def test_loading_without_pickle_is_allowed():
    assert powers(parse("x = np.load(p, allow_pickle=False)")) == []


def undocumented(source):
    """List the public modules, classes and functions without a docstring; overriding methods have their base's."""
    found = [] if ast.get_docstring(source.tree) else [source.module]
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                found.append(f"{source.module}.{node.name}")
            if isinstance(node, ast.ClassDef) and not node.bases:
                methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
                found += [f"{source.module}.{node.name}.{m.name}" for m in methods if not ast.get_docstring(m)]
    return found


def test_public_names_have_docstrings():
    assert [name for source in sources() for name in undocumented(source)] == []


def test_a_missing_docstring_is_found():
    text = (
        '"""Module."""\nclass A:\n    """A."""\n    def b(self): pass\n    def _c(self): pass\ndef d(): pass\ndef _e(): pass\n'
    )
    assert undocumented(parse(text)) == ["intvit.ops.planted.A.b", "intvit.ops.planted.d"]
    assert undocumented(parse("x = 1")) == ["intvit.ops.planted"]


def unannotated(source):
    """List the functions whose result has no annotation."""
    functions = (node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef))
    return [f"{source.module}.{f.name}" for f in functions if f.returns is None and not f.name.startswith("__")]


def test_functions_say_what_they_return():
    assert [name for source in sources() for name in unannotated(source)] == []
    assert unannotated(parse("def f(): pass")) == ["intvit.ops.planted.f"]


def test_files_are_short():
    lengths = {source.module: source.path.read_text("utf-8").count("\n") for source in sources()}
    assert {module: length for module, length in lengths.items() if length >= MAX_LINES} == {}


def test_kernels_and_operators_share_their_file_names():
    kernels = {source.module.rpartition(".")[2] for source in sources() if source.layer == "kernels"}
    operators = {source.module.rpartition(".")[2] for source in sources() if source.layer == "ops"}
    moving = {"concat", "expand", "reshape", "slice", "transpose"}
    shared = {"body", "output", "movement", "ops"}
    families_of_one_kernel = {"shiftmax", "softmax_polynomial_wide", "softmax_bit", "softmax_i_bert"}
    assert operators - moving - shared - families_of_one_kernel <= kernels
