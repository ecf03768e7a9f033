"""Image files: finding them in folders, and decoding them safely to RGB."""

import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from intvit.errors import InputFileError, ResourceLimitError, UsageError
from intvit.files import read_bytes

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP")
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pbm", ".webp"))
_PHOTO_WITH_EXTRAS = "MPO"
_MODES = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK"))
_SMALLEST_SIDE = 2
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageLimits:
    """How large an image file may be.

    Args:
        file_bytes: the most bytes of a file.
        pixels: the most pixels, width times height; Pillow's own limit (about 89 million) stays in force.
        side: the most pixels along either side.
    """

    file_bytes: int = 256 * 1024 * 1024
    pixels: int = 50_000_000
    side: int = 16_384


DEFAULT_LIMITS = ImageLimits()


def load_image(path: str | Path, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
    """Decode an image file to upright RGB.

    Colours become RGB as torchvision's loader does it, `convert("RGB")`: alpha is dropped, CMYK is converted without
    a profile, 16-bit colour keeps its high bytes. Unlike that loader, the EXIF orientation is applied.

    Args:
        path: a PNG, JPEG, BMP, PPM/PGM/PBM or WebP file.
        limits: what is too large.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputFileError: the file is missing, damaged, not an image, animated, one pixel thin, or of a kind whose
            values have no agreed 8-bit meaning (16-bit grey, float).
        ResourceLimitError: the file or the image is too large; found before any pixel is decoded.
    """
    data = read_bytes(path, limits.file_bytes)
    where = str(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _decode(data, where, limits)
        except (InputFileError, ResourceLimitError):
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise _too_large(where, f"at most {limits.pixels} pixels", str(error)) from error
        except MemoryError as error:
            raise _too_large(where, "an image that fits into memory", "not enough memory to decode it") from error
        except UnidentifiedImageError:
            raise InputFileError(
                "not an image that can be read",
                where=where,
                expected=f"one of {', '.join(FORMATS)}",
                found=_opening(data),
                hint="convert it to PNG or JPEG",
            ) from None
        except Exception as error:  # a damaged file can raise almost anything inside a decoder
            raise InputFileError(
                "the image is damaged",
                where=where,
                expected="a complete image",
                found=f"{type(error).__name__}: {error}",
                hint="fetch or export the file again",
            ) from error


def list_images(folder: str | Path) -> list[Path]:
    """Find all image files in a folder and its subfolders.

    Files count by suffix, in upper or lower case; names that start with a dot are skipped, and links to folders are
    not followed.

    Args:
        folder: where to look.

    Returns:
        The paths, each starting with `folder`, sorted by their relative name with `/` between parts.

    Raises:
        InputFileError: the folder is missing, unreadable, not a folder, or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputFileError(
            "no such folder",
            where=str(folder),
            expected="a folder of images",
            found="a file" if folder.exists() else "nothing",
            hint="give the path of a folder that holds images",
        )
    found = []
    for root, folders, names in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if not name.startswith(".") and PurePath(name).suffix.lower() in SUFFIXES]
    if not found:
        raise InputFileError(
            "no image in this folder",
            where=str(folder),
            expected=f"files named {', '.join('*' + suffix for suffix in sorted(SUFFIXES))}",
            found="none, in subfolders neither",
            hint="check the folder, or convert the images to PNG or JPEG",
        )
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def sample_evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """Pick `count` paths spread evenly over a sorted list: those at `i * len(paths) // count`.

    Args:
        paths: the sorted paths.
        count: how many to keep, at least 1; all are kept if there are no more than that.

    Returns:
        The picked paths in the same order.

    Raises:
        UsageError: `count` is below 1.
    """
    if count < 1:
        raise UsageError("can't sample fewer than one image", expected="1 or more", found=str(count))
    if count >= len(paths):
        return list(paths)
    return [paths[i * len(paths) // count] for i in range(count)]


def _decode(data: bytes, where: str, limits: ImageLimits) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _require_size(image.size, where, limits)
        _require_kind(image, where)
        image.load()
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG, 1))
        rgb = image.convert("RGB")
    return np.array(rgb if turn is None else rgb.transpose(turn))


def _require_size(size: tuple[int, int], where: str, limits: ImageLimits) -> None:
    width, height = size
    if width > limits.side or height > limits.side:
        raise _too_large(where, f"sides of at most {limits.side} pixels", f"{width} x {height}")
    if width * height > limits.pixels:
        raise _too_large(where, f"at most {limits.pixels} pixels", f"{width} x {height} = {width * height}")
    if min(size) < _SMALLEST_SIDE:
        raise InputFileError(
            "the image is too small",
            where=where,
            expected=f"at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels",
            found=f"{width} x {height}",
            hint="check that this is the right image",
        )


def _require_kind(image: Image.Image, where: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != _PHOTO_WITH_EXTRAS:
        raise InputFileError(
            "the image is animated",
            where=where,
            expected="a single picture",
            found=f"{frames} frames",
            hint="save the frame you want as its own file",
        )
    if image.mode not in _MODES:
        raise InputFileError(
            "the image's values have no agreed meaning in 8 bits",
            where=where,
            expected="8-bit grey, palette, RGB or CMYK",
            found=f"Pillow mode {image.mode}",
            hint="scale it to 8 bits as fits your data, and save that",
        )


def _too_large(where: str, expected: str, found: str) -> ResourceLimitError:
    return ResourceLimitError(
        "the image is too large", where=where, expected=expected, found=found, hint="scale the image down"
    )


def _opening(data: bytes) -> str:
    return f"a file that starts with {data[:8]!r}" if data else "an empty file"


def _refuse_unreadable(error: OSError) -> None:
    raise InputFileError(
        "can't look into this folder", where=str(error.filename), found=error.strerror, hint="check its permissions"
    ) from error
