"""`import intvit` is free, and its names are there when they are used."""

import subprocess
import sys

from cli_fixtures import ROOT


def python(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_nothing_heavy():
    code = (
        "import sys, time; t = time.perf_counter(); import intvit; t = time.perf_counter() - t; "
        "heavy = {'numpy', 'numba', 'onnx', 'PIL', 'rich', 'onnxruntime'} & set(sys.modules); "
        "assert not heavy, heavy; assert t < 0.15, t; print(intvit.__version__)"
    )
    assert python(code).strip() == "0.1.0"


def test_the_command_line_loads_nothing_heavy_before_it_knows_what_to_do():
    code = "import sys, intvit.cli.main; assert not {'numpy', 'numba', 'onnx', 'rich'} & set(sys.modules)"
    python(code)


def test_names():
    code = (
        "import intvit; assert {'Session', 'quantize', 'load', 'IntvitError', '__version__'} <= set(dir(intvit)); "
        "assert issubclass(intvit.IntvitError, Exception); assert intvit.Session.__name__ == 'Session'; "
        "assert intvit.load.__name__ == 'load_model'; assert not hasattr(intvit, 'nothing')"
    )
    python(code)


def test_quantize_is_the_function_even_after_its_subpackage_was_imported():
    code = (
        "import intvit.quantize.recipe; from intvit.quantize import find_recipe; import intvit; "
        "assert intvit.quantize.__name__ == 'quantize' and callable(intvit.quantize)"
    )
    python(code)


def test_quantize_without_its_extra():
    code = (
        "import sys; sys.modules['onnxruntime'] = None; import intvit\n"
        "try: intvit.quantize\n"
        "except intvit.IntvitError as error: assert \"pip install 'intvit[quantize]'\" in str(error)\n"
        "else: raise SystemExit(1)"
    )
    python(code)
