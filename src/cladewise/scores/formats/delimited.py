"""Wide text tables, read in blocks of rows."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from cladewise.errors import InputError
from cladewise.scores.formats.wide_columns import wide_columns
from cladewise.scores.options import ScoreOptions
from cladewise.scores.tables import FloatArray, IntArray, WideTable, without_columns
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.file_kinds import UTF_16, refuse_binary
from cladewise.taxonomy.formats.members import GZIP
from cladewise.taxonomy.formats.tables.separators import SEPARATORS, separator_of

SAMPLE_BYTES = 1 << 22
SAMPLE_ROWS = 50
BLOCK_BYTES = 1 << 25
"""Text that is parsed at once."""
_FRACTION = re.compile(r"[+-]?\d*([.,])\d+(?:[eE][+-]?\d+)?")
MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A"]
"""Cells without a value."""


@dataclasses.dataclass(frozen=True)
class Head:
    """The beginning of a text table.

    Attributes:
        path: The file.
        separator: The character between cells.
        names: Names of the columns.
        rows: The first rows.
        skipped: Lines above the header.
    """

    path: Path
    separator: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> dict[str, bool]:
        """Whether each column holds numbers in the first rows, by name."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.names)
        return {name: _are_numbers(cells, self.decimal) for name, cells in zip(self.names, columns, strict=True)}

    @cached_property
    def decimal(self) -> str:
        """The decimal mark: a comma if another character separates the cells and no number has a point."""
        if self.separator == ",":
            return "."
        marks = {mark for row in self.rows for cell in row if (mark := _decimal_mark(cell))}
        return "," if marks == {","} else "."


def head_of(path: Path, separator: str | None = None) -> Head:
    """The beginning of a text table.

    Raises:
        InputError: It is not UTF-8 text, is empty, or has columns of the same name.

    Example:
        >>> path = getfixture("tmp_path") / "scores.csv"
        >>> _ = path.write_text("image,cat,dog\\na.jpg,0.5,0.5\\n")
        >>> head_of(path).numeric
        {'image': False, 'cat': True, 'dog': True}
    """
    with _opened(path) as file:
        data = file.read(SAMPLE_BYTES)
        while data.count(b"\n") < 2 and (more := file.read(SAMPLE_BYTES)):
            data += more
        is_whole = not file.read(1)
    refuse_binary(data, str(path))
    if data.startswith(UTF_16):
        raise InputError("UTF-8 text", "UTF-16", at=str(path), advice="Save the table as CSV in UTF-8.")
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    if not text.strip():
        raise InputError("a table of scores", "an empty file", at=str(path))
    if not is_whole:
        text = text[: text.rfind("\n") + 1]
    promised = SEPARATORS.get(Path(path.name.removesuffix(".gz")).suffix.lower(), ",")
    chosen = separator or separator_of(text.encode(), promised, str(path))
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=chosen) if row]
    names = [name.strip() for name in rows[0]]
    seen: set[str] = set()
    again = next((name for name in names if name in seen or seen.add(name)), None)
    if again is not None:
        raise InputError("columns with different names", f"several called {again!r}", at=f"{path}:1")
    first = tuple(tuple(row) for row in itertools.islice(rows[1:], SAMPLE_ROWS))
    wrong = next((k for k, row in enumerate(first) if len(row) != len(names)), None)
    if wrong is not None:
        got = f"{len(first[wrong])} in row {wrong + 1}"
        raise InputError(f"{len(names)} cells in every row, as in the header", got, at=str(path))
    return Head(path, chosen, tuple(names), first)


@dataclasses.dataclass(frozen=True)
class DelimitedTable(WideTable):
    """A wide text table.

    Attributes:
        head: Its beginning.
        names: Name of the column of each class.
    """

    head: Head
    names: tuple[str, ...]

    @property
    def num_rows(self) -> int:
        return self.rows.height

    def blocks(self, columns: IntArray) -> Iterator[FloatArray]:
        wanted = [self.names[column] for column in columns.tolist()]
        for batch in batches(self.head, wanted, pa.float64()):
            block = np.empty((batch.num_rows, len(wanted)))
            for place, column in enumerate(batch.columns):
                block[:, place] = column.to_numpy(zero_copy_only=False)
            yield block


