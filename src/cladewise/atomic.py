"""Atomic file writes: a reader sees the old file or the whole new one, and errors say what to do."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from cladewise.errors import InputError

_ADVICE = {
    errno.ENOSPC: "Free some space on that disk, or choose another folder.",
    errno.EDQUOT: "Free some of your quota, or choose another folder.",
    errno.EFBIG: "Choose another disk, or raise the limit on file sizes.",
    errno.EIO: "Check that disk, or choose another folder.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a folder that you may write to.",
    errno.ENOTDIR: "Choose another name: part of this path is a file.",
    errno.EEXIST: "Choose another name: part of this path is a file.",
    errno.EISDIR: "Choose another name: there is a folder of this name.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}
_IN_MID_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors raised during a write, which some libraries wrap in an exception of their own."""

_MARK = "cladewise"
_TEMPORARY = re.compile(rf"\..*\.{_MARK}-([0-9a-f]{{8}})-(\d+)-[0-9a-f]{{8}}(\.[^.]*)?")
"""Names of temporary files, with the machine and the process that write them."""
_ABANDONED_AFTER = 24 * 3600.0
"""Seconds without a change after which a temporary file of another machine counts as abandoned."""


@contextmanager
def replacing(path: str | PathLike[str], *, durable: bool = True) -> Generator[Path, None, None]:
    """Yield a temporary path that is renamed to ``path`` when the block ends without an error.

    The temporary file is in the same folder, so a reader sees the old file or the whole new one. If anything fails it
    is removed and the old file stays. Missing parent folders are created. Temporary files left by killed processes are
    removed from the folder.

    Args:
        path: The file to create or replace.
        durable: Flush to disk before the rename, so that this holds after a power cut too. It takes milliseconds per
            file; switch it off for thousands of small files that can be recreated.

    Raises:
        InputError: The disk is full, the folder is not writable, or a similar error of the file system.

    Example:
        >>> path = getfixture("tmp_path") / "new" / "a.txt"
        >>> with replacing(path) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> path.read_text()
        'whole'
    """
    target = Path(path)
    with explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(os.fspath(target.parent))
        temporary = _create(target)
    try:
        with explaining(target, temporary):
            yield temporary
        with explaining(target, temporary):
            if durable:
                _flush(temporary)
            temporary.chmod(0o666 & ~_umask())  # temporary files are private, and the records of a run are not
            temporary.replace(target)
            if durable:
                _flush_folder(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # report the first error
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def making_folder(path: str | PathLike[str]) -> Generator[Path, None, None]:
    """Yield a temporary folder that is renamed to ``path`` when the block ends without an error.

    So a reader sees the whole folder or none. If anything fails it is removed. Temporary folders left by killed
    processes are removed when the next file or folder is made beside them.

    Raises:
        InputError: There is something at ``path``, the disk is full, or a similar error of the file system.

    Example:
        >>> path = getfixture("tmp_path") / "whole"
        >>> with making_folder(path) as temporary:
        ...     _ = (temporary / "a.txt").write_text("a")
        >>> [file.name for file in path.iterdir()]
        ['a.txt']
    """
    target = Path(path)
    with explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        temporary = _create(target)
        temporary.unlink()
        temporary.mkdir(mode=0o777 & ~_umask())
    try:
        yield temporary
        with explaining(target, temporary):
            if target.exists():
                raise InputError("a free folder", "one that is there", at=str(target))
            temporary.rename(target)
            _flush_folder(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def writing(path: str | PathLike[str]) -> Generator[BinaryIO, None, None]:
    """Open a binary file that becomes ``path`` when the block ends without an error; see :func:`replacing`.

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


def append_lines(path: str | PathLike[str], text: str) -> None:
    """Append lines to a UTF-8 text file, all of them or none.

    An unterminated last line, left by a process that was killed in mid-write, is dropped first.

    Args:
        path: The file; created if missing, with its parent folders.
        text: Lines, each with its line end.

    Raises:
        InputError: The disk is full, the file is not writable, or a similar error of the file system.

    Example:
        >>> path = getfixture("tmp_path") / "a.jsonl"
        >>> _ = path.write_text("1\\n2")
        >>> append_lines(path, "3\\n")
        >>> path.read_text()
        '1\\n3\\n'
    """
    target = Path(path)
    with explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a+b", buffering=0) as file:
            _drop_unfinished_line(file)
            size = file.seek(0, os.SEEK_END)
            content = text.encode()
            try:
                while content:  # one call, unless the write is partial
                    content = content[file.write(content) :]
            except OSError:
                file.truncate(size)
                raise


def is_being_written(path: str | PathLike[str]) -> bool:
    """Whether a running process is writing a file in a folder or below it, or is replacing a file of this name.

    Processes of other machines count while their temporary files are less than a day old.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> with writing(folder / "a.bin"):
        ...     is_being_written(folder), is_being_written(folder / "a.bin"), is_being_written(folder / "b.bin")
        (True, True, False)
    """
    target = Path(path)
    if target.is_dir():
        return any(_is_in_use(entry) for folder, _, _ in os.walk(target) for entry in _entries(folder))
    begins = f".{target.stem[:40]}.{_MARK}-"
    return any(entry.name.startswith(begins) and _is_in_use(entry) for entry in _entries(os.fspath(target.parent)))


@contextmanager
def explaining(target: Path, temporary: Path | None = None) -> Generator[None, None, None]:
    """Turn an error in writing a file into one line that says what to do; other errors pass through.

    Args:
        target: The file, as the user named it.
        temporary: The temporary file written in its place.

    Raises:
        InputError: The disk is full, the folder is not writable, or a similar error of the file system.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = _error_number(error, target if temporary is None else temporary)
        if number is None:
            raise
        raise InputError(
            "a place to write to", os.strerror(number).lower(), at=str(target), advice=_ADVICE[number]
        ) from error


def _error_number(error: Exception, written: Path) -> int | None:
    """The ``errno`` of a failed write, or None if the error is of another kind or concerns another file."""
    if isinstance(error, OSError) and error.errno is not None:
        # a write to an open file carries no name
        names = {os.fspath(place) for place in (written, *written.parents)}  # folders are created too
        ours = error.filename is None or os.fspath(error.filename) in names or error.errno in _IN_MID_WRITE
        return error.errno if ours and error.errno in _ADVICE else None
    context = error.__cause__ or error.__context__  # torch.save fails again while it closes the archive
    while context is not None:
        if isinstance(context, OSError) and context.errno in _IN_MID_WRITE:
            return context.errno
        context = context.__cause__ or context.__context__
    told = re.search(r"\(os error (\d+)\)", str(error))  # as Rust's libraries write it
    return int(told[1]) if told and int(told[1]) in _ADVICE else None


def _create(target: Path) -> Path:
    """Create an empty temporary file next to the target, with the writing process in its name."""
    # the suffix stays, since some writers choose the format by it
    start, ending = f".{target.stem[:40]}.{_MARK}-{_machine()}-{os.getpid()}", target.suffix
    while True:
        temporary = target.parent / f"{start}-{secrets.token_hex(4)}{ending}"
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600))
        except FileExistsError:
            continue
        return temporary


