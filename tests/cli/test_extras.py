"""Without the extra `quantize`, commands that need it say which command installs it; the others work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MODELS = ROOT / "models"
BARE = (
    "import sys\n"
    "for name in ('onnxruntime', 'onnxscript', 'onnx_ir'):\n    sys.modules[name] = None\n"
    "from intvit.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
)


def bare(*arguments):
    """Run the command in a Python that has none of the extra's modules."""
    line = [sys.executable, "-c", BARE, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("quantize", MODELS / "digits_vit.onnx", "--calib", MODELS / "calibration", "-o", "never.onnx"),
        ("coverage", MODELS / "digits_vit.onnx"),
        ("compare", MODELS / "digits_vit.onnx", MODELS / "digits_vit.int8.onnx", "--images", MODELS / "samples"),
        ("verify", MODELS / "digits_vit.int8.onnx", "--with", "reference,onnxruntime"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_missing_extra_is_named(arguments):
    done = bare(*arguments)
    assert done.returncode == 2, done.stderr
    assert "intvit[quantize]" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (ROOT / "never.onnx").exists()


def test_running_a_model_needs_no_extra():
    done = bare("run", MODELS / "digits_vit.int8.onnx", MODELS / "samples" / "digit_3_2.png", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"][0]["top"][0]["label"] == "3"
