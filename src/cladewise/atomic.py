"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from cladewise.errors import InputError

_ADVICE = {
    errno.ENOSPC: "Free some space on that disk, or choose another folder.",
    errno.EDQUOT: "Free some of your quota, or choose another folder.",
    errno.EFBIG: "Choose another disk, or raise the limit on file sizes.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a folder that you may write to.",
    errno.ENOTDIR: "Choose another name: part of this path is a file.",
    errno.EEXIST: "Choose another name: part of this path is a file.",
    errno.EISDIR: "Choose another name: there is a folder of this name.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


@contextmanager
def replacing(path: str | PathLike[str], *, durable: bool = True) -> Generator[Path, None, None]:
    """Give a temporary path whose file takes the name ``path`` when the block ends, if it ends without an error.

    The file lies in the same folder and is renamed at the end, so that a reader sees the old file or the whole new
    one. When anything fails it is removed and the old file stays. Missing parent folders are made.

    Args:
        path: The file to make or replace.
        durable: Flush to disk before the rename, so that this holds after a power cut too. It takes milliseconds: do
            without for thousands of small files that can be made again.

    Raises:
        InputError: The disk is full, the folder may not be written to, or the like.

    Example:
        >>> path = getfixture("tmp_path") / "new" / "a.txt"
        >>> with replacing(path) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> path.read_text()
        'whole'
    """
    target = Path(path)
    with _explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        # the ending stays, since some writers choose the format by it
        handle, name = tempfile.mkstemp(prefix=f".{target.stem[:40]}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with _explaining(target, temporary):
            yield temporary
        with _explaining(target, temporary):
            if durable:
                _flush(temporary)
            temporary.chmod(0o666 & ~_umask())  # temporary files are private, and the records of a run are not
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: str | PathLike[str]) -> Generator[BinaryIO, None, None]:
    """Open a binary file that appears as ``path`` when the block ends without an error; see :func:`replacing`.

    Example:
        >>> path = getfixture("tmp_path") / "a.bin"
        >>> with writing(path) as file:
        ...     _ = file.write(b"whole")
        >>> path.read_bytes()
        b'whole'
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        yield file


def write_bytes(path: str | PathLike[str], content: bytes, *, durable: bool = True) -> None:
    """Write a whole file; see :func:`replacing`.

    Example:
        >>> write_bytes(getfixture("tmp_path") / "a.bin", b"whole")
    """
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write a whole UTF-8 text file; see :func:`replacing`.

    Example:
        >>> write_text(getfixture("tmp_path") / "a.txt", "whole")
    """
    write_bytes(path, text.encode())


@contextmanager
def _explaining(target: Path, temporary: Path | None = None) -> Generator[None, None, None]:
    """Turn an error in writing this file to one that says what to do; others, of the caller's block, pass."""
    try:
        yield
    except OSError as error:
        # a write to an open file carries no name
        ours = temporary is None or error.filename is None or os.fspath(error.filename) == str(temporary)
        if not ours or error.errno not in _ADVICE:
            raise
        reason = os.strerror(error.errno).lower()
        raise InputError("a place to write to", reason, at=str(target), advice=_ADVICE[error.errno]) from error


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
