"""Reading the table of a manifest, with one row per image."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError, warn
from cladewise.parquet import read_parquet_schema
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import raise_first, some, warn_of
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.delimited import read_delimited
from cladewise.taxonomy.formats.tables.header_row import repeated_header
from cladewise.taxonomy.formats.tables.table import Table, is_parquet, read_parquet_table
from cladewise.taxonomy.names.lookup import BLANKS
from cladewise.taxonomy.names.sameness import loose

PATH, LABEL, SPLIT = "path", "label", "split"

_PATH_WORDS = re.compile(r"(image|img|photo|picture|file)?(path|file|files|filename|name|id|url|uri)?s?|fname")
_LABEL_WORDS = re.compile(
    r"labels?(name|id)?|class(es|name|id)?|categor(y|ies)(name|id)?|targets?|species(name)?|taxon(name|id)?"
    r"|scientificname|name|node|y"
)
_SPLIT_WORDS = re.compile(r"(sub)?sets?|partitions?|phase|folds?|usage")
_TEXTS = (pl.String, pl.Categorical, pl.Enum)
_KNOWN = "a table with one row per image (CSV, TSV or Parquet), a folder of images, or the name of a dataset"


@dataclasses.dataclass(frozen=True)
class ManifestColumns:
    """Names of the columns with the paths, the labels and the splits.

    Attributes:
        path: Column of the paths.
        label: Column of the labels.
        split: Column of the splits; None for an optional column ``split``.
    """

    path: str = PATH
    label: str = LABEL
    split: str | None = None

    def given(self) -> dict[str, str]:
        """The non-default columns, as options of :func:`cladewise.datasets.from_manifest`."""
        plain = {f"{f.name}_column": getattr(self, f.name) for f in dataclasses.fields(self)}
        default = {f"{f.name}_column": f.default for f in dataclasses.fields(self)}
        return {option: name for option, name in plain.items() if name != default[option]}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Rows of a manifest as texts.

    Attributes:
        rows: Columns ``line``, ``path``, ``label`` and perhaps ``split``.
        others: All other columns.
        source: The file, for messages.
    """

    rows: pl.DataFrame
    others: pl.DataFrame
    source: str

    def lines(self, label: str) -> str:
        """Lines with a label, for messages."""
        lines = self.rows.filter(pl.col(LABEL) == label)["line"].to_list()
        shown = ", ".join(map(str, lines[:5])) + (f" and {len(lines) - 5} more" if len(lines) > 5 else "")
        return f"line {shown}" if len(lines) == 1 else f"lines {shown}"

    def column_of_labels(self, taxonomy: Taxonomy) -> str | None:
        """Another column whose values mostly name nodes, if there is one."""
        for column in self.others.columns:
            values = self.others[column].unique(maintain_order=True).head(200).to_list()
            known = sum(len(taxonomy.matches(value)) == 1 for value in values if value.strip())
            if 2 * known > len(values):
                return column
        return None


def read_manifest(path: Path, columns: ManifestColumns, *, separator: str | None = None) -> Manifest:
    """Read the rows of a manifest.

    Raises:
        InputError: The file is not a table, lacks a column, or a column holds something other than texts or numbers.
    """
    if not path.is_file():
        raise InputError("a manifest", "a folder" if path.is_dir() else "no such file", at=str(path))
    table = _parquet(path, columns) if is_parquet(path) else _delimited(path, separator)
    at = f"{path}:{table.header_line}" if table.header_line else str(path)
    chosen = _chosen(table.columns, columns, at)
    texts = table.frame.select(pl.col(name).alias(role) for role, name in chosen.items())
    rows = texts.insert_column(0, pl.Series("line", table.all_lines()))
    found = Manifest(rows, table.frame.drop(chosen.values()), str(path))
    if SPLIT not in chosen:
        _refuse_other_splits(found)
    return found


