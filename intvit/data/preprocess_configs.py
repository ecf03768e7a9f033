"""Reading preprocessing from the JSON files that Hugging Face and timm put beside their models."""

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeGuard

from intvit.data.preprocess import FORMAT, INTERPOLATIONS, MAX_SIDE, Preprocess, exact_decimal
from intvit.errors import InputFileError
from intvit.files import read_bytes

_MAX_BYTES = 16 * 1024 * 1024
_HUGGING_FACE_MARKS = frozenset(("image_processor_type", "feature_extractor_type", "do_resize", "image_mean"))
_TIMM_MARKS = frozenset(("pretrained_cfg", "input_size", "crop_pct"))
_SQUARE_BY_DEFAULT = ("ViT", "DeiT", "Beit")
_SHORT_EDGE_BY_DEFAULT = ("CLIP", "Bit")
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
_RESCALE_TOLERANCE = Fraction(1, 10**9)
_HUGGING_FACE_IGNORED = frozenset(
    {
        "_processor_class",
        "_valid_processor_keys",
        "data_format",
        "do_convert_rgb",
        "feature_extractor_type",
        "image_processor_type",
        "input_data_format",
        "processor_class",
        "return_tensors",
    }
)
_TIMM_IGNORED = frozenset(
    {
        "architecture",
        "classifier",
        "custom_load",
        "description",
        "file",
        "first_conv",
        "fixed_input_size",
        "hf_hub_filename",
        "hf_hub_id",
        "label_descriptions",
        "label_names",
        "label_offset",
        "license",
        "min_input_size",
        "notes",
        "num_classes",
        "origin_url",
        "paper_ids",
        "paper_name",
        "pool_size",
        "source",
        "state_dict",
        "tag",
        "test_crop_pct",
        "test_input_size",
        "test_pool_size",
        "url",
    }
)


def read_config(path: str | Path, height: int, width: int) -> Preprocess:
    """Read a file in Hugging Face's, timm's or our own form.

    Args:
        path: the JSON file.
        height: the model's input height.
        width: the model's input width.

    Returns:
        The preprocessing, for exactly that input size.

    Raises:
        InputFileError: the file is missing, malformed, asks for something that isn't supported, or belongs to another
            input size; the message names the key.
        ResourceLimitError: the file is far too large.
    """
    values = _read_object(path)
    where = str(path)
    if values.get("format") == FORMAT:
        preprocess = Preprocess.from_dict(values, where)
        if (preprocess.height, preprocess.width) != (height, width):
            found = f"{preprocess.height} x {preprocess.width}"
            raise _Keys(values, where).refuse("height", f"the model's input, {height} x {width}", found)
        return preprocess
    given = {key for key, value in values.items() if value is not None}
    if _TIMM_MARKS & given:
        inner = values["pretrained_cfg"] if "pretrained_cfg" in given else values
        if not isinstance(inner, dict):
            raise _Keys(values, where).refuse("pretrained_cfg", "an object", inner)
        return _from_timm(_Keys(inner, where), height, width)
    if _HUGGING_FACE_MARKS & given:
        return _from_hugging_face(_Keys(values, where), height, width)
    raise InputFileError(
        "this JSON doesn't say how to preprocess",
        where=where,
        expected="Hugging Face's preprocessor_config.json, or timm's pretrained_cfg",
        found=f"the keys {', '.join(sorted(values)[:8]) or 'of an empty object'}",
        hint="take the file that lies beside the model, or --preprocess imagenet",
    )


class _Keys:
    """A JSON object whose keys are taken one by one, so that what nobody took can be refused."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._left = {key: value for key, value in values.items() if value is not None}
        self.where = where

    def take(self, key: str, default: Any = None) -> Any:
        """Remove and return a value; null counts as absent."""
        return self._left.pop(key, default)

    def take_flag(self, key: str, default: bool) -> bool:
        """Remove and return a boolean."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false", value)
        return value

    def take_decimals(self, key: str) -> tuple[str, ...]:
        """Remove and return a list of numbers as decimal text."""
        value = self.take(key)
        if not isinstance(value, list):
            raise self.refuse(key, "a list of three numbers", value)
        return tuple(str(number) for number in value)

    def take_choice(self, key: str, choices: Mapping[Any, str]) -> str:
        """Remove a value and return what it stands for."""
        value = self.take(key)
        if isinstance(value, int | str) and not isinstance(value, bool) and value in choices:
            return choices[value]
        raise self.refuse(key, " or ".join(repr(choice) for choice in choices), value)

    def finish(self, ignored: frozenset[str]) -> None:
        """Refuse the keys that are left, apart from those known not to matter."""
        for key in sorted(self._left.keys() - ignored):
            raise self.refuse(key, "no such key, as intvit doesn't know what it asks for", self._left[key])

    def refuse(self, key: str, expected: str, found: object) -> InputFileError:
        """Make the error that names a key."""
        return InputFileError(
            f"`{key}` is not supported",
            where=self.where,
            expected=expected,
            found="nothing" if found is None else repr(found)[:200],
            hint="correct the file, or choose a preset with --preprocess",
        )


