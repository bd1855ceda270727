"""Listing and checking the files of a folder, for all readers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from cladewise.datasets.dataset import Skipped
from cladewise.datasets.files.decoding import probe
from cladewise.datasets.files.other_files import counted
from cladewise.errors import InputError
from cladewise.progress import track
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.odd_names import names_of_tree, sight_problems
from cladewise.taxonomy.checks.problems import warn_of
from cladewise.taxonomy.formats.options import ReadOptions

_SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__pycache__"}


def existing_folder(path: str | PathLike[str], advice: str = "") -> Path:
    """The absolute path of a folder.

    Args:
        path: The folder.
        advice: Where to get it.

    Raises:
        InputError: There is no such folder.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise InputError("a folder of images", got, at=str(path), advice=advice)
    return folder


def walk(folder: Path) -> Iterator[str]:
    """Relative path of every file below a folder, with forward slashes, in a fixed order.

    Hidden files and folders (``.git``, ``.DS_Store``) and system folders (``__MACOSX``) are skipped. Links are
    followed, except into a folder that contains them.
    """
    yield from (path for path in walk_all(folder) if not path.endswith("/"))


def walk_all(folder: Path) -> Iterator[str]:
    """Like :func:`walk`, but also yields every folder, with a slash at its end, before its content."""
    yield from _walk(str(folder), "", frozenset())


def _walk(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    if prefix:
        yield prefix
    with os.scandir(folder) as entries:
        shown = (entry for entry in entries if not entry.name.startswith(".") and entry.name not in _SYSTEM_FOLDERS)
        found = sorted(shown, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{entry.name}/", above | {identity})
        else:
            yield prefix + entry.name


def usable(root: Path, paths: Iterable[str]) -> tuple[list[str], list[Skipped]]:
    """Separate paths that look like images from those that cannot be images, with the reason."""
    good: list[str] = []
    skipped: list[Skipped] = []
    for path in track(paths, "looking at the images"):
        try:
            path.encode()
        except UnicodeEncodeError:  # it could be opened, but not written to the run's records
            skipped.append(Skipped(os.fsencode(path).decode(errors="replace"), "a file name that is not UTF-8"))
            continue
        reason = probe(root / path)
        if reason is None:
            good.append(path)
        else:
            skipped.append(Skipped(path, reason))
    return good, skipped


def some_usable(images: list[str], skipped: list[Skipped], where: Path, notes: Sequence[str] = ()) -> None:
    """Check that there are usable images.

    Raises:
        InputError: There are none; the message gives the first file's reason.
    """
    if images:
        return
    got = f"{counted(len(skipped), 'file')}, none of them usable" if skipped else "; ".join(notes) or "no file"
    first = f"The first: {skipped[0].path} ({skipped[0].reason})." if skipped else ""
    raise InputError("a dataset with images", got, at=str(where), advice=first)


def tell_odd_names(taxonomy: Taxonomy, at: str) -> None:
    """Warn about names from folders or labels that look alike or contain invisible characters."""
    warn_of(sight_problems(names_of_tree(taxonomy)), at, checkable=False)


def given_taxonomy(
    given: Taxonomy | str | PathLike[str], options: Mapping[str, Any] | None = None
) -> tuple[Taxonomy, dict[str, Any]]:
    """A tree, read from its file if given as a path, and its entries for a dataset's ``source``.

    A tree without a file is recorded by its fingerprint, so that reopening the source without it fails instead of
    silently using another tree. A file is recorded with the options for reading it.
    """
    if isinstance(given, Taxonomy):
        return given, {"fingerprint": given.fingerprint}
    path = Path(given).expanduser().absolute()
    recorded = ReadOptions(**(options or {})).given()
    if "ids" in recorded and isinstance(recorded["ids"], str):
        recorded["ids"] = str(Path(recorded["ids"]).expanduser().absolute())
    tree = Taxonomy.read(path, **recorded)
    return tree, {"taxonomy": str(path), **({"taxonomy_options": recorded} if recorded else {})}
