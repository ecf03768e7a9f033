"""The session: pixels in, integers out, and typed errors for everything else."""

from fractions import Fraction

import numpy as np
import pytest

import intvit
from intvit.errors import InputFileError, UsageError
from intvit.io.model import test_pattern as pattern

BATCH = pattern((3, 32, 32, 3))


@pytest.fixture(scope="module")
def session(model):
    return intvit.Session(model)


def test_run(session, model):
    logits = session.run(BATCH)
    assert logits.dtype == np.int32
    assert logits.shape == (3, 10)
    assert np.array_equal(session.run(BATCH[1]), logits[1:2])
    assert np.array_equal(session.run_all(BATCH)["logits"], logits)
    for other in (
        intvit.Session(str(model), threads=2),
        intvit.Session(model.read_bytes()),
        intvit.Session(intvit.load(model), executor="reference"),
    ):
        assert np.array_equal(other.run(BATCH), logits)


def test_pixels_need_not_be_contiguous(session):
    turned = np.asfortranarray(BATCH)
    assert np.array_equal(session.run(turned), session.run(BATCH))
    assert np.array_equal(session.run(BATCH[::2, ::-1]), session.run(np.ascontiguousarray(BATCH[::2, ::-1])))


def test_description(session):
    (pixels,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.shape, pixels.type) == ("pixels", ["N", 32, 32, 3], "tensor(uint8)")
    assert (logits.name, logits.shape, logits.type) == ("logits", ["N", 10], "tensor(int32)")
    assert session.labels == tuple("0123456789")
    assert session.preprocess.mean == ("0.5", "0.5", "0.5")
    assert session.image_size == (32, 32)
    assert isinstance(session.output_scales["logits"], Fraction)
    assert session.info.recipe == "default"


@pytest.mark.parametrize(
    "pixels",
    [
        BATCH.astype(np.float32),
        BATCH.astype(np.int8),
        BATCH[:, :31],
        BATCH[..., :1],
        BATCH[0, 0],
        BATCH[None],
        BATCH[:0],
        BATCH.tolist(),
    ],
)
def test_wrong_pixels(session, pixels):
    with pytest.raises(UsageError, match="pixels") as caught:
        session.run(pixels)
    assert "uint8 [N, 32, 32, 3]" in str(caught.value)


def test_wrong_arguments(model, tmp_path):
    with pytest.raises(UsageError, match="threads"):
        intvit.Session(model, threads=0)
    with pytest.raises(UsageError, match="executor"):
        intvit.Session(model, executor="gpu")
    with pytest.raises(InputFileError, match="no such file"):
        intvit.Session(tmp_path / "none.onnx")
    with pytest.raises(InputFileError):
        intvit.Session(b"nonsense")