def _from_hugging_face(keys: _Keys, height: int, width: int) -> Preprocess:
    kind = str(keys.take("image_processor_type", "")) or str(keys.take("feature_extractor_type", ""))
    model = (height, width)
    resize_short, resize_size = _hugging_face_size(keys, kind)
    interpolation = keys.take_choice("resample", _RESAMPLE) if resize_short or resize_size else "bilinear"
    crop = _hugging_face_crop(keys, model)
    if not crop and (resize_short or (resize_size or model) != model):
        raise keys.refuse("size", f"the model's input, {height} x {width}", resize_short or resize_size)
    _require_rescale(keys)
    mean: tuple[str, ...] = ("0", "0", "0")
    std: tuple[str, ...] = ("1", "1", "1")
    if keys.take_flag("do_normalize", default=True):
        mean, std = keys.take_decimals("image_mean"), keys.take_decimals("image_std")
    if keys.take_flag("do_pad", default=False):
        raise keys.refuse("do_pad", "false", found=True)
    keys.finish(_HUGGING_FACE_IGNORED | {"size", "resample", "image_mean", "image_std", "default_to_square"})
    return Preprocess.checked(
        keys.where,
        height=height,
        width=width,
        resize_short=resize_short,
        resize_size=resize_size,
        interpolation=interpolation,
        crop=crop,
        mean=mean,
        std=std,
    )


def _hugging_face_size(keys: _Keys, kind: str) -> tuple[int | None, tuple[int, int] | None]:
    """Return the short side or the size to resize to; a bare number means either, depending on the processor."""
    if not keys.take_flag("do_resize", default=True):
        return None, None
    size = keys.take("size")
    if isinstance(size, dict) and size.keys() == {"shortest_edge"} and _is_side(size["shortest_edge"]):
        return size["shortest_edge"], None
    if isinstance(size, dict) and (pair := _pair(size)):
        return None, pair
    if _is_side(size):
        square = keys.take("default_to_square")
        if square is True or (square is None and (not kind or kind.startswith(_SQUARE_BY_DEFAULT))):
            return None, (size, size)
        if square is False or kind.startswith(_SHORT_EDGE_BY_DEFAULT):
            return size, None
    expected = f'{{"shortest_edge": n}} or {{"height": n, "width": n}}, n from 1 to {MAX_SIDE}'
    raise keys.refuse("size", expected, size)


def _hugging_face_crop(keys: _Keys, model: tuple[int, int]) -> bool:
    size = keys.take("crop_size")
    crop = keys.take("do_center_crop", False if size is None else None)
    if not isinstance(crop, bool):
        raise keys.refuse("do_center_crop", "true or false", crop)
    if crop and _pair(size) != model:
        raise keys.refuse("crop_size", f"the model's input, {model[0]} x {model[1]}", size)
    return crop


def _require_rescale(keys: _Keys) -> None:
    if not keys.take_flag("do_rescale", default=True):
        raise keys.refuse("do_rescale", "true", found=False)
    factor = keys.take("rescale_factor", "0.00392156862745098")
    exact = exact_decimal(factor)
    if exact is None or abs(exact - Fraction(1, 255)) > _RESCALE_TOLERANCE:
        raise keys.refuse("rescale_factor", "1/255 = 0.00392156862745098", factor)


def _from_timm(keys: _Keys, height: int, width: int) -> Preprocess:
    input_size = keys.take("input_size")
    if input_size != [3, height, width]:
        raise keys.refuse("input_size", f"the model's input, [3, {height}, {width}]", input_size)
    crop_pct = keys.take("crop_pct", "0.875")
    resized = _timm_resized(crop_pct, height), _timm_resized(crop_pct, width)
    if not all(resized):
        raise keys.refuse("crop_pct", "a number from 0.1 to 1", crop_pct)
    mode = keys.take("crop_mode", "center")
    if mode not in ("center", "squash"):
        raise keys.refuse("crop_mode", "'center' or 'squash'", mode)
    if mode == "center" and height != width:
        raise keys.refuse("crop_mode", "'squash', as the model's input is not square", mode)
    interpolation = keys.take_choice("interpolation", {name: name for name in INTERPOLATIONS})
    mean, std = keys.take_decimals("mean"), keys.take_decimals("std")
    keys.finish(_TIMM_IGNORED)
    return Preprocess.checked(
        keys.where,
        height=height,
        width=width,
        resize_short=resized[0] if mode == "center" else None,
        resize_size=resized if mode == "squash" else None,
        interpolation=interpolation,
        crop=True,
        mean=mean,
        std=std,
    )


def _timm_resized(crop_pct: object, side: int) -> int:
    """Return `floor(side / crop_pct)`, 0 if `crop_pct` is no number from 0.1 to 1.

    The division is timm's own, in float64: exact arithmetic gives one pixel more for 17 / 0.136, for instance.
    """
    share = exact_decimal(crop_pct)
    if share is None or not Fraction(1, 10) <= share <= 1:
        return 0
    return math.floor(side / float(share))


def _pair(size: object) -> tuple[int, int] | None:
    """Read (height, width) from a number or from an object that names both."""
    if _is_side(size):
        return size, size
    if isinstance(size, dict) and size.keys() == {"height", "width"} and all(map(_is_side, size.values())):
        return size["height"], size["width"]
    return None


def _is_side(value: object) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= MAX_SIDE


def _read_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON object, fractions as their text; refuse double keys, NaN and infinities."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is not a number")

    data = read_bytes(path, _MAX_BYTES)
    try:
        values = json.loads(data, parse_float=str, parse_constant=refuse_constant, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise InputFileError(
            "not JSON", where=str(path), expected="a JSON object", found=str(error), hint="correct the file"
        ) from error
    if not isinstance(values, dict):
        raise InputFileError("not a JSON object", where=str(path), expected="{...}", found=type(values).__name__)
    return values
