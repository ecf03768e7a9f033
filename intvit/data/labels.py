"""Labels: which class each image belongs to, and what the classes are called."""

import csv
import re
from pathlib import Path, PurePosixPath

from intvit.errors import InputFileError
from intvit.files import read_bytes

HEADER = ["file", "label"]
_MAX_BYTES = 64 * 1024 * 1024
_MAX_LABEL_DIGITS = 9
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SYNSET = re.compile(r"n\d{8}\s+(?=\S)")


def read_labels(csv_path: str | Path, images_dir: str | Path, classes: int | None = None) -> list[tuple[Path, int]]:
    """Read a CSV of images and their classes; its first line is `file,label`.

    Args:
        csv_path: the CSV, UTF-8; blank lines are skipped.
        images_dir: the folder that the names in column `file` are relative to.
        classes: how many classes the model has, to refuse larger labels.

    Returns:
        `(path, label)` for each line in the file's order; labels are non-negative.

    Raises:
        InputFileError: the file is missing, malformed or empty, a label isn't a class, an image doesn't exist or is
            listed twice; the message names the line.
    """
    lines = _read_lines(csv_path)
    reader = csv.reader(lines, strict=True)
    labelled: list[tuple[Path, int]] = []
    first_seen: dict[PurePosixPath, int] = {}
    try:
        header = next(reader, [])
        if header != HEADER:
            raise _line_error(csv_path, 1, "the header is wrong", ",".join(HEADER), ",".join(header) or "nothing")
        for row in reader:
            if not row:
                continue
            line = reader.line_num
            if len(row) != len(HEADER):
                raise _line_error(csv_path, line, "the line is malformed", "a file and a label", f"{len(row)} values")
            name = _parse_name(csv_path, line, row[0])
            label = _parse_label(csv_path, line, row[1], classes)
            if name in first_seen:
                earlier = f"it is on line {first_seen[name]} already"
                raise _line_error(csv_path, line, f"{row[0]!r} is listed twice", "each image once", earlier)
            first_seen[name] = line
            labelled.append((_require_image(csv_path, line, Path(images_dir, name)), label))
    except csv.Error as error:
        raise _line_error(csv_path, reader.line_num, "the line is malformed", "CSV", str(error)) from error
    if not labelled:
        raise _line_error(csv_path, 2, "there are no labels", "a line such as cat.jpg,281", "the end of the file")
    return labelled


def read_class_names(path: str | Path, classes: int | None = None) -> list[str]:
    """Read one class name a line; the first line names class 0.

    Args:
        path: a UTF-8 text file of plain names, or of lines such as `n01440764 tench, Tinca tinca`, whose WordNet
            number is dropped.
        classes: how many names there must be, if known.

    Returns:
        The names in class order.

    Raises:
        InputFileError: the file is missing, empty, not text, has an empty line, or the wrong number of lines.
    """
    lines = _read_lines(path)
    names = [_SYNSET.sub("", line.strip(), count=1) for line in lines]
    for number, name in enumerate(names, start=1):
        if _CONTROL.search(name) or not name:
            raise _line_error(path, number, "not a class name", "printable text", repr(name))
    if not names or (classes is not None and len(names) != classes):
        raise InputFileError(
            "the number of class names is wrong",
            where=str(path),
            expected=f"{classes if classes is not None else 'one or more'} lines",
            found=f"{len(names)}",
            hint="give one name a line, in the order of the model's classes",
        )
    return names


def _read_lines(path: str | Path) -> list[str]:
    data = read_bytes(path, _MAX_BYTES)
    try:
        return re.split("\r\n|\r|\n", data.decode("utf-8-sig").rstrip("\r\n")) if data.strip() else []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte {data[error.start]:#04x}"
        raise _line_error(path, line, "the text is not UTF-8", "UTF-8", found, "save the file as UTF-8") from error


def _parse_name(csv_path: str | Path, line: int, text: str) -> PurePosixPath:
    name = PurePosixPath(text)
    if _CONTROL.search(text) or not name.name or name.is_absolute() or ".." in name.parts:
        raise _line_error(csv_path, line, "not the name of an image", "a path inside the images folder", repr(text))
    return name


def _parse_label(csv_path: str | Path, line: int, text: str, classes: int | None) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_LABEL_DIGITS):
        raise _line_error(csv_path, line, "the label is not a class number", "0, 1, 2, ...", repr(text))
    label = int(text)
    if classes is not None and label >= classes:
        hint = "check that the labels belong to this model, and that they count from 0"
        raise _line_error(csv_path, line, "the model has no such class", f"0 to {classes - 1}", text, hint)
    return label


def _require_image(csv_path: str | Path, line: int, path: Path) -> Path:
    try:
        exists = path.is_file()
    except OSError:
        exists = False
    if not exists:
        hint = "check the name, and the folder of images"
        raise _line_error(csv_path, line, "the image doesn't exist", str(path), "no such file", hint)
    return path


def _line_error(
    path: str | Path, line: int, message: str, expected: str, found: str, hint: str = "correct this line"
) -> InputFileError:
    return InputFileError(message, where=f"{path}, line {line}", expected=expected, found=found, hint=hint)
