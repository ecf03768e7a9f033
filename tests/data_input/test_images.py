import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intvit.data.images import ImageLimits, list_images, load_image, sample_evenly
from intvit.errors import InputFileError, IntvitError, ResourceLimitError, UsageError

COLOUR = (10, 200, 30)
FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (8, 6))]}


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(tag: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def raw_png(width: int, height: int, depth: int = 8, colour: int = 2, rows: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def plain() -> Image.Image:
    return Image.new("RGB", (8, 6), COLOUR)


def noisy() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8))


@pytest.fixture
def load(tmp_path):
    def run(data: bytes, limits: ImageLimits | None = None):
        path = tmp_path / "image"
        path.write_bytes(data)
        return load_image(path, limits) if limits else load_image(path)

    return run


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM"])
def test_lossless_formats_keep_every_pixel(load, kind):
    pixels = load(encode(noisy(), kind))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(noisy()))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_decode_as_pillow_does(load, kind):
    data = encode(noisy(), kind)
    assert np.array_equal(load(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("L", (4, 4), 77), (77, 77, 77)),
        (Image.new("LA", (4, 4), (77, 0)), (77, 77, 77)),
        (Image.new("RGBA", (4, 4), (*COLOUR, 0)), COLOUR),
        (plain().quantize(4), COLOUR),
    ],
)
def test_other_modes_become_rgb_and_alpha_is_dropped(load, image, colour):
    assert np.array_equal(load(encode(image, "PNG"))[0, 0], colour)


def test_transparent_palette_warns_nobody(load):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(encode(plain().quantize(4), "PNG", transparency=b"\0\1")).shape == (6, 8, 3)


def test_cmyk_jpeg_is_converted(load):
    assert np.abs(load(encode(plain().convert("CMYK"), "JPEG"))[0, 0].astype(int) - COLOUR).max() <= 3


def test_sixteen_bit_colour_keeps_the_high_bytes(load):
    assert (load(raw_png(2, 2, 16, 2, (b"\0" + b"\x12\x34" * 6) * 2)) == 0x12).all()


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (raw_png(2, 2, 16, 0, (b"\0" + b"\x12\x34" * 2) * 2), "I;16"),
        (b"P5 2 2 65535\n" + bytes(8), "I"),
        (b"Pf\n2 2\n-1.0\n" + bytes(16), "F"),
    ],
)
def test_values_without_an_8_bit_meaning_are_refused(load, data, mode):
    with pytest.raises(InputFileError, match="no agreed meaning") as caught:
        load(data)
    assert caught.value.found == f"Pillow mode {mode}"
    assert "scale it to 8 bits" in caught.value.hint


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(load, orientation):
    upright = noisy()
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(load(encode(stored, "PNG", exif=exif)), np.asarray(upright))


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_damaged_exif_does_not_hide_a_good_picture(load, exif):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(encode(plain(), "JPEG", exif=exif)).shape == (6, 8, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(load, kind):
    with pytest.raises(InputFileError, match="animated") as caught:
        load(encode(plain(), kind, **FRAMES))
    assert caught.value.found == "2 frames"


def test_a_photo_with_a_second_picture_inside_gives_the_first(load):
    assert load(encode(plain(), "MPO", **FRAMES)).shape == (6, 8, 3)


@pytest.mark.parametrize(("width", "height"), [(16_385, 2), (2, 16_385), (8_000, 7_000), (10_000, 9_500), (100_000, 100_000)])
def test_large_images_are_refused_before_decoding(load, width, height, monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ResourceLimitError, match="too large"):
        load(raw_png(width, height))


def test_limits_can_be_lowered(load):
    data = encode(plain(), "PNG")
    for limits in (ImageLimits(pixels=47), ImageLimits(side=7), ImageLimits(file_bytes=len(data) - 1)):
        with pytest.raises(ResourceLimitError):
            load(data, limits)
    assert load(data, ImageLimits(pixels=48, side=8, file_bytes=len(data))).shape == (6, 8, 3)


def test_no_memory_is_a_limit(load, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ResourceLimitError, match="memory"):
        load(b"x")


@pytest.mark.parametrize(("width", "height"), [(1, 9), (9, 1), (1, 1)])
def test_images_one_pixel_thin_are_refused(load, width, height):
    with pytest.raises(InputFileError, match="too small"):
        load(encode(Image.new("RGB", (width, height)), "PNG"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "PPM", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_truncated_images_are_refused(load, kind, share):
    data = encode(noisy(), kind)
    with pytest.raises(InputFileError):
        load(data[: int(len(data) * share)])


@pytest.mark.parametrize("data", [b"", b"hello world", encode(plain(), "GIF"), encode(plain(), "TIFF"), encode(plain(), "ICO")])
def test_other_files_are_refused(load, data):
    with pytest.raises(InputFileError, match="not an image that can be read") as caught:
        load(data)
    assert "PNG, JPEG, BMP, PPM, WEBP" in caught.value.expected


def test_a_compressed_text_bomb_is_refused(load):
    data = encode(plain(), "PNG")
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80 << 20)))
    with pytest.raises(InputFileError, match="damaged"):
        load(data[:33] + bomb + data[33:])


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(InputFileError, match="no such file"):
        load_image(tmp_path / "none.png")
    with pytest.raises(InputFileError, match="not a regular file"):
        load_image(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["PNG", "JPEG", "BMP", "PPM", "WEBP"]),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_gives_pixels_or_our_error(tmp_path, kind, edits):
    data = bytearray(encode(plain(), kind))
    for place, value in edits:
        data[place % min(len(data), 200)] = value
    path = tmp_path / "image"
    path.write_bytes(data)
    try:
        pixels = load_image(path, ImageLimits(pixels=1_000_000))
    except IntvitError as error:
        assert error.where == str(path)
    else:
        assert pixels.ndim == 3


def test_list_images_recurses_and_sorts_by_relative_name(tmp_path):
    for name in ("b/2.JPG", "b/1.png", "a.webp", "b.bmp", "B.ppm", "b/.hidden.png", ".git/x.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert names == ["B.ppm", "a.webp", "b.bmp", "b/1.png", "b/2.JPG"]


def test_list_images_does_not_follow_links_to_folders(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list_images(tmp_path) == [tmp_path / "a.png"]


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(InputFileError, match="no image in this folder") as caught:
        list_images(tmp_path)
    assert caught.value.hint
    (tmp_path / "file").touch()
    for name, found in (("none", "nothing"), ("file", "a file")):
        with pytest.raises(InputFileError, match="no such folder") as caught:
            list_images(tmp_path / name)
        assert caught.value.found == found


def test_unreadable_subfolder_is_an_error(tmp_path, monkeypatch):
    def scandir(path: str) -> None:
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputFileError, match="can't look into"):
        list_images(tmp_path)


@given(total=st.integers(1, 300), count=st.integers(1, 300))
def test_sample_evenly(total, count):
    paths = [Path(f"{i:03d}") for i in range(total)]
    picked = sample_evenly(paths, count)
    assert len(picked) == min(total, count)
    assert picked == sorted(set(picked))
    if count <= total:
        assert picked == [paths[i * total // count] for i in range(count)]


def test_sample_evenly_refuses_nothing():
    with pytest.raises(UsageError):
        sample_evenly([Path("a")], 0)
