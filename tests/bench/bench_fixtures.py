"""Shared pieces of the benchmark's tests: the shipped digits model in both forms."""

import hashlib
from pathlib import Path

import numpy as np

from intvit.bench.engines.engine import Source
from intvit.bench.inputs import random_pixels

MODELS = Path(__file__).parent.parent.parent / "models"
INTEGER = MODELS / "digits_vit.int8.onnx"
FLOAT = MODELS / "digits_vit.onnx"
SIZE = (32, 32)
PIXELS = random_pixels(2, SIZE)
IMAGES = np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2) / np.float32(255))
SOURCE = Source(INTEGER, FLOAT, hashlib.sha256(FLOAT.read_bytes()).hexdigest(), IMAGES)