def sweep(folder: str | PathLike[str]) -> None:
    """Remove temporary files and folders left by killed processes.

    Writing in a folder does so too, but once per process: a job that is resumed in the same process calls this.

    Example:
        >>> sweep(getfixture("tmp_path"))
    """
    for entry in _entries(os.fspath(folder)):
        if _is_temporary(entry) and not _is_in_use(entry):
            with contextlib.suppress(OSError):  # another process was faster, or we lack permission
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)


@functools.lru_cache(maxsize=1024)
def _sweep_once(folder: str) -> None:
    sweep(folder)


def _is_temporary(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") and _TEMPORARY.fullmatch(entry.name) is not None


def _is_in_use(entry: os.DirEntry[str]) -> bool:
    """Whether a file is a temporary one of a running process, as far as that can be known of another machine."""
    named = _TEMPORARY.fullmatch(entry.name) if entry.name.startswith(".") else None
    if named is None:
        return False
    if named[1] == _machine():
        return _is_alive(int(named[2]))
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime <= _ABANDONED_AFTER
    except OSError:  # gone meanwhile
        return False


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits for this machine, or for a container with a process namespace of its own."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:
        processes = ""
    return hashlib.sha256(f"{socket.gethostname()} {processes}".encode()).hexdigest()[:8]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _drop_unfinished_line(file: FileIO) -> None:
    size = end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        file.truncate(end)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Flush the directory entry too, where the system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
