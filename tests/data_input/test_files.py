import errno
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intvit.errors import InputFileError, OutputFileError, ResourceLimitError
from intvit.files import check_writable, read_bytes, write_atomically

WRITERS = [lambda path: write_atomically(path, b"new"), check_writable]


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    return path


def assert_untouched(path) -> None:
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=5000))
def test_what_is_written_is_read(tmp_path, data):
    path = tmp_path / "file"
    write_atomically(path, data)
    assert read_bytes(str(path), len(data)) == data
    assert os.listdir(tmp_path) == ["file"]


def test_permissions_follow_the_umask_or_the_old_file(tmp_path):
    path = tmp_path / "file"
    old = os.umask(0o027)
    try:
        write_atomically(path, b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        write_atomically(path, b"2")
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(old)


def test_short_writes_are_continued(target, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    write_atomically(target, b"0123456789")
    assert target.read_bytes() == b"0123456789"


def test_order_is_file_sync_then_replace_then_folder_sync(target, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def record_replace(*args, **kwargs):
        calls.append("replace")
        replace(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    write_atomically(target, b"new")
    assert calls == ["file", "replace", "folder"]


@pytest.mark.parametrize("call", ["open", "write", "fchmod", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_each_failing_call_leaves_the_old_file(target, monkeypatch, call, number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OutputFileError, match="nothing was changed") as caught:
            write_atomically(target, b"new")
    assert caught.value.found == os.strerror(number)
    assert caught.value.hint
    assert_untouched(target)


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_an_interrupt_leaves_the_old_file(target, monkeypatch, call):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, call, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(target, b"new")
    assert_untouched(target)


@pytest.mark.parametrize(("number", "refused"), [(errno.EIO, True), (errno.EINVAL, False), (errno.ENOTSUP, False)])
def test_folder_sync_failure_says_that_the_file_is_in_place(target, monkeypatch, number, refused):
    real = os.fsync

    def fail_on_folder(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail_on_folder)
    if refused:
        with pytest.raises(OutputFileError, match="complete and in place"):
            write_atomically(target, b"new")
    else:
        write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert os.listdir(target.parent) == [target.name]


def test_a_write_cut_short_by_the_system_leaves_the_old_file(target):
    code = (
        "import resource, sys\n"
        "from intvit.errors import OutputFileError\n"
        "from intvit.files import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try:\n"
        "    write_atomically(sys.argv[1], bytes(1 << 20))\n"
        "except OutputFileError as error:\n"
        "    print(error)\n"
    )
    flags = [sys.executable, "-B", "-c", code, str(target)]
    done = subprocess.run(flags, capture_output=True, text=True, check=True)
    assert "ulimit -f" in done.stdout
    assert_untouched(target)


def test_a_killed_writer_leaves_a_whole_file(target):
    code = (
        "import sys\n"
        "from intvit.files import write_atomically\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for byte in (b'a', b'b'):\n"
        "        write_atomically(sys.argv[1], byte * 300_000)\n"
    )
    for attempt in range(5):
        writer = subprocess.Popen([sys.executable, "-B", "-c", code, str(target)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(0.02 + 0.013 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert target.read_bytes() in (b"old", b"a" * 300_000, b"b" * 300_000)


@pytest.mark.parametrize("write", WRITERS)
def test_places_that_can_not_be_written(tmp_path, target, write):
    link = tmp_path / "link"
    link.symlink_to(target)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "none")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    cases = {
        tmp_path / "none" / "x": "create the folder first",
        target / "x": "a part of the path is a file",
        tmp_path: "give the path of a file",
        link: "give the path it points to",
        dangling: "give the path it points to",
        pipe: "give the path of a file",
        "/dev/null": "give the path of a file",
        tmp_path / ("x" * 300): "shorter name",
        "a\0b": "choose another place",
    }
    before = sorted(os.listdir(tmp_path))
    for path, hint in cases.items():
        with pytest.raises(OutputFileError) as caught:
            write(path)
        assert hint in caught.value.hint, path
    assert sorted(os.listdir(tmp_path)) == before
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("write", WRITERS)
def test_a_read_only_file_is_refused(target, write, monkeypatch):
    target.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputFileError, match="read-only") as caught:
        write(target)
    assert caught.value.found == "permissions -r--r--r--"
    assert_untouched(target)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("write", WRITERS)
def test_a_folder_without_permission_is_refused(tmp_path, write):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputFileError, match="Permission denied"):
        write(folder / "x")


def test_check_writable_changes_nothing(target, tmp_path):
    check_writable(target)
    assert_untouched(target)
    check_writable(tmp_path / "new")
    assert_untouched(target)


def test_read_bytes_refuses(tmp_path, target):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, message in (
        (tmp_path, "a folder"),
        (pipe, "a pipe"),
        ("/dev/zero", "a device"),
        (tmp_path / "x", "no such"),
    ):
        with pytest.raises(InputFileError, match=message):
            read_bytes(path, 10)
    for path in (target / "x", "a\0b", "x" * 5000):
        with pytest.raises(InputFileError, match="can't read"):
            read_bytes(path, 10)
    assert read_bytes(target, 3) == b"old"
    with pytest.raises(ResourceLimitError, match="3 bytes"):
        read_bytes(target, 2)
