"""Files found by listing each folder once instead of looking up each file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

_PLACE, _ROW, _PATH = "place", "row", "path"


def missing_files(root: Path, paths: pl.Series) -> NDArray[np.int64]:
    """Ascending positions of the paths that are not files.

    Each folder is listed once: 2.7 million images in 10,000 folders take seconds. The files are not opened, so one that
    is not an image is only noticed when it is decoded.

    Args:
        root: Folder that the paths are relative to.
        paths: Paths with forward slashes.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "a").mkdir()
        >>> (folder / "a" / "1.png").touch()
        >>> missing_files(folder, pl.Series(["a/1.png", "a/2.png", "b/1.png"])).tolist()
        [1, 2]
    """
    if not len(paths):
        return np.zeros(0, dtype=np.int64)
    rows = paths.alias(_PATH).to_frame().with_row_index(_ROW)
    rows = rows.with_columns(pl.col(_PATH).str.replace(r"/?[^/]*$", "").alias(_PLACE))
    lost: list[pl.Series] = []
    for (place,), part in rows.group_by(_PLACE, maintain_order=True):
        prefix = f"{place}/" if place else ""
        there = [prefix + name for name in _files(root / str(place))]
        lost.append(part.filter(~pl.col(_PATH).is_in(pl.Series(there, dtype=pl.String).implode()))[_ROW])
    return np.sort(pl.concat(lost).to_numpy().astype(np.int64))


def files_in(folder: Path) -> list[str]:
    """Names of the files in a folder, sorted, without hidden ones.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / ".DS_Store").touch()
        >>> (folder / "1.png").touch()
        >>> files_in(folder)
        ['1.png']
    """
    return sorted(name for name in _files(folder) if not name.startswith("."))


def files_by_class(root: Path, folder: Path, classes: Iterable[str]) -> pl.DataFrame:
    """Columns ``class`` and ``path`` of the files in the folders of some classes.

    Args:
        root: Folder that the paths are relative to.
        folder: Folder with the folders of the classes.
        classes: Names of these folders.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "train" / "wren").mkdir(parents=True)
        >>> (folder / "train" / "wren" / "1.png").touch()
        >>> files_by_class(folder, folder / "train", ["wren"]).rows()
        [('wren', 'train/wren/1.png')]
    """
    prefix = folder.relative_to(root).as_posix()
    found = {name: files_in(folder / name) for name in classes}
    return pl.DataFrame(
        {
            "class": [name for name, files in found.items() for _ in files],
            "path": [f"{prefix}/{name}/{file}" for name, files in found.items() for file in files],
        },
        schema={"class": pl.String, "path": pl.String},
    )


def _files(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
