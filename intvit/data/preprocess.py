"""From any RGB image to the pixels a model takes: resize, crop, and the exact mean and std that follow."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.errors import InputFileError, ResourceLimitError, UsageError

FORMAT = "intvit.preprocess"
VERSION = 1
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
PRESETS = ("imagenet", "inception")
MAX_SIDE = 16_384
MAX_RESIZED_PIXELS = 50_000_000
_CHANNELS = 3
_DECIMAL = re.compile(r"[0-9]{1,4}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_SMALLEST = {"mean": "0", "std": "0.001"}

Triple = tuple[str, str, str]
Pixels = NDArray[np.uint8]


def exact_decimal(number: object) -> Fraction | None:
    """Read a whole number, or the text of a non-negative decimal, exactly; None for anything else."""
    text = str(number) if type(number) in (int, str) else ""
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes a model's input; `apply` does everything up to uint8 pixels.

    Resizing is either by the short side, or to an exact size, or left out. Then the centre is cropped, with black
    around what is too small. The model's first layer takes `(pixel / 255 - mean) / std`.

    Args:
        height: the model's input height, 1 to 16384.
        width: the model's input width, 1 to 16384.
        resize_short: the length that the short side gets, the long side following; None not to.
        resize_size: the (height, width) that the image gets whatever its shape; None not to.
        interpolation: "nearest", "bilinear", "bicubic" or "lanczos", as Pillow does them.
        crop: whether to cut the centre out; without, resizing alone must give (height, width).
        mean: three decimal numbers from 0 to 1, red, green, blue, as text so that they stay exact.
        std: three decimal numbers from 0.001 to 1, likewise.

    Raises:
        UsageError: the values are out of range or contradict each other.
    """

    height: int
    width: int
    resize_short: int | None
    resize_size: tuple[int, int] | None
    interpolation: str
    crop: bool
    mean: Triple
    std: Triple

    def __post_init__(self) -> None:
        sides = {"height": self.height, "width": self.width, "resize_short": self.resize_short}
        if self.resize_size is not None:
            if not (isinstance(self.resize_size, tuple) and len(self.resize_size) == 2):
                raise _wrong("resize_size", "(height, width)", self.resize_size)
            sides |= dict(zip(("resize_size height", "resize_size width"), self.resize_size, strict=True))
        for name, side in sides.items():
            if side is not None and not (type(side) is int and 1 <= side <= MAX_SIDE):
                raise _wrong(name, f"a whole number from 1 to {MAX_SIDE}", side)
        if self.resize_size is not None and self.resize_short is not None:
            raise _wrong("resize_size", "none, as resize_short is given", self.resize_size)
        if self.interpolation not in INTERPOLATIONS:
            raise _wrong("interpolation", " or ".join(INTERPOLATIONS), self.interpolation)
        if not isinstance(self.crop, bool):
            raise _wrong("crop", "true or false", self.crop)
        target = (self.height, self.width)
        if not self.crop and (self.resize_short is not None or (self.resize_size or target) != target):
            raise _wrong("crop", f"true, or resize_size ({self.height}, {self.width})", self.crop)
        _require_decimals("mean", self.mean)
        _require_decimals("std", self.std)

    @classmethod
    def preset(cls, name: str, height: int, width: int) -> "Preprocess":
        """Return a well-known way of preprocessing, for a model of the given input size.

        `imagenet`: short side `round(size / 0.875)`, ImageNet mean and std. `inception`: short side
        `floor(size / 0.9)`, mean and std 0.5. Both bicubic, then the centre; `size` is the larger of height and width.

        Args:
            name: "imagenet" or "inception".
            height: the model's input height.
            width: the model's input width.

        Raises:
            UsageError: there is no such preset, or the size is out of range.
        """
        size = max(height, width)
        mean: Triple
        std: Triple
        if name == "imagenet":
            short, mean, std = (16 * size + 7) // 14, ("0.485", "0.456", "0.406"), ("0.229", "0.224", "0.225")
        elif name == "inception":
            short, mean, std = size * 10 // 9, ("0.5", "0.5", "0.5"), ("0.5", "0.5", "0.5")
        else:
            raise UsageError(
                "no such way of preprocessing",
                where="--preprocess",
                expected=" or ".join(PRESETS),
                found=repr(name),
                hint="or give a JSON file: preprocessor_config.json or timm's pretrained_cfg",
            )
        return cls(height, width, short, None, "bicubic", crop=True, mean=mean, std=std)

    @classmethod
    def resolve(cls, choice: str, height: int, width: int) -> "Preprocess":
        """Return the preset of that name, or else read the file of that name: what `--preprocess` takes.

        Raises:
            UsageError: it is neither a preset nor the name of a JSON file.
            InputFileError: the file is missing or can't be understood.
        """
        if choice in PRESETS or not choice.lower().endswith(".json"):
            return cls.preset(choice, height, width)
        return cls.from_json(choice, height, width)

    @classmethod
    def from_json(cls, path: str | Path, height: int, width: int) -> "Preprocess":
        """Read Hugging Face's `preprocessor_config.json`, timm's `pretrained_cfg`, or what `to_json` wrote.

        Args:
            path: the JSON file.
            height: the model's input height, which the file must agree with.
            width: the model's input width, likewise.

        Raises:
            InputFileError: the file is missing, malformed, asks for something that isn't supported, or belongs to
                another input size; the message names the key.
            ResourceLimitError: the file is far too large.
        """
        from intvit.data.preprocess_configs import read_config

        return read_config(path, height, width)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "preprocess") -> "Preprocess":
        """Rebuild from the parsed form of `to_json`.

        Args:
            values: the JSON object.
            where: the file or field it came from, for messages.

        Raises:
            InputFileError: a key is missing, unknown or wrong.
        """
        tags = {"format": FORMAT, "version": VERSION}
        names = [field.name for field in fields(cls)]
        for key in sorted({*tags, *names} ^ set(values)):
            known = "no such key" if key in values else "this key"
            found = repr(values[key]) if key in values else "nothing"
            raise InputFileError(f"`{key}` is wrong", where=where, expected=known, found=found)
        for key, tag in tags.items():
            if values[key] != tag or isinstance(values[key], bool):
                raise InputFileError(f"`{key}` is wrong", where=where, expected=repr(tag), found=repr(values[key]))
        arguments = {name: _tuples(values[name]) for name in names}
        return cls.checked(where, **arguments)

    @classmethod
    def checked(cls, where: str, **arguments: Any) -> "Preprocess":
        """Construct from values that a file gave, so that what is wrong with them is the file's fault.

        Raises:
            InputFileError: instead of the constructor's UsageError.
        """
        try:
            return cls(**arguments)
        except UsageError as error:
            raise InputFileError(
                error.message, where=where, expected=error.expected, found=error.found, hint=error.hint
            ) from error

    def to_json(self) -> str:
        """Return the same text for the same values; `from_dict(json.loads(text))` gives them back."""
        return json.dumps({"format": FORMAT, "version": VERSION} | asdict(self), indent=2) + "\n"

    def mean_fractions(self) -> tuple[Fraction, ...]:
        """Return the exact mean of red, green and blue, on the scale where white is 1."""
        return tuple(Fraction(number) for number in self.mean)

    def std_fractions(self) -> tuple[Fraction, ...]:
        """Return the exact standard deviation of red, green and blue, on the scale where white is 1."""
        return tuple(Fraction(number) for number in self.std)

    def apply(self, image: Pixels) -> Pixels:
        """Resize and crop, to the bit as torchvision's `Resize` and `CenterCrop` do on Pillow images.

        Args:
            image: uint8 [any height, any width, 3], RGB.

        Returns:
            uint8 [height, width, 3], contiguous; `image` itself may be shared.

        Raises:
            UsageError: `image` is no such array.
            InputFileError: nothing resizes or crops it and its size isn't the model's.
            ResourceLimitError: the image is so elongated that resizing it would take too much memory.
        """
        if not (image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == _CHANNELS and image.size):
            found = f"{image.dtype} {list(image.shape)}"
            raise UsageError("not an RGB image", where="image", expected="uint8 [height, width, 3]", found=found)
        resized = _resize(image, self._resized_size(image.shape[0], image.shape[1]), self.interpolation)
        if self.crop:
            return _crop_centre(resized, self.height, self.width)
        if resized.shape[:2] != (self.height, self.width):
            raise InputFileError(
                "the image has the wrong size",
                where="image",
                expected=f"{self.width} x {self.height}, as preprocessing neither resizes nor crops",
                found=f"{resized.shape[1]} x {resized.shape[0]}",
                hint="resize the image first, or choose another way of preprocessing",
            )
        return resized

    def _resized_size(self, height: int, width: int) -> tuple[int, int]:
        if self.resize_short is None:
            return self.resize_size or (height, width)
        short, long = sorted((height, width))
        long = self.resize_short * long // short
        if self.resize_short * long > MAX_RESIZED_PIXELS:
            raise ResourceLimitError(
                "the image is too elongated to resize",
                where="image",
                expected=f"at most {MAX_RESIZED_PIXELS} pixels once the short side is {self.resize_short}",
                found=f"{width} x {height}, which becomes {self.resize_short} by {long}",
                hint="crop the image first",
            )
        return (self.resize_short, long) if height <= width else (long, self.resize_short)


