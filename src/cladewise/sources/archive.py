"""Members of tar archives in order, with an error where an archive is cut or damaged."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from cladewise.sources.places import suffix

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_SYSTEM = "__MACOSX"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Attributes:
        name: Its path without ``./``; empty for the archive as a whole.
        content: Its bytes, if they were asked for.
        problem: Why there are none, although they were asked for.
    """

    name: str
    content: bytes | None = None
    problem: str | None = None


def members(place: str, file: BinaryIO, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The files of an archive in order; folders and hidden files are skipped.

    An archive ends with a block of zeros. Where it does not, or is damaged, the last member is a problem without a
    name: Python's own reader ends there without an error.

    Args:
        place: Path or URI; its suffix says whether it is compressed.
        file: The archive.
        wanted: Whether the bytes of the member with a name are needed.

    Example:
        >>> import io
        >>> content = io.BytesIO()
        >>> with tarfile.open(fileobj=content, mode="w") as tar:
        ...     tar.addfile(tarfile.TarInfo("./a.jpg"))
        >>> cut = io.BytesIO(content.getvalue()[:512])
        >>> [(each.name, each.problem) for each in members("a.tar", cut, lambda name: False)]
        [('a.jpg', None), ('', 'an archive that ends too early, after a.jpg')]
    """
    unpacked: Any = gzip.GzipFile(fileobj=file) if suffix(place).endswith(("gz", "tgz")) else file
    watched, last = _Watched(unpacked), "nothing"
    try:
        with tarfile.open(fileobj=watched, mode="r:") as tar:  # type: ignore[arg-type]
            while (info := tar.next()) is not None:
                tar.members.clear()  # or they would all be kept
                last = str(PurePosixPath(info.name))
                if info.isdir() or is_hidden(last):
                    continue
                if not info.isreg():
                    kind = f"a link to {info.linkname} in the archive" if info.islnk() or info.issym() else "no file"
                    yield Member(last, problem=kind)
                elif wanted(last):
                    content = tar.extractfile(info)
                    yield Member(last, b"" if content is None else content.read())
                else:
                    yield Member(last)
            problem = _ending(watched, last)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut = isinstance(error, EOFError) or "unexpected end" in str(error) or len(watched.last) < _BLOCK
        problem = f"an archive that ends too early, after {last}" if cut else _damaged(last, str(error))
    if problem:
        yield Member("", problem=problem)


def is_hidden(name: str) -> bool:
    """Whether a file or one of its folders is hidden, or belongs to a system.

    Example:
        >>> is_hidden("a/._b.jpg"), is_hidden("../a.jpg")
        (True, False)
    """
    return any((part.startswith(".") and part not in (".", "..")) or part == _SYSTEM for part in name.split("/"))


class _Watched:
    """A file that remembers what was read last, which for an archive that ended is its last header."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.last = file, b""

    def read(self, size: int = -1) -> bytes:
        self.last = self._file.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _ending(watched: _Watched, last: str) -> str | None:
    """Why an archive that gave no further member did not end as archives do; none if it did."""
    if watched.last == _ZEROS:
        while rest := watched.read(1 << 20):
            if rest.count(0) < len(rest):
                return f"further content behind the end of the archive, after {last} (archives joined by cat?)"
        return None
    if len(watched.last) < _BLOCK:
        return f"an archive that ends too early, after {last}"
    return _damaged(last, "invalid header")


def _damaged(last: str, detail: str) -> str:
    return f"a damaged archive, after {last} ({detail})"
