"""The table of a manifest: one row per image, whatever its columns are called."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError, warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.table import Table, read_table
from cladewise.taxonomy.labels import loose
from cladewise.taxonomy.lookup import BLANKS
from cladewise.taxonomy.problems import some

PATH, LABEL, SPLIT = "path", "label", "split"

_PATH_WORDS = {
    "file",
    "filename",
    "filepath",
    "files",
    "fname",
    "image",
    "images",
    "imagepath",
    "imagefile",
    "imagename",
}
_PATH_WORDS |= {"img", "imgpath", "imgname", "imageid", "photo", "picture", "paths", "filenames", "url", "uri"}
_LABEL_WORDS = {
    "labels",
    "class",
    "classname",
    "classes",
    "category",
    "categoryname",
    "categoryid",
    "target",
    "targets",
}
_LABEL_WORDS |= {
    "species",
    "name",
    "taxon",
    "taxonname",
    "scientificname",
    "y",
    "node",
    "labelname",
    "classid",
    "taxonid",
}
_SIMPLE = (pl.String, pl.Categorical, pl.Enum)
_KNOWN = "a table with one row per image (CSV, TSV or Parquet), a folder of images, or the name of a data set"


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of a table hold the paths, the labels and the splits.

    Attributes:
        path: Column of the paths.
        label: Column of the labels.
        split: Column of the splits; None for the column ``split``, if there is one.
    """

    path: str = PATH
    label: str = LABEL
    split: str | None = None

    def given(self) -> dict[str, str]:
        """The columns that differ from their defaults, as options of :func:`cladewise.datasets.from_manifest`."""
        plain = {f"{f.name}_column": getattr(self, f.name) for f in dataclasses.fields(self)}
        default = {f"{f.name}_column": f.default for f in dataclasses.fields(self)}
        return {option: name for option, name in plain.items() if name != default[option]}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Rows of a manifest as texts.

    Attributes:
        rows: Columns ``line``, ``path``, ``label`` and perhaps ``split``.
        others: The columns that are none of these.
        source: The file, for messages.
    """

    rows: pl.DataFrame
    others: pl.DataFrame
    source: str

    def lines(self, label: str) -> str:
        """Lines that have a label, for messages."""
        lines = self.rows.filter(pl.col(LABEL) == label)["line"].to_list()
        shown = ", ".join(map(str, lines[:5])) + (f" and {len(lines) - 5} more" if len(lines) > 5 else "")
        return f"line {shown}" if len(lines) == 1 else f"lines {shown}"

    def column_of_labels(self, taxonomy: Taxonomy) -> str | None:
        """Another column of which most values name a node, if there is one."""
        for column in self.others.columns:
            values = self.others[column].unique(maintain_order=True).head(200).to_list()
            known = sum(len(taxonomy.matches(value)) == 1 for value in values if value.strip())
            if 2 * known > len(values):
                return column
        return None


def read_manifest(path: Path, columns: Columns, *, separator: str | None = None) -> Manifest:
    """Read the rows of a manifest.

    Raises:
        InputError: The file is not a table, lacks a column, or a column holds something other than texts or numbers.
    """
    if not path.is_file():
        raise InputError("a manifest", "a folder" if path.is_dir() else "no such file", at=str(path))
    with path.open("rb") as file:
        start = file.read(2**20)
    _refuse_documents(start, path)
    parquet = start.startswith(b"PAR1") or path.suffix.lower() == ".parquet"
    frame, lines = _parquet(path) if parquet else _delimited(path, separator)
    at = str(path) if parquet else f"{path}:{int(lines[0]) - 1 if lines.size else 1}"
    chosen = _chosen(list(frame.columns), columns, at)
    wrong = [f"{name!r} ({frame.schema[name]})" for name in chosen.values() if not _is_simple(frame.schema[name])]
    if wrong:
        raise InputError("columns of texts, or of numbers that are ids", ", ".join(wrong), at=str(path))
    texts = frame.select(_text(frame[name]).alias(role) for role, name in chosen.items())
    rest = [name for name in frame.columns if name not in chosen.values() and _is_simple(frame.schema[name])]
    others = frame.select(_text(frame[name]) for name in rest)
    found = Manifest(texts.insert_column(0, pl.Series("line", lines)), others, str(path))
    if SPLIT not in chosen and columns.split is None:
        _refuse_other_splits(found)
    return found


def _refuse_documents(start: bytes, path: Path) -> None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] not in (b"{", b"[", b"<"):
        return
    kind = "XML or HTML" if text[:1] == b"<" else "JSON"
    coco = kind == "JSON" and re.search(rb'"(images|annotations|categories)"\s*:', text) is not None
    raise InputError(
        _KNOWN,
        f"{kind}{' as COCO writes it' if coco else ''}",
        at=str(path),
        advice="Write a CSV file with the columns path and label, and perhaps split.",
    )


def _parquet(path: Path) -> tuple[pl.DataFrame, np.ndarray]:
    try:
        simple = [name for name, kind in pl.read_parquet_schema(path).items() if _is_simple(kind)]
        frame = pl.read_parquet(path, columns=simple)
        others = pl.read_parquet(path, n_rows=0).drop(simple)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("a manifest that can be read as PARQUET", str(error).splitlines()[0], at=str(path)) from error
    nested = pl.DataFrame({name: pl.Series(name, [None] * frame.height, kind) for name, kind in others.schema.items()})
    frame.columns = [name.strip() for name in frame.columns]
    return frame.hstack(nested.get_columns()), np.arange(1, frame.height + 1)


def _delimited(path: Path, separator: str | None) -> tuple[pl.DataFrame, np.ndarray]:
    table: Table = read_table(path)
    lines = np.arange(table.frame.height) + 2 if table.lines is None else table.lines
    return table.frame, lines


def _is_simple(kind: pl.DataType) -> bool:
    return kind.is_integer() or kind.is_float() or isinstance(kind, _SIMPLE)


def _text(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():  # pandas turns integers with gaps into floats
        whole = column.fill_nan(None)
        column = whole.cast(pl.Int64) if bool((whole.drop_nulls() % 1 == 0).all()) else whole
    return column.cast(pl.String).fill_null("")


def _chosen(seen: Sequence[str], columns: Columns, at: str) -> dict[str, str]:
    """The column of each role."""
    wanted = {PATH: columns.path, LABEL: columns.label, SPLIT: columns.split or SPLIT}
    found: dict[str, str] = {}
    for role, name in wanted.items():
        alike = [name] if name in seen else [column for column in seen if column.lower() == name.lower()]
        if len(alike) > 1 or any(f"{name}#" in column for column in seen if column.startswith(f"{name}#")):
            raise InputError("a header that names every column once", f"several columns named {name!r}", at=at)
        if alike:
            found[role] = alike[0]
    missing = [role for role in (PATH, LABEL, *([SPLIT] if columns.split else [])) if role not in found]
    if missing:
        names = " and ".join(wanted[role] for role in missing)
        expected = f"the columns {PATH} and {LABEL}" if columns == Columns() else f"the column {names}"
        raise InputError(expected, ", ".join(seen[:20]) or "none", at=at, advice=_advice(seen, missing, found))
    if len(set(found.values())) < len(found):
        raise InputError("a column for each of path, label and split", f"{some(list(found.values()))}", at=at)
    return found


def _advice(seen: Sequence[str], missing: Sequence[str], found: dict[str, str]) -> str:
    """Options that decide, with the columns that are probably meant."""
    if any(re.search(r"\.(jpe?g|png|webp|tiff?|bmp|gif|heic)$", name, re.IGNORECASE) for name in seen):
        return "The first line is a row of data: put the line path,label above it."
    free = [name for name in seen if name not in found.values()]
    words = {PATH: _PATH_WORDS, LABEL: _LABEL_WORDS}
    guesses = {role: next((name for name in free if loose(name) in words.get(role, set())), "...") for role in missing}
    options = ", ".join(f'{role}_column="{guess}"' for role, guess in guesses.items())
    return f"Rename the columns, or say which they are: {options}."


def _refuse_other_splits(found: Manifest) -> None:
    """A column of splits under another name would be lost, and its test images trained on."""
    for column in found.others.columns:
        values = found.others[column].unique()
        names = {split_name(value) for value in values.head(50) if value.strip()}
        if None not in names and "train" in names and len(names) > 1 and values.len() <= 50:
            raise InputError(
                "splits in the column split",
                f"{some(sorted(v for v in values if v.strip()))} in the column {column!r}",
                at=found.source,
                advice=f'Pass split_column="{column}", or rename the column.',
            )
    folders = found.rows.select(pl.col(PATH).str.strip_chars(BLANKS).str.extract(r"^(?:\./)?([^/\\]+)[/\\]"))[
        PATH
    ].unique()
    names = {split_name(folder or "") for folder in folders.head(50)}
    if None not in names and "train" in names and len(names) > 1:
        warn(
            f"no column split, though the files lie in the folders {some(sorted(folders))}; the images are split anew",
            at=found.source,
            advice="Add a column split to keep the splits of the folders.",
        )
