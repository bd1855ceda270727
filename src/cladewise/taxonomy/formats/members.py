"""Files of a folder, a zip archive or a tar archive, read in the same way.

Checklists and exports are published as archives and used unpacked, so formats made of several files read both.
"""

from __future__ import annotations

import fnmatch
import functools
import itertools
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import GIBIBYTE
from cladewise.taxonomy.formats.file_kinds import first_bytes

MAX_BYTES = 16 * GIBIBYTE
"""Most bytes that one member may have when it is unpacked."""
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
TAR_MAGIC = slice(257, 262)
_CHUNK = 2**22
_FOLDERS, _FILES = 100, 1000
"""Most subfolders, and files in each, that are listed: a folder of images may have millions."""
_Opener = Callable[[str], IO[bytes]]


class Members(Protocol):
    """Files of a folder or an archive, by their path in it with forward slashes.

    Attributes:
        path: The folder or archive.
        names: Paths of the files, without a top folder that contains all of them.
    """

    path: Path
    names: list[str]

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading its bytes in order."""
        ...

    @contextmanager
    def file(self, name: str) -> Generator[Path]:
        """A file on disk with the content of a member; for an archive, an unpacked copy that is removed afterwards."""
        ...


@contextmanager
def members_of(path: Path) -> Generator[Members]:
    """The files of a folder, a zip archive or a tar archive, packed with gzip, bzip2 or xz or not.

    Raises:
        InputError: The path is neither, or the archive is damaged, encrypted or larger than the limit.

    Example:
        >>> folder = getfixture("tmp_path") / "export"
        >>> (folder / "data").mkdir(parents=True)
        >>> _ = (folder / "data" / "taxon.tsv").write_text("id\\n1\\n")
        >>> with members_of(folder) as members:
        ...     print(members.names, members.open("taxon.tsv").read())
        ['taxon.tsv'] b'id\\n1\\n'
    """
    if path.is_dir():
        yield _Folder(path)
        return
    damaged = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)
    try:
        if first_bytes(path, len(ZIP)) == ZIP:
            with zipfile.ZipFile(path) as archive:
                names = {name: name for name in archive.namelist() if not name.endswith("/")}
                yield _Archive(path, names, archive.open)
        elif is_archive(path):
            status = path.stat()
            found = _entries(path, status.st_size, status.st_mtime_ns)
            with tarfile.open(path) as archive:

                def opened(name: str) -> IO[bytes]:
                    stream = archive.extractfile(found[name])
                    assert stream is not None  # only regular files are listed
                    return stream

                yield _Archive(path, {name: name for name in found}, opened)
        else:
            raise InputError("a folder, a zip archive or a tar archive", "another file", at=str(path))
    except damaged as error:
        raise InputError("a whole archive without a password", f"an error: {error}", at=str(path)) from error


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive by its first bytes, or a compressed tar archive by its name as well.

    Example:
        >>> path = getfixture("tmp_path") / "classes.csv"
        >>> _ = path.write_text("group,kind")
        >>> is_archive(path)
        False
    """
    start = first_bytes(path, 512)
    packed = start.startswith((GZIP, b"BZh", b"\xfd7zXZ"))
    tarred = ".tar" in path.name or path.suffix.lower() in (".tgz", ".tbz2", ".txz")
    return start.startswith(ZIP) or start[TAR_MAGIC] == b"ustar" or (packed and tarred)


def matching(names: Sequence[str], patterns: Sequence[str]) -> list[str] | None:
    """The first name that matches each pattern, ignoring case; None if a pattern has none.

    Example:
        >>> matching(["meta.xml", "Taxon.tsv"], ["meta.xml", "taxon.*"])
        ['meta.xml', 'Taxon.tsv']
        >>> matching(["meta.xml"], ["nodes.dmp"]) is None
        True
    """
    found: list[str] = []
    for pattern in patterns:
        name = next((name for name in names if fnmatch.fnmatchcase(name.lower(), pattern.lower())), None)
        if name is None:
            return None
        found.append(name)
    return found


@functools.lru_cache(maxsize=4)
def _entries(path: Path, _size: int, _changed: int) -> dict[str, tarfile.TarInfo]:
    """The files of a tar archive, kept in memory, since listing a packed one means unpacking it."""
    with tarfile.open(path) as archive:
        return {entry.name: entry for entry in archive if entry.isfile()}


def _top(names: Sequence[str]) -> str:
    """The folder that contains all files, with a slash at the end; empty if there is none."""
    heads = {name.split("/", 1)[0] if "/" in name else "" for name in names}
    return f"{next(iter(heads))}/" if len(heads) == 1 and "" not in heads else ""


def _shown(name: str) -> bool:
    """Whether a file is content, not hidden and not made by macOS's archiver."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") or part == "__MACOSX" for part in parts)


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        with os.scandir(path) as entries:
            found_here = [(entry.name, entry.is_dir()) for entry in entries]
        here = [name for name, is_folder in found_here if not is_folder]
        folders = [path / name for name, is_folder in found_here if is_folder and not name.startswith(".")]
        found = here
        if len(folders) == 1 or here:  # a folder that has class folders alone is no export
            for folder in folders[:_FOLDERS]:
                inside = itertools.islice(folder.iterdir(), _FILES)
                found += [f"{folder.name}/{file.name}" for file in inside if file.is_file()]
        found = sorted(filter(_shown, found))
        self._top = _top(found)
        self.names = [name.removeprefix(self._top) for name in found]

    def open(self, name: str) -> IO[bytes]:
        return (self.path / self._top / name).open("rb")

    @contextmanager
    def file(self, name: str) -> Generator[Path]:
        yield self.path / self._top / name


class _Archive:
    def __init__(self, path: Path, names: dict[str, str], opener: _Opener) -> None:
        self.path = path
        shown = sorted(filter(_shown, names))
        self._top = _top(shown)
        self._opener = opener
        self.names = [name.removeprefix(self._top) for name in shown]

    def open(self, name: str) -> IO[bytes]:
        return self._opener(self._top + name)

    @contextmanager
    def file(self, name: str) -> Generator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="cladewise-"))
        try:
            place = folder / PurePosixPath(name).name
            with self.open(name) as stream, place.open("wb") as file:
                _copy(stream, file, f"{self.path}, {name}")
            yield place
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(stream: IO[bytes], file: IO[bytes], source: str) -> None:
    size = 0
    while piece := stream.read(_CHUNK):
        size += len(piece)
        if size > MAX_BYTES:
            raise InputError(f"at most {MAX_BYTES // GIBIBYTE} GiB to unpack", "more", at=source)
        file.write(piece)