def _delimited(path: Path, separator: str | None) -> Table:
    """A text table; columns without a name, such as a data frame's index, are allowed."""
    _refuse_documents(path)
    table = read_delimited(path, ReadOptions(separator=separator))
    problems = [*(p for p in table.problems if p.kind != "column-name"), *repeated_header(table)]
    raise_first(problems, table.source, checkable=False)
    warn_of(problems, table.source, checkable=False)
    return table


def _refuse_documents(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(2**20).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] not in (b"{", b"[", b"<"):
        return
    kind = "XML or HTML" if start[:1] == b"<" else "JSON"
    coco = kind == "JSON" and re.search(rb'"(images|annotations|categories)"\s*:', start) is not None
    raise InputError(
        _KNOWN,
        f"{kind}{' in COCO format' if coco else ''}",
        at=str(path),
        advice="Write a CSV file with the columns path and label, and perhaps split.",
    )


def _parquet(path: Path, columns: ManifestColumns) -> Table:
    """The columns of texts and numbers; others, such as encoded images, are not read."""
    schema = read_parquet_schema(path)
    chosen = _chosen([name.strip() for name in schema], columns, str(path))
    simple = [name for name, kind in schema.items() if kind.is_integer() or kind.is_float() or isinstance(kind, _TEXTS)]
    wrong = [
        f"{name!r} ({kind})" for name, kind in schema.items() if name.strip() in chosen.values() and name not in simple
    ]
    if wrong:
        raise InputError("paths, labels and splits that are texts, or numbers", ", ".join(wrong), at=str(path))
    return read_parquet_table(path, columns=[name.strip() for name in simple])


def _chosen(seen: Sequence[str], columns: ManifestColumns, at: str) -> dict[str, str]:
    """The column of each role."""
    wanted = {PATH: columns.path, LABEL: columns.label, SPLIT: columns.split or SPLIT}
    found: dict[str, str] = {}
    for role, name in wanted.items():
        alike = [name] if name in seen else [column for column in seen if column.lower() == name.lower()]
        if len(alike) > 1 or any(f"{name}#" in column for column in seen if column.startswith(f"{name}#")):
            raise InputError("a header with a different name for each column", f"several columns named {name!r}", at=at)
        if alike:
            found[role] = alike[0]
    missing = [role for role in (PATH, LABEL, *([SPLIT] if columns.split else [])) if role not in found]
    if missing:
        names = " and ".join(wanted[role] for role in missing)
        expected = f"the columns {PATH} and {LABEL}" if columns == ManifestColumns() else f"the column {names}"
        raise InputError(expected, ", ".join(seen[:20]) or "none", at=at, advice=_advice(seen, missing, found))
    if len(set(found.values())) < len(found):
        raise InputError("a column for each of path, label and split", f"{some(list(found.values()))}", at=at)
    return found


def _advice(seen: Sequence[str], missing: Sequence[str], found: dict[str, str]) -> str:
    """Advice with the options that select the probable columns."""
    if any(re.search(r"\.(jpe?g|png|webp|tiff?|bmp|gif|heic)\b", name, re.IGNORECASE) for name in seen):
        return "The first line is data: add a header line path,label above it."
    free = [name for name in seen if name not in found.values()]
    words = {PATH: _PATH_WORDS, LABEL: _LABEL_WORDS, SPLIT: _SPLIT_WORDS}
    guesses = {role: next((name for name in free if words[role].fullmatch(loose(name))), "...") for role in missing}
    options = ", ".join(f'{role}_column="{guess}"' for role, guess in guesses.items())
    return f"Rename the columns, or name them: {options}."


def _refuse_other_splits(found: Manifest) -> None:
    """Refuse a column of splits with another name, since its test images would be trained on."""
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
    folders = found.rows[PATH].str.strip_chars(BLANKS).str.extract(r"^(?:\./)?([^/\\]+)[/\\]").fill_null("").unique()
    names = {split_name(folder) for folder in folders.head(50)}
    if None not in names and "train" in names and len(names) > 1:
        warn(
            f"no column split, although the files are in the folders {some(sorted(folders))}; splits are random",
            at=found.source,
            advice="Add a column split to keep the splits of the folders.",
        )
