"""The shipped model: as accurate as its float original, and converted to the same bytes anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import intvit
from intvit.importer import import_onnx
from intvit.quantize.calibrate import float_session

ROOT = Path(__file__).parent.parent.parent
MODELS = ROOT / "models"
sys.path.insert(0, str(ROOT / "tools"))


def test_integer_digits_are_as_accurate_as_float_ones():
    from digits_data import load_digits_split

    _, _, images, labels = load_digits_split()
    integer = intvit.Session(MODELS / "digits_vit.int8.onnx").run(images).argmax(1)
    session = float_session(import_onnx(MODELS / "digits_vit.onnx"))
    pixels = ((images / 255 - 0.5) / 0.5).transpose(0, 3, 1, 2).astype(np.float32)
    exact = session.run(None, {session.get_inputs()[0].name: pixels})[0].argmax(1)
    assert abs((integer == labels).mean() - (exact == labels).mean()) <= 0.005
    assert (integer == exact).mean() >= 0.98


def test_two_processes_in_two_folders_write_the_same_bytes(tmp_path):
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        line = [sys.executable, "-m", "intvit", "quantize", str(MODELS / "digits_vit.onnx"), "-o", "digits.onnx"]
        line += ["--calib", str(MODELS / "calibration"), "--preprocess", str(MODELS / "digits_vit.preprocess.json")]
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True)
        written.append((folder / "digits.onnx").read_bytes())
    assert written[0] == written[1]
