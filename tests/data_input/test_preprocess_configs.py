import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intvit.data.preprocess import Preprocess
from intvit.errors import InputFileError

HALVES = ("0.5", "0.5", "0.5")
BASE = Preprocess(224, 224, 256, None, "bicubic", crop=True, mean=HALVES, std=HALVES)
VIT = {
    "do_normalize": True,
    "do_resize": True,
    "image_processor_type": "ViTImageProcessor",
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "size": {"height": 224, "width": 224},
}
CLIP = VIT | {
    "image_processor_type": "CLIPImageProcessor",
    "do_center_crop": True,
    "crop_size": 224,
    "size": {"shortest_edge": 256},
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "do_rescale": True,
    "rescale_factor": 0.00392156862745098,
    "do_convert_rgb": True,
    "size_divisor": None,
}
TIMM = {
    "input_size": [3, 224, 224],
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "crop_mode": "center",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "num_classes": 1000,
    "first_conv": "patch_embed.proj",
    "pool_size": None,
}


def without(values: dict, *keys: str) -> dict:
    return {key: value for key, value in values.items() if key not in keys}


@pytest.fixture
def read(tmp_path):
    def run(values: object, height: int = 224, width: int = 224) -> Preprocess:
        path = tmp_path / "config.json"
        path.write_text(values if isinstance(values, str) else json.dumps(values))
        return Preprocess.from_json(path, height, width)

    return run


def test_hugging_face_vit_squashes(read):
    expected = replace(BASE, resize_short=None, resize_size=(224, 224), interpolation="bilinear", crop=False)
    assert read(VIT) == expected
    assert read(VIT | {"size": 224}) == expected


def test_hugging_face_clip_keeps_the_shape(read):
    expected = replace(BASE, mean=("0.48145466", "0.4578275", "0.40821073"))
    assert read(CLIP) == expected
    assert read(CLIP | {"size": 256, "crop_size": {"height": 224, "width": 224}}) == expected


def test_hugging_face_switches(read):
    assert read(VIT | {"do_normalize": False}).std == ("1", "1", "1")
    still = read(VIT | {"do_resize": False})
    assert (still.resize_short, still.resize_size, still.crop) == (None, None, False)
    deit = read(CLIP | {"image_processor_type": "DeiTImageProcessor", "size": 256})
    assert (deit.resize_size, deit.crop) == ((256, 256), True)
    assert read(CLIP | {"image_processor_type": "X", "size": 256, "default_to_square": False}).resize_short == 256


@pytest.mark.parametrize(
    ("values", "key"),
    [
        (VIT | {"size": {"longest_edge": 224}}, "size"),
        (VIT | {"size": {"height": 384, "width": 384}}, "size"),
        (VIT | {"size": {"shortest_edge": 224}}, "size"),
        (VIT | {"size": 224.5}, "size"),
        (VIT | {"size": True}, "size"),
        (VIT | {"size": {"height": 0, "width": 0}}, "size"),
        (VIT | {"size": 224, "image_processor_type": "LevitImageProcessor"}, "size"),
        (without(VIT, "size"), "size"),
        (VIT | {"resample": 4}, "resample"),
        (VIT | {"resample": True}, "resample"),
        (VIT | {"resample": [2]}, "resample"),
        (without(VIT, "resample"), "resample"),
        (VIT | {"do_resize": "yes"}, "do_resize"),
        (CLIP | {"crop_size": 256}, "crop_size"),
        (without(CLIP, "crop_size"), "crop_size"),
        (without(CLIP, "do_center_crop"), "do_center_crop"),
        (VIT | {"do_rescale": False}, "do_rescale"),
        (VIT | {"rescale_factor": 1 / 127.5}, "rescale_factor"),
        (VIT | {"rescale_factor": "1e99999"}, "rescale_factor"),
        (VIT | {"rescale_factor": [1]}, "rescale_factor"),
        (without(VIT, "image_mean"), "image_mean"),
        (VIT | {"image_std": [0.5, 0.5]}, "std"),
        (VIT | {"image_mean": [123.675, 116.28, 103.53]}, "mean"),
        (VIT | {"do_pad": True}, "do_pad"),
        (VIT | {"crop_pct": None, "do_flip_channel_order": True}, "do_flip_channel_order"),
    ],
)
def test_hugging_face_oddities_name_the_key(read, values, key):
    with pytest.raises(InputFileError, match=f"`{key}`") as caught:
        read(values)
    assert caught.value.expected
    assert caught.value.found
    assert caught.value.where.endswith("config.json")


def test_timm(read):
    imagenet = Preprocess.preset("imagenet", 224, 224)
    assert read(TIMM) == replace(imagenet, resize_short=248)
    assert read({"architecture": "deit", "pretrained_cfg": without(TIMM, "crop_pct")}) == imagenet
    assert read(TIMM | {"crop_mode": "squash"}).resize_size == (248, 248)
    assert read(TIMM | {"crop_pct": 1}).resize_short == 224


@given(side=st.integers(1, 1500), share=st.integers(100, 1000))
@settings(max_examples=60, deadline=None)
def test_timm_short_side_is_timms_own(tmp_path_factory, side, share):
    crop_pct = share / 1000
    path = tmp_path_factory.mktemp("timm") / "config.json"
    path.write_text(json.dumps(TIMM | {"input_size": [3, side, side], "crop_pct": crop_pct}))
    assert Preprocess.from_json(path, side, side).resize_short == math.floor(side / crop_pct)


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        ({"input_size": [3, 384, 384]}, "input_size"),
        ({"input_size": [1, 224, 224]}, "input_size"),
        ({"interpolation": "random"}, "interpolation"),
        ({"interpolation": ["bicubic"]}, "interpolation"),
        ({"crop_pct": 0}, "crop_pct"),
        ({"crop_pct": 1.1}, "crop_pct"),
        ({"crop_pct": "1e-99999"}, "crop_pct"),
        ({"crop_pct": {}}, "crop_pct"),
        ({"crop_mode": "border"}, "crop_mode"),
        ({"mean": 0.5}, "mean"),
        ({"std": [0, 0, 0]}, "std"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_timm_oddities_name_the_key(read, edit, key):
    with pytest.raises(InputFileError, match=f"`{key}`"):
        read(TIMM | edit)


def test_timm_rectangles_need_squash(read):
    values = TIMM | {"input_size": [3, 224, 112]}
    with pytest.raises(InputFileError, match="crop_mode"):
        read(values, 224, 112)
    assert read(values | {"crop_mode": "squash"}, 224, 112).resize_size == (248, 124)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        '{"a": 1}',
        '{"size": NaN}',
        '{"size": Infinity}',
        '{"crop_pct": 0.9, "crop_pct": 1}',
        '{"pretrained_cfg": 3}',
        "[" * 100_000,
        '{"size": ' + "9" * 10_000 + "}",
    ],
)
def test_what_is_no_configuration_is_refused(read, text):
    with pytest.raises(InputFileError):
        read(text)


def test_binary_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(InputFileError, match="no such file"):
        Preprocess.resolve(str(path), 224, 224)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputFileError, match="not JSON"):
        Preprocess.resolve(str(path), 224, 224)
