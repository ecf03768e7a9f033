from pathlib import Path

import pytest

from intvit.data.images import list_images, load_image, sample_evenly
from intvit.data.preprocess import Preprocess
from intvit.quantize.api import quantize
from intvit.verify import Subject

MODELS = Path(__file__).parent.parent.parent / "models"


@pytest.fixture(scope="session")
def subject():
    """The digits model in memory, and its bytes."""
    preprocess = Preprocess.from_json(MODELS / "digits_vit.preprocess.json", 32, 32)
    pixels = [preprocess.apply(load_image(p)) for p in sample_evenly(list_images(MODELS / "calibration"), 8)]
    return Subject.of(quantize(MODELS / "digits_vit.onnx", pixels, preprocess=preprocess))
