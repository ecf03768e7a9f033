import hashlib
import json
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from intvit.data.preprocess import INTERPOLATIONS, Preprocess
from intvit.errors import InputFileError, ResourceLimitError, UsageError

HALVES = ("0.5", "0.5", "0.5")
BASE = Preprocess(224, 224, 256, None, "bicubic", crop=True, mean=HALVES, std=HALVES)


def picture(height: int, width: int) -> np.ndarray:
    y, x, c = np.ogrid[:height, :width, :3]
    return ((y * 7 + x * 13 + c * 29 + (x * y) % 251) % 256).astype(np.uint8)


def without(values: dict, *keys: str) -> dict:
    return {key: value for key, value in values.items() if key not in keys}


@pytest.fixture
def read(tmp_path):
    def run(values: object, height: int = 224, width: int = 224) -> Preprocess:
        path = tmp_path / "config.json"
        path.write_text(values if isinstance(values, str) else json.dumps(values))
        return Preprocess.from_json(path, height, width)

    return run


# Made with torchvision 0.29: Resize, then CenterCrop, on Pillow images.
@pytest.mark.parametrize(
    ("height", "width", "short", "size", "interpolation", "target", "digest"),
    [
        (300, 401, 256, None, "bicubic", (224, 224), "f8993c57591f5f2c"),
        (401, 300, 248, None, "bicubic", (224, 224), "524c59a0165931db"),
        (33, 50, None, (32, 32), "bilinear", (32, 32), "33713793cb5aca4f"),
        (45, 31, 37, None, "lanczos", (32, 32), "95b2501686a24569"),
        (20, 61, 17, None, "nearest", (24, 24), "88a8bfc36c4f378f"),
        (9, 10, None, None, "bilinear", (6, 13), "4b6cc1e3119ab334"),
    ],
)
def test_apply_gives_torchvision_bits(height, width, short, size, interpolation, target, digest):
    preprocess = Preprocess(*target, short, size, interpolation, crop=True, mean=HALVES, std=HALVES)
    pixels = preprocess.apply(picture(height, width))
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == digest


def torchvision_rules(preprocess: Preprocess, pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    if short := preprocess.resize_short:
        width, height = image.size
        long = int(short * max(image.size) / min(image.size))
        size = (short, long) if width <= height else (long, short)
        image = image.resize(size, Image.Resampling[preprocess.interpolation.upper()])
    down, right = max(0, preprocess.height - image.height), max(0, preprocess.width - image.width)
    image = ImageOps.expand(image, (right // 2, down // 2, (right + 1) // 2, (down + 1) // 2))
    top, left = round((image.height - preprocess.height) / 2), round((image.width - preprocess.width) / 2)
    return np.asarray(image.crop((left, top, left + preprocess.width, top + preprocess.height)))


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    short=st.none() | st.integers(1, 48),
    interpolation=st.sampled_from(INTERPOLATIONS),
)
def test_apply_follows_torchvision_rules(shape, target, short, interpolation):
    preprocess = Preprocess(*target, short, None, interpolation, crop=True, mean=HALVES, std=HALVES)
    pixels = preprocess.apply(picture(*shape))
    assert pixels.shape == (*target, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, torchvision_rules(preprocess, picture(*shape)))


def test_apply_refuses_what_is_not_an_rgb_image():
    for array in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(UsageError, match="not an RGB image"):
            BASE.apply(array)
    with pytest.raises(UsageError):
        BASE.apply(np.zeros((0, 4, 3), np.uint8))


def test_apply_refuses_images_too_elongated_to_resize():
    with pytest.raises(ResourceLimitError, match="elongated"):
        BASE.apply(np.zeros((2, 16_384, 3), np.uint8))


def test_apply_without_resize_and_crop_wants_the_exact_size():
    exact = replace(BASE, height=4, width=6, resize_short=None, crop=False)
    assert np.array_equal(exact.apply(picture(4, 6)), picture(4, 6))
    with pytest.raises(InputFileError, match="wrong size"):
        exact.apply(picture(6, 4))


@pytest.mark.parametrize("size", [16, 32, 96, 224, 240, 256, 288, 336, 384, 448, 512])
def test_presets(size):
    assert Preprocess.preset("imagenet", size, size).resize_short == round(size / 0.875)
    assert Preprocess.preset("inception", size, size).resize_short == math.floor(size / 0.9)


def test_presets_are_what_the_documentation_says():
    imagenet, inception = (Preprocess.resolve(name, 224, 224) for name in ("imagenet", "inception"))
    assert (imagenet.resize_short, imagenet.mean) == (256, ("0.485", "0.456", "0.406"))
    assert imagenet.std_fractions() == (Fraction(229, 1000), Fraction(28, 125), Fraction(9, 40))
    assert (inception.resize_short, inception.mean, inception.std) == (248, HALVES, HALVES)
    assert inception.mean_fractions() == (Fraction(1, 2),) * 3
    with pytest.raises(UsageError, match="no such way"):
        Preprocess.resolve("imagnet", 224, 224)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("height", 0),
        ("height", True),
        ("width", 16_385),
        ("resize_short", -1),
        ("resize_size", (256, 256)),
        ("interpolation", "area"),
        ("crop", 1),
        ("crop", False),
        ("mean", ("0.5", "0.5")),
        ("mean", (0.5, 0.5, 0.5)),
        ("mean", ("123.675", "116.28", "103.53")),
        ("mean", ("nan", "0", "0")),
        ("mean", ("1e999999999", "0", "0")),
        ("mean", ("-0.5", "0", "0")),
        ("mean", ("1/2", "0", "0")),
        ("mean", ("٠", "0", "0")),
        ("std", ("0", "1", "1")),
        ("std", ("1e-99", "1", "1")),
    ],
)
def test_nonsense_is_refused(key, value):
    with pytest.raises(UsageError, match=f"`{key}` is wrong"):
        replace(BASE, **{key: value})


def test_round_trip_is_deterministic(read):
    for preprocess in (BASE, replace(BASE, resize_short=None, resize_size=(224, 224), crop=False)):
        text = preprocess.to_json()
        assert Preprocess.from_dict(json.loads(text)) == preprocess
        assert read(text) == preprocess
        assert read(text).to_json() == text


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        ({"extra": 1}, "extra"),
        ({"version": 2}, "version"),
        ({"version": True}, "version"),
        ({"format": "x"}, "format"),
        ({"mean": "0.5"}, "mean"),
        ({"mean": None}, "mean"),
        ({"crop": "yes"}, "crop"),
        ({"height": "224"}, "height"),
        ({"resize_size": [224]}, "resize_size"),
        ({"resize_short": None, "resize_size": 224}, "resize_size"),
    ],
)
def test_our_own_form_is_strict(edit, key):
    values = json.loads(BASE.to_json())
    with pytest.raises(InputFileError, match=key):
        Preprocess.from_dict(values | edit, where="file.json")
    with pytest.raises(InputFileError, match=f"`{key}` is wrong"):
        Preprocess.from_dict(without(values, key)) if key in values else Preprocess.from_dict(values | edit)


def test_our_own_form_must_fit_the_model(read):
    with pytest.raises(InputFileError, match="height"):
        read(BASE.to_json(), 384, 384)


def test_importing_needs_no_pillow():
    code = "import sys; sys.modules['PIL'] = None; import intvit.data.preprocess, intvit.data.preprocess_configs"
    subprocess.run([sys.executable, "-c", code], check=True)