def _resize(image: Pixels, size: tuple[int, int], interpolation: str) -> Pixels:
    height, width = size
    if image.shape[:2] == size:
        return np.ascontiguousarray(image)
    from PIL import Image

    method = Image.Resampling[interpolation.upper()]
    return np.asarray(Image.fromarray(image).resize((width, height), method))


def _crop_centre(image: Pixels, height: int, width: int) -> Pixels:
    from_rows, to_rows = _centre(image.shape[0], height)
    from_columns, to_columns = _centre(image.shape[1], width)
    cropped = np.zeros((height, width, _CHANNELS), np.uint8)
    cropped[to_rows, to_columns] = image[from_rows, from_columns]
    return cropped


def _centre(length: int, target: int) -> tuple[slice, slice]:
    """Return what to cut out of `length`, and where it goes in `target`; half a pixel goes to the even side."""
    if length < target:
        start = (target - length) // 2
        return slice(0, length), slice(start, start + length)
    half, odd = divmod(length - target, 2)
    start = half + (odd & half)
    return slice(start, start + target), slice(0, target)


def _require_decimals(name: str, numbers: object) -> None:
    expected = f"three decimal numbers from {_SMALLEST[name]} to 1, as text"
    if not isinstance(numbers, tuple) or len(numbers) != _CHANNELS:
        raise _wrong(name, expected, numbers)
    for number in numbers:
        exact = exact_decimal(number) if isinstance(number, str) else None
        if exact is None or not Fraction(_SMALLEST[name]) <= exact <= 1:
            raise _wrong(name, expected, number, "numbers on the scale 0 to 255 must be divided by 255")


def _tuples(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _wrong(name: str, expected: str, found: object, hint: str | None = None) -> UsageError:
    return UsageError(f"`{name}` is wrong", expected=expected, found=repr(found), hint=hint)