def open_delimited(head: Head, taxonomy: Taxonomy, options: ScoreOptions) -> DelimitedTable:
    """A wide text table.

    Raises:
        InputError: A row does not have the header's number of cells, or the table lacks a column of the options.
    """
    at = str(head.path)
    columns = wide_columns(head.numeric, taxonomy, options, at=at)
    rows = read_texts(head, columns.others or head.names[:1])
    frame = rows.select(
        as_numbers(rows[name], head.decimal) if name != columns.key else rows[name] for name in columns.others
    )
    if not columns.others:
        frame = without_columns(rows.height)
    return DelimitedTable(at, columns.scored, frame, columns.key, head, columns.classes)


def read_texts(head: Head, names: Sequence[str]) -> pl.DataFrame:
    """Some columns of a text table as texts, whole."""
    parts = list(batches(head, names, pa.string()))
    schema = pa.schema([(name, pa.string()) for name in names])
    frame = pl.from_arrow(pa.Table.from_batches(parts, schema=schema))
    assert isinstance(frame, pl.DataFrame)
    frame.columns = list(names)  # an index without a name was given one
    return frame


def as_numbers(column: pl.Series, decimal: str = ".") -> pl.Series:
    """A column of texts as integers or floats, if all of them are; as it is otherwise.

    Args:
        column: The texts.
        decimal: The decimal mark.

    Example:
        >>> as_numbers(pl.Series(["1", "2", ""])).to_list(), as_numbers(pl.Series(["01", "b"])).to_list()
        ([1, 2, None], ['01', 'b'])
        >>> as_numbers(pl.Series(["1,5", "2"]), ",").to_list()
        [1.5, 2.0]
    """
    texts = column.replace("", None).str.replace(decimal, ".", literal=True)
    if bool(texts.str.contains(r"^0\d").any()):  # an id
        return column
    for kind in (pl.Int64, pl.Float64):
        numbers = texts.cast(kind, strict=False)
        if numbers.null_count() == texts.null_count():
            return numbers
    return column


def batches(head: Head, names: Sequence[str], kind: pa.DataType) -> Iterator[pa.RecordBatch]:
    """Columns of a text table in blocks of rows.

    Raises:
        InputError: A cell is not of the wanted type, or a row does not have the header's number of cells.
    """
    row_bytes = sum(len(cell) for cell in (head.rows[0] if head.rows else head.names)) + len(head.names)
    block = min(1 << 30, max(BLOCK_BYTES, 4 * row_bytes, 2 * sum(len(name) + 1 for name in head.names)))
    parse = pa_csv.ParseOptions(delimiter=head.separator, newlines_in_values=False)
    convert = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names, kind),
        include_columns=list(names),
        null_values=MISSING if pa.types.is_floating(kind) else [""],
        strings_can_be_null=False,
        decimal_point=head.decimal,
    )
    read = pa_csv.ReadOptions(block_size=block, column_names=list(head.names), skip_rows=1, use_threads=False)
    try:
        with pa.input_stream(str(head.path), compression="detect") as stream:
            yield from pa_csv.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert)
    except (pa.ArrowException, OSError) as error:
        raise InputError("a table of scores", str(error).splitlines()[0], at=str(head.path)) from error


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP[:2]
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _are_numbers(cells: Sequence[str], decimal: str) -> bool:
    """Whether all cells that are filled are numbers, and some are."""
    filled = [cell.replace(decimal, ".") for cell in cells if cell.strip() not in MISSING]
    try:
        return bool([float(cell) for cell in filled])
    except ValueError:
        return False


def _decimal_mark(cell: str) -> str:
    """The mark in a number with a fraction; blank if it is none."""
    found = _FRACTION.fullmatch(cell.strip())
    return found[1] if found else ""
