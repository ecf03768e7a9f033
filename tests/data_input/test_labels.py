import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intvit.data.labels import read_class_names, read_labels
from intvit.errors import InputFileError


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b, c.png", "sub/d.png", "ü\u202f.png"):
        (folder / name).touch()
    return folder


@pytest.fixture
def read(tmp_path, images):
    def run(data: str | bytes, classes: int | None = None):
        path = tmp_path / "labels.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_labels(path, images, classes)

    return run


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_reads_files_in_order(read, images, newline, mark):
    lines = ["file,label", "sub/d.png,3", "", '"b, c.png",0', "ü\u202f.png,281", "a.png,007", ""]
    expected = [("sub/d.png", 3), ("b, c.png", 0), ("ü\u202f.png", 281), ("a.png", 7)]
    assert read(mark + newline.join(lines), classes=282) == [(images / name, label) for name, label in expected]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        ("", 1, "header"),
        ("\n", 1, "header"),
        ("a.png,3\n", 1, "header"),
        ("file, label\na.png,3\n", 1, "header"),
        ("label,file\n3,a.png\n", 1, "header"),
        ("file;label\na.png;3\n", 1, "header"),
        ("file,label\n", 2, "no labels"),
        ("file,label\na.png\n", 2, "malformed"),
        ("file,label\na.png,1,2\n", 2, "malformed"),
        ('file,label\n"a.png,1\n', 2, "malformed"),
        ('file,label\n"a.png"x,1\n', 2, "malformed"),
        ("file,label\na.png,-1\n", 2, "class number"),
        ("file,label\na.png, 1\n", 2, "class number"),
        ("file,label\na.png,1.0\n", 2, "class number"),
        ("file,label\na.png,cat\n", 2, "class number"),
        ("file,label\na.png,\n", 2, "class number"),
        ("file,label\na.png,٣\n", 2, "class number"),
        ("file,label\na.png,9999999999\n", 2, "class number"),
        ("file,label\na.png,10\n", 2, "no such class"),
        ("file,label\na.png,1\nnone.png,2\n", 3, "doesn't exist"),
        ("file,label\nsub,1\n", 2, "doesn't exist"),
        ("file,label\na.png,1\n\na.png,1\n", 4, "listed twice"),
        ("file,label\na.png,1\n./a.png,2\n", 3, "listed twice"),
        ("file,label\n,1\n", 2, "name of an image"),
        ("file,label\n../images/a.png,1\n", 2, "name of an image"),
        ("file,label\n/etc/passwd,1\n", 2, "name of an image"),
        ("file,label\na\0.png,1\n", 2, "name of an image"),
        (b"file,label\na.png,1\n\xff.png,2\n", 3, "UTF-8"),
        ("file,label\n" + "a" * 300 + ".png,1\n", 2, "doesn't exist"),
        ("file,label\n" + "a" * 200_000 + ",1\n", 2, "malformed"),
    ],
)
def test_bad_lines_are_named(read, data, line, message):
    with pytest.raises(InputFileError, match=message) as caught:
        read(data, classes=10)
    assert caught.value.where.endswith(f"labels.csv, line {line}")
    assert caught.value.expected
    assert caught.value.found
    assert caught.value.hint


def test_a_duplicate_names_the_first_line_too(read):
    with pytest.raises(InputFileError, match="line 2 already"):
        read("file,label\na.png,1\na.png,1\n")


def test_missing_csv(tmp_path):
    with pytest.raises(InputFileError, match="no such file"):
        read_labels(tmp_path / "none.csv", tmp_path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_give_labels_or_our_error(read, data):
    for prefix in (b"", b"file,label\n", b"file,label\na.png,"):
        try:
            assert read(prefix + data)
        except InputFileError as error:
            assert "labels.csv" in error.where


def names_of(tmp_path, text: str | bytes, classes: int | None = None) -> list[str]:
    path = tmp_path / "names.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_class_names(path, classes)


def test_class_names(tmp_path):
    synsets = "n01440764 tench, Tinca tinca\nn01443537\tgoldfish\n"
    assert names_of(tmp_path, synsets, 2) == ["tench, Tinca tinca", "goldfish"]
    assert names_of(tmp_path, "crane\r\nnightingale 2\r\ncrane") == ["crane", "nightingale 2", "crane"]
    assert names_of(tmp_path, "n01440764\nn0144 x") == ["n01440764", "n0144 x"]


@pytest.mark.parametrize(
    ("text", "classes", "message"),
    [
        ("", None, "number of class names"),
        ("\n\n", None, "number of class names"),
        ("a\nb\n", 3, "number of class names"),
        ("a\n\nb\n", None, "line 2"),
        ("a\nb\0\n", None, "line 2"),
        (b"a\nb\n\xe9\n", None, "line 3"),
    ],
)
def test_bad_class_names(tmp_path, text, classes, message):
    with pytest.raises(InputFileError, match=message):
        names_of(tmp_path, text, classes)
