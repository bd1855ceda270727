"""Files of the repository fiveai/making-better-mistakes: split lists and trees.

| file | content |
|---|---|
| ``dataset_splits/splits_<name>.zip`` | ``<folder>/<split>/<class>.txt``, the name of an image per line |
| ``data/<name>_isa.txt`` | a parent and a child per line, separated by a blank |
| ``data/<name>_ilsvrc_distances.txt.xz`` | distances; see :func:`cladewise.losses.distances.read_distances` |
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path, PurePosixPath

import polars as pl

from cladewise.errors import InputError

SPLITS = ("train", "val", "test")
REPOSITORY = "https://github.com/fiveai/making-better-mistakes"


def find(path: str | PathLike[str], names: tuple[str, ...]) -> Path:
    """A file or folder of the repository, given itself or below a given folder by one of its names.

    Args:
        path: The file, its folder, or a clone of the repository.
        names: Names relative to the clone, the most likely first.

    Raises:
        InputError: There is none.
    """
    place = Path(path).expanduser().absolute()
    bare = {PurePosixPath(name).name for name in names}
    if place.is_file() or (place.is_dir() and place.name in bare):
        return place
    tried = [place / name for name in names] + [place / PurePosixPath(name).name for name in names]
    found = next((each for each in tried if each.exists()), None)
    if found is None:
        advice = f"It is in {REPOSITORY}; pass the clone or the file."
        got = "none" if place.exists() else "no such folder"
        raise InputError(f"the file {names[0]}", got, at=str(path), advice=advice)
    return found


def read_splits(place: Path) -> pl.DataFrame:
    """Columns ``split``, ``class`` and ``file`` of a zip of split lists or its unpacked folder, sorted by file name.

    Raises:
        InputError: The zip is damaged, or there are no lists.
    """
    rows: dict[str, list[str]] = {"split": [], "class": [], "file": []}
    for name, text in _texts(place):
        *_, split, file = PurePosixPath("/", name).parts
        images = [line.strip() for line in text.splitlines() if line.strip()]
        rows["split"] += [split] * len(images)
        rows["class"] += [PurePosixPath(file).stem] * len(images)
        rows["file"] += images
    if not rows["file"]:
        expected = f"lists of images {', '.join(SPLITS)}/<class>.txt"
        raise InputError(expected, "none", at=str(place), advice=f"They are in {REPOSITORY}, folder dataset_splits.")
    return pl.DataFrame(rows)


def _texts(place: Path) -> Iterator[tuple[str, str]]:
    """Path and text of every list."""
    if place.is_dir():
        files = sorted(file for split in SPLITS for file in place.glob(f"**/{split}/*.txt"))
        yield from ((file.relative_to(place.parent).as_posix(), file.read_text(encoding="utf-8")) for file in files)
        return
    try:
        with zipfile.ZipFile(place) as archive:
            for name in sorted(archive.namelist()):
                parts = PurePosixPath(name).parts
                if name.endswith(".txt") and len(parts) > 1 and parts[-2] in SPLITS and "__MACOSX" not in parts:
                    yield name, archive.read(name).decode("utf-8")
    except zipfile.BadZipFile as error:
        raise InputError("a zip of split lists", f"an error: {error}", at=str(place)) from error
