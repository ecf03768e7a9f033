"""A smoke test on the real DeiT-Tiny; tools/main_job_report.py measures it in full."""

import numpy as np
import pytest

import intvit
from intvit.data.images import list_images, load_image, sample_evenly
from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.verify import Subject, check_agreement, find_executors

pytestmark = pytest.mark.data
PREPROCESS = Preprocess.preset("imagenet", 224, 224)


def pixels(folder, count):
    return [PREPROCESS.apply(load_image(path)) for path in sample_evenly(list_images(folder), count)]


def test_deit_tiny_is_quantized_faithfully_and_exactly(data_folder):
    canonical = import_onnx(data_folder / "models" / "deit_tiny_patch16_224.onnx")
    model = intvit.quantize(canonical, pixels(data_folder / "imagenet" / "calib", 32))
    images = np.stack(pixels(data_folder / "imagenet" / "val", 48))
    logits = intvit.Session(model, threads=2).run(images) * float(next(iter(model.info.output_scales.values())))
    session = float_session(canonical)
    exact = session.run(None, {session.get_inputs()[0].name: normalizer(PREPROCESS)(images)})[0]
    assert 10 * np.log10((exact**2).sum() / ((exact - logits) ** 2).sum()) > 20
    assert (exact.argmax(1) == logits.argmax(1)).mean() > 0.9
    executors = find_executors(["reference", "numba", "onnxruntime", "onnx"])
    assert check_agreement(Subject.of(model), executors, images[:1]).ok
