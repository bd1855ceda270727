"""What the readers share: walking a folder, checking its files, and the names of splits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from cladewise.datasets.dataset import Skipped
from cladewise.datasets.images import probe
from cladewise.errors import InputError
from cladewise.progress import track
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.options import ReadOptions

_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_name(name: str) -> str | None:
    """The split that a folder's or a column's text names, under its one name here; None if it names none.

    Example:
        >>> split_name("Validation"), split_name("tiger")
        ('val', None)
    """
    return _SPLIT_NAMES.get(name.lower())


def existing_folder(path: str | PathLike[str]) -> Path:
    """The absolute path of a folder.

    Raises:
        InputError: There is no such folder.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise InputError("a folder of images", "a file" if folder.exists() else "no such folder", at=str(path))
    return folder


def walk(folder: Path) -> Iterator[str]:
    """Relative path of every file below a folder, with forward slashes, in a fixed order.

    Hidden files and folders (``.git``, ``.DS_Store``) are left out. Links are followed, but never into a folder that
    is being walked.
    """
    yield from _walk(str(folder), "", frozenset())


def _walk(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    with os.scandir(folder) as entries:
        found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{entry.name}/", above | {identity})
        else:
            yield prefix + entry.name


def usable(root: Path, paths: Iterable[str]) -> tuple[list[str], list[Skipped]]:
    """Part the paths that look like images from those that cannot be, with the reason."""
    good: list[str] = []
    skipped: list[Skipped] = []
    for path in track(paths, "looking at the images"):
        try:
            path.encode()
        except UnicodeEncodeError:  # it could be opened, but not written to any record of the run
            skipped.append(Skipped(os.fsencode(path).decode(errors="replace"), "a file name that is not UTF-8"))
            continue
        reason = probe(root / path)
        if reason is None:
            good.append(path)
        else:
            skipped.append(Skipped(path, reason))
    return good, skipped


def some_usable(images: list[str], skipped: list[Skipped], where: Path) -> None:
    """Raise an error if no image is left.

    Raises:
        InputError: There is none; the text gives the first file's reason.
    """
    if images:
        return
    got = f"{len(skipped)} files, none of them usable" if skipped else "no file"
    first = f"The first, {skipped[0].path}, is {skipped[0].reason}." if skipped else ""
    raise InputError("a data set with images", got, at=str(where), advice=first)


def as_taxonomy(
    given: Taxonomy | str | PathLike[str], options: Mapping[str, Any] | None = None
) -> tuple[Taxonomy, dict[str, Any]]:
    """A tree, read from a file if it is a path, and the entries of a data set's ``source`` for it.

    A tree that has no file is recorded by its fingerprint, so that opening the source again without it fails instead
    of quietly using another tree. The options of reading a file are recorded with its path.
    """
    if isinstance(given, Taxonomy):
        return given, {"fingerprint": given.fingerprint}
    path = Path(given).expanduser().absolute()
    recorded = ReadOptions(**(options or {})).given()
    if "ids" in recorded and isinstance(recorded["ids"], str):
        recorded["ids"] = str(Path(recorded["ids"]).expanduser().absolute())
    tree = Taxonomy.read(path, **recorded)
    return tree, {"taxonomy": str(path), **({"taxonomy_options": recorded} if recorded else {})}
