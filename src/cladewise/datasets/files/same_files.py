"""Recognition of one file under several paths, so that it counts as one image."""

from __future__ import annotations

import os
import unicodedata
from os import PathLike
from pathlib import Path

import polars as pl

from cladewise.datasets.files.other_files import counted
from cladewise.errors import InputError, warn

_PLAIN = r"^[^\\:\x80-\x{10FFFF}]*$"
_INDIRECT = r"(^|/)\.{0,2}(/|$)"


def on_disk(folder: Path, paths: pl.Series) -> pl.Series:
    r"""The paths as they exist on this file system.

    A path without a file is also tried with ``/`` for ``\``, and in the other Unicode composition.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "a").mkdir()
        >>> (folder / "a" / "1.png").touch()
        >>> on_disk(folder, pl.Series(["a\\1.png", "b\\2.png"])).to_list()
        ['a/1.png', 'b\\2.png']
    """
    odd = paths.filter(~paths.str.contains(_PLAIN)).unique()
    renamed = {path: existing(folder, path) for path in odd}
    renamed = {path: new for path, new in renamed.items() if path != new}
    return paths.replace(list(renamed), list(renamed.values())) if renamed else paths


def file_keys(folder: Path, paths: pl.Series) -> pl.Series:
    """A normalised key for each path, equal for all its spellings.

    Example:
        >>> paths = pl.Series(["a.png", "./a.png", "x/../a.png", "/data/a.png", "b.png"])
        >>> file_keys(Path("/data"), paths).to_list()
        ['a.png', 'a.png', 'a.png', 'a.png', 'b.png']
    """
    keys = paths.str.strip_prefix(f"{folder.as_posix().rstrip('/')}/")
    indirect = keys.filter(keys.str.contains(_INDIRECT)).unique()
    if not indirect.len():
        return keys
    plain = {path: os.path.relpath(os.path.normpath(folder / path), folder) for path in indirect}
    outside = {path: key if not key.startswith("..") else os.path.normpath(folder / key) for path, key in plain.items()}
    return keys.replace(list(outside), list(outside.values()))


def one_row_per_file(rows: pl.DataFrame, key: str, source: str, *, unit: str = "line") -> pl.DataFrame:
    """The rows, one per file.

    Args:
        rows: Columns ``line``, ``path``, ``node``, ``split`` and the key.
        key: The column that identifies the file.
        source: The manifest, for messages.
        unit: The word for what the column ``line`` counts.

    Raises:
        InputError: A file has two labels or is in two splits.
    """
    again = rows.filter(pl.col(key).is_duplicated())
    if not again.height:
        return rows
    torn = again.filter(pl.struct("node", "split").n_unique().over(key) > 1)
    first = (torn if torn.height else again).group_by(key, maintain_order=True).agg("line", "path").row(0, named=True)
    spelt, lines = list(dict.fromkeys(first["path"])), first["line"]
    shown = f"{' and '.join(map(repr, spelt[:3]))} in {unit}s {' and '.join(map(str, lines[:5]))}"
    if torn.height:
        raise InputError(
            "one label and one split for every file",
            f"{counted(torn[key].n_unique(), 'file')} with several, such as {shown}",
            at=f"{source}:{lines[-1]}" if unit == "line" else f"{source}, {unit} {lines[-1]}",
        )
    single = rows.unique(key, keep="first", maintain_order=True)
    dropped = rows.height - single.height
    noun = "row names a file" if dropped == 1 else "rows name files"
    warn(f"{dropped} {noun} that earlier rows name, and counts once, such as {shown}", at=source)
    return single


def identities(folder: Path, paths: list[str]) -> pl.Series:
    """A number for each existing file, equal for links to it."""
    status = [os.stat(folder / path) for path in paths]
    pairs = pl.DataFrame(
        {"device": [s.st_dev for s in status], "inode": [s.st_ino for s in status]},
        schema={"device": pl.UInt64, "inode": pl.UInt64},
    )
    # some file systems have no inode numbers; there every file is distinct
    number = pairs.with_row_index().select(
        pl.when(pl.col("inode") > 0).then(pl.col("index").first().over("device", "inode")).otherwise("index")
    )
    return number.to_series()


def existing(folder: str | PathLike[str], path: str) -> str:
    r"""The path as it exists below the folder, as in :func:`on_disk`; unchanged if it does not.

    Example:
        >>> existing(getfixture("tmp_path"), "a\\1.png")
        'a\\1.png'
    """
    slashed = path.replace("\\", "/")
    for name in dict.fromkeys((path, slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD")))):
        try:
            if os.path.lexists(os.path.join(folder, name)):
                return name
        except ValueError:  # a null character
            return path
    return path
