"""Files of a published dataset's official layout, with messages that say what is missing and where to get it."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

from cladewise.datasets.files.walking import existing_folder
from cladewise.errors import InputError

_FEW = 100
"""Entries of a folder among which a single subfolder is looked for, since folders of images have many."""
_WRAPPERS = 2
"""Folders that hold nothing but the next one, as archives unpacked into a folder of their name leave them."""

Needed = Sequence[str | tuple[str, ...]]
"""Files or folders of a layout by their relative paths; alternatives in a tuple."""


def official_folder(given: Path, needed: Needed, inner: Sequence[str] = ()) -> Path | None:
    """The folder with a layout's files: the given one, one of the inner ones, or the same in its only subfolder.

    Args:
        given: The folder.
        needed: The files and folders of the layout.
        inner: Folders of the archive in which the files may be.

    Returns:
        The first folder with all of them, else the first of those with most, else None.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "birds" / "CUB_200_2011").mkdir(parents=True)
        >>> (folder / "birds" / "CUB_200_2011" / "classes.txt").touch()
        >>> official_folder(folder, ["classes.txt", "images.txt"], ["CUB_200_2011"]).relative_to(folder).as_posix()
        'birds/CUB_200_2011'
    """
    best, most = None, 0
    for place in _places(given, inner):
        found = _num_there(place, needed)
        if found > most:
            best, most = place, found
        if most == len(needed):
            break
    return best


def _places(given: Path, inner: Sequence[str]) -> Iterator[Path]:
    place: Path | None = given
    for _ in range(_WRAPPERS + 1):
        if place is None:
            return
        yield place
        yield from (place / name for name in inner)
        place = _only_subfolder(place)


def _only_subfolder(folder: Path) -> Path | None:
    """The only visible subfolder of a folder with few entries, else None."""
    try:
        with os.scandir(folder) as entries:
            first = list(itertools.islice(entries, _FEW))
            folders = [one.name for one in first if one.is_dir() and not one.name.startswith((".", "__MACOSX"))]
    except OSError:
        return None
    return folder / folders[0] if len(folders) == 1 and len(first) < _FEW else None


def is_complete(folder: Path, needed: Needed) -> bool:
    """Whether a folder has all files and folders of a layout."""
    return _num_there(folder, needed) == len(needed)


def _num_there(place: Path, needed: Needed) -> int:
    options = ((one,) if isinstance(one, str) else one for one in needed)
    return sum(any((place / name).exists() for name in names) for names in options)


@dataclasses.dataclass(frozen=True)
class OfficialFiles:
    """The folder with a published dataset's files.

    Args:
        root: The folder.
        title: Name of the dataset in messages.
        advice: Where to get the files.
    """

    root: Path
    title: str
    advice: str

    @classmethod
    def at(
        cls, path: str | PathLike[str], title: str, advice: str, needed: Needed = (), inner: Sequence[str] = ()
    ) -> OfficialFiles:
        """The files in a folder or below it (:func:`official_folder`), or all in the folder above it.

        Args:
            path: The folder, one above it, or one in it.
            title: Name of the dataset in messages.
            advice: Where to get the files.
            needed: The files and folders of the layout.
            inner: Folders of the archive in which the files may be.

        Raises:
            InputError: There is no such folder.
        """
        given = existing_folder(path, advice)
        found = official_folder(given, needed, inner)
        if found is None and needed and is_complete(given.parent, needed):
            found = given.parent
        return cls(found or given, title, advice)

    def file(self, *names: str) -> Path:
        """The first of some files that exists, by its path relative to the folder.

        Raises:
            InputError: None of them exists.
        """
        return self._first(names, "file", [self.root / name for name in names if (self.root / name).is_file()])

    def folder(self, *names: str) -> Path:
        """The first of some folders that exists.

        Raises:
            InputError: None of them exists.
        """
        return self._first(names, "folder", [self.root / name for name in names if (self.root / name).is_dir()])

    def lines(self, *names: str) -> list[str]:
        """Lines of a text file, without blank ones and without blanks around them.

        Raises:
            InputError: The file does not exist or is not UTF-8 text.
        """
        file = self.file(*names)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError("UTF-8 text", f"{error.reason} at byte {error.start}", at=str(file)) from None
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _first(self, names: tuple[str, ...], what: str, found: list[Path]) -> Path:
        if not found:
            raise InputError(
                f"the {what} {' or '.join(names)} of {self.title}", "none", at=str(self.root), advice=self.advice
            )
        return found[0]
