"""Reading and writing whole files: bounded reads, and writes that never leave half a file behind."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from intvit.errors import InputFileError, OutputFileError, ResourceLimitError

_HINTS = {
    errno.ENOENT: "create the folder first, or check the spelling",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another place",
    errno.EACCES: "choose a place you may write to, or change its permissions",
    errno.EPERM: "choose a place you may write to, or change its permissions",
    errno.EROFS: "this file system is read-only; choose another place",
    errno.ENOSPC: "free some disk space, or choose another disk",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another disk",
    errno.EFBIG: "the file size limit of this process or file system is too low (see `ulimit -f`)",
    errno.EIO: "the disk reports an error; choose another disk",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "the path goes round in a circle of symbolic links; give the real path",
}
_UNSUPPORTED_SYNC = (errno.EINVAL, errno.ENOTSUP)


def read_bytes(path: str | Path, limit: int) -> bytes:
    """Read a whole regular file of at most `limit` bytes.

    Args:
        path: the file; symbolic links are followed.
        limit: the most bytes it may hold.

    Returns:
        The file's contents.

    Raises:
        InputFileError: the file is missing, unreadable, a folder, or not a regular file.
        ResourceLimitError: the file holds more than `limit` bytes.
    """
    with open_file(path, limit) as (file, _):
        data = file.read(limit + 1)
        if len(data) > limit:
            raise _too_large(path, limit, len(data))
        return data


@contextmanager
def open_file(path: str | Path, limit: int) -> Iterator[tuple[BufferedReader, int]]:
    """Open a regular file of at most `limit` bytes for reading; raises what `read_bytes` raises, as long as it is open.

    Returns:
        The file and its size.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InputFileError(
                "not a regular file", where=str(path), expected="a file", found=_kind(mode), hint="give a file's path"
            )
        file = path.open("rb")
    except FileNotFoundError:
        raise InputFileError("no such file", where=str(path), hint="check the spelling of the path") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    with file:
        try:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise _too_large(path, limit, size)
            yield file, size
        except OSError as error:
            raise _unreadable(path, error) from error


def write_atomically(path: str | Path, data: bytes) -> None:
    """Replace a file by `data` so that at any moment either the old or the whole new contents are there.

    The bytes go to a temporary file in the same folder, are flushed to disk, and take the place of the old file in
    one step. A new file gets the permissions that the process's umask gives; an old file's are kept.

    Args:
        path: the file to write.
        data: its new contents.

    Raises:
        OutputFileError: the file can't be written. The old file is untouched and the temporary one is removed.
    """
    path = Path(path)
    mode = _require_replaceable(path)
    try:
        temporary = _write_beside(path, data, mode)
        try:
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        raise _output_error(path, error) from error
    try:
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputFileError(
            "the new file is complete and in place, but the disk didn't confirm that a power cut can't undo this",
            where=str(path),
            found=_reason(error),
            hint="check the disk, then write the file again",
        ) from error


def check_writable(path: str | Path) -> None:
    """Make sure that `write_atomically` can create this file: call it before long work starts.

    Args:
        path: the file that will be written; it is left as it is.

    Raises:
        OutputFileError: the file couldn't be written.
    """
    path = Path(path)
    mode = _require_replaceable(path)
    try:
        _write_beside(path, b"", mode).unlink()
    except (OSError, ValueError) as error:
        raise _output_error(path, error) from error


def _require_replaceable(path: Path) -> int | None:
    """Return the permissions of the file at `path`, None if there is none; refuse what must not be replaced."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _output_error(path, error) from error
    if stat.S_ISLNK(mode):
        raise OutputFileError(
            "refusing to replace a symbolic link",
            where=str(path),
            expected="a new name or a regular file",
            found=f"a link to {path.readlink()}",
            hint="give the path it points to, or remove the link",
        )
    if not stat.S_ISREG(mode):
        raise OutputFileError(
            "refusing to replace something that is not a file",
            where=str(path),
            expected="a new name or a regular file",
            found=_kind(mode),
            hint="give the path of a file, such as model.onnx",
        )
    if not os.access(path, os.W_OK):
        raise OutputFileError(
            "the file is there and is read-only",
            where=str(path),
            expected="a file that may be overwritten",
            found=f"permissions {stat.filemode(mode)}",
            hint="make it writable, or choose another name",
        )
    return stat.S_IMODE(mode)


def _write_beside(path: Path, data: bytes, mode: int | None) -> Path:
    """Write `data`, flushed to disk, to a fresh temporary file in the folder of `path`; return its path."""
    temporary = path.parent / f".intvit-{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if mode is not None and os.name == "posix":
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED_SYNC:
            raise
    finally:
        os.close(descriptor)


def _output_error(path: Path, error: OSError | ValueError) -> OutputFileError:
    number = error.errno if isinstance(error, OSError) else None
    return OutputFileError(
        "can't write this file; nothing was changed",
        where=repr(str(path)),
        found=_reason(error),
        hint=_HINTS.get(number or 0, "choose another place"),
    )


def _unreadable(path: Path, error: OSError | ValueError) -> InputFileError:
    return InputFileError(
        "can't read this file", where=repr(str(path)), found=_reason(error), hint="check the path and its permissions"
    )


def _too_large(path: str | Path, limit: int, size: int) -> ResourceLimitError:
    return ResourceLimitError(
        "the file is too large",
        where=str(path),
        expected=f"at most {limit} bytes",
        found=f"{size} bytes",
        hint="check that this is the right file, or raise the limit",
    )


def _reason(error: OSError | ValueError) -> str:
    """Say what went wrong in the system's words, without the path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")
