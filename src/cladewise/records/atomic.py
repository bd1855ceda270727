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
def writing(path: str | PathLike[str]) -> Generator[BinaryIO, None, None]:
    """Open a file that takes the name ``path`` when the block ends, and only if it ends without an error.

    It is written under a temporary name in the same folder, flushed to disk and renamed, so that a reader sees the
    old file or the whole new one, even after a power cut. When anything fails the temporary file is removed and the
    old file stays. Missing parent folders are made.

    Raises:
        InputError: The disk is full, the folder may not be written to, or the like.

    Example:
        >>> path = getfixture("tmp_path") / "new" / "a.txt"
        >>> with writing(path) as file:
        ...     _ = file.write(b"whole")
        >>> path.read_text()
        'whole'
    """
    target = Path(path)
    with _explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}-", suffix=".part", dir=target.parent)
    try:
        with _explaining(target, temporary), os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
        with _explaining(target, temporary):
            os.chmod(temporary, 0o666 & ~_umask())  # temporary files are private, and the records of a run are not
            os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _explaining(target: Path, temporary: str | None = None) -> Generator[None, None, None]:
    """Turn an error in writing this file to one that says what to do; others, of the caller's block, pass."""
    try:
        yield
    except OSError as error:
        # a write to an open file carries no name
        ours = temporary is None or error.filename in (None, temporary)
        if not ours or error.errno not in _ADVICE:
            raise
        reason = os.strerror(error.errno).lower()
        raise InputError("a place to write to", reason, at=str(target), advice=_ADVICE[error.errno]) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
