"""Shared pieces of the command line's tests: they all run the real command in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MODELS = ROOT / "models"
FLOAT = MODELS / "digits_vit.onnx"
PREPROCESS = MODELS / "digits_vit.preprocess.json"
CALIBRATION = MODELS / "calibration"
SAMPLES = MODELS / "samples"


def intvit(*arguments, env=None, **options):
    """Run a command line and return the finished process."""
    whole = os.environ | {"PYTHONPATH": str(ROOT)} | (env or {})
    command = [sys.executable, "-m", "intvit", *map(str, arguments)]
    return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=300, **options)


def succeed(*arguments, **options):
    """Run a command line that must succeed and return its standard output."""
    done = intvit(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def succeed_json(*arguments, **options):
    """Run a command line that must succeed with `--json` and return the one object that it prints."""
    return json.loads(succeed(*arguments, "--json", **options))


def fail(status, *arguments, says=(), **options):
    """Run a command line that must fail; return its standard error."""
    done = intvit(*arguments, **options)
    assert done.returncode == status, (done.returncode, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr
    for text in [says] if isinstance(says, str) else says:
        assert text in done.stderr, done.stderr
    return done.stderr


def quantize_arguments(output, float_model=FLOAT, calib=CALIBRATION, *more):
    """A `quantize` command line for the digits."""
    return ("quantize", float_model, "--calib", calib, "--calib-images", 8, "--preprocess", PREPROCESS, "-o", output, *more)


def write_labels(path, folder=SAMPLES):
    """Write the labels CSV of the sample digits, whose names hold their class."""
    lines = [f"{image.name},{image.name.split('_')[1]}\n" for image in sorted(folder.glob("*.png"))]
    path.write_text("file,label\n" + "".join(lines))
    return path
