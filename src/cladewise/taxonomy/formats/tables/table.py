"""Tables of texts from text files, Parquet or data frames, and writing frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise import parquet
from cladewise.atomic import replacing
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import Problem, raise_first, some
from cladewise.taxonomy.formats.file_kinds import PARQUET, first_bytes
from cladewise.taxonomy.formats.tables.separators import SEPARATORS

INDICES = ("", "Unnamed: 0", "__index_level_0__", "...1")
"""Names of a column of row numbers: blank, as in pandas, in Parquet by pandas, and in readr."""

TABLE_SUFFIXES = (*SEPARATORS, ".parquet")


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns of texts, with blanks for missing values and without entirely blank rows.

    Attributes:
        frame: String columns without nulls.
        source: Name of the table in messages.
        lines: First line of each row in the file; None for sources without lines.
        problems: Problems found while reading.
        path: The file, if there is one.
        header_line: Line of the presumed header; 0 if the column names are certain.
        named: Whether the input names the columns; otherwise they are numbered.
    """

    frame: pl.DataFrame
    source: str = "the data frame"
    lines: NDArray[np.int64] | None = None
    problems: tuple[Problem, ...] = ()
    path: Path | None = None
    header_line: int = 0
    named: bool = True

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return self.frame.columns

    def line(self, row: int) -> int:
        """Line of a row, or its number from 1 if there are no lines."""
        return row + 1 if self.lines is None else int(self.lines[row])

    def all_lines(self) -> NDArray[np.int64]:
        """Line of every row."""
        return np.arange(1, self.frame.height + 1) if self.lines is None else self.lines

    def where(self, kept: pl.Series) -> Table:
        """The rows selected by a mask."""
        lines = self.all_lines()[kept.to_numpy()] if self.lines is not None or not kept.all() else None
        return dataclasses.replace(self, frame=self.frame.filter(kept), lines=lines)

    def column(self, name: str) -> str:
        """The column of that name or, if there is none, with that number from 1.

        Raises:
            InputError: There is no such column.
        """
        if name in self.columns:
            return name
        if name.isdecimal() and 1 <= int(name) <= len(self.columns):
            return self.columns[int(name) - 1]
        raise InputError(f"the columns {name!r}", some(self.columns, 20), at=self.source)

    def fail(self, problems: Sequence[Problem]) -> None:
        """Raise the first error among the problems, if any."""
        raise_first(problems, self.source, checkable=self.path is not None)


def from_frame(frame: Any, *, source: str = "the data frame", path: Path | None = None) -> Table:
    """Convert a polars, pandas or other frame with an Arrow interface.

    Raises:
        InputError: The value is not a data frame, a column contains something other than texts, numbers and dates, or
            the columns have no names.

    Example:
        >>> from_frame(pl.DataFrame({"a": ["x", None], "b": [1, 2]})).frame.rows()
        [('x', '1'), ('', '2')]
    """
    frame = frame.collect() if isinstance(frame, pl.LazyFrame) else _with_index(frame)
    if not isinstance(frame, Mapping) and not hasattr(frame, "columns") and not hasattr(frame, "__arrow_c_stream__"):
        raise InputError("a data frame", type(frame).__name__, advice="Use Taxonomy.read for a file.")
    _refuse_repeated([str(name).strip() for name in getattr(frame, "columns", ())], source)
    try:
        taken = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
    except Exception as error:  # Arrow, pandas and polars each have their own
        if not hasattr(frame, "columns"):
            raise InputError("a data frame", type(frame).__name__) from error
        raise InputError("columns of one type each", f"{_mixed(frame)} with several", at=source) from error
    if taken.width and all(str(name).isdecimal() for name in taken.columns):
        raise InputError(
            "columns with names", f"the numbers {some(taken.columns)}", at=source, advice="Name the frame's columns."
        )
    names = [str(name).strip() for name in taken.columns]
    _refuse_repeated(names, source)
    wrong = [f"{name!r} ({kind})" for name, kind in taken.schema.items() if not _is_text(kind)]
    if wrong:
        raise InputError(
            "columns of text, numbers or dates",
            ", ".join(wrong[:5]),
            at=source,
            advice="Drop these columns, or convert them to text.",
        )
    texts = taken.select(_texts(taken[old]).alias(new) for old, new in zip(taken.columns, names, strict=True))
    return without_index(without_blank_rows(Table(texts, source=source, path=path)))


def read_parquet_table(path: Path, *, columns: Sequence[str] | None = None) -> Table:
    """Read a Parquet file.

    Raises:
        InputError: It is not Parquet, or has columns that are not texts.
    """
    present = list(parquet.read_parquet_schema(path))
    wanted = None if columns is None else [name for name in present if name.strip() in columns]
    frame = parquet.read_parquet(path, columns=wanted)
    return from_frame(frame, source=str(path), path=path)


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet by its suffix or first bytes."""
    return path.suffix.lower() == ".parquet" or first_bytes(path, len(PARQUET)) == PARQUET


def write_table_file(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame atomically, in the format given by the file's suffix.

    Raises:
        InputError: The suffix is not that of a table, or a text contains a null character.
    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise InputError(f"a file name that ends in {', '.join(TABLE_SUFFIXES)}", repr(path.name))
    if suffix != ".parquet":
        nulls = frame.select(pl.col(pl.String).str.contains("\0", literal=True).any())
        if (found := next((column.name for column in nulls if column[0]), None)) is not None:
            raise InputError("text without null characters", f"one in the column {found!r}", at=str(path))
    with replacing(path) as temporary:
        if suffix == ".parquet":
            parquet.write_parquet(frame, temporary)
        else:
            blanks = pl.all().replace("", None)  # polars quotes an empty text, but not a null
            frame.select(blanks).write_csv(temporary, separator=SEPARATORS[suffix])


def without_blank_rows(table: Table) -> Table:
    """The table without blank rows; not filtered, and so not copied, if there are none."""
    if table.frame.width == 0:
        return table
    blank = table.frame.select(pl.all_horizontal(pl.all() == "")).to_series()
    return table.where(~blank) if blank.any() else table


def without_index(table: Table) -> Table:
    """The table without a first column of row numbers, as pandas and R write, with a warning.

    If parents refer to the numbers, they are kept as ids.

    Example:
        >>> table = without_index(Table(pl.DataFrame({"": ["0", "1"], "name": ["wren", "robin"]})))
        >>> table.columns, table.problems[0].text
        (['name'], "row numbers in the first column, '', left out")
    """
    first = table.columns[0] if table.frame.width > 1 else None
    if first not in INDICES:
        return table
    numbers = table.frame[first].cast(pl.Int64, strict=False)
    if numbers.null_count() or not bool((numbers.diff().drop_nulls() > 0).all()):
        wrong = Problem(table.header_line or 1, "column-name", "column 1 without a name")
        return table if first else dataclasses.replace(table, problems=(*table.problems, wrong))
    parents = [table.frame[name] for name in table.columns if "parent" in name.lower()]
    if "id" not in table.columns and any(cells.is_in(table.frame[first].implode()).any() for cells in parents):
        return dataclasses.replace(table, frame=table.frame.rename({first: "id"}))
    text = f"row numbers in the first column, {first!r}, left out"
    told = Problem(table.header_line, "row-numbers", text, "warning")
    return dataclasses.replace(table, frame=table.frame.drop(first), problems=(*table.problems, told))


def _with_index(frame: Any) -> Any:
    """A pandas frame with its named index as columns, since polars drops the index."""
    index = getattr(frame, "index", None)
    names = [name for name in getattr(index, "names", ()) if name is not None]
    return frame.reset_index() if names and hasattr(frame, "reset_index") else frame


def _refuse_repeated(names: Sequence[str], source: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        got = f"several columns named {repeated[0]!r}"
        raise InputError("a header with a different name for each column", got, at=source)


def _is_text(kind: pl.DataType) -> bool:
    simple = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null, pl.Date, pl.Datetime, pl.Time, pl.Decimal)
    return kind.is_numeric() or isinstance(kind, simple)


def _mixed(frame: Any) -> str:
    """The columns with values of mixed types, for a message."""
    wrong: list[str] = []
    for name in frame.columns:
        try:
            pl.DataFrame(frame[[name]])
        except Exception:
            wrong.append(str(name))
    return some(wrong) if wrong else "some"


def _texts(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():  # pandas turns integers with gaps into floats
        whole = column.fill_nan(None)
        integers = bool((whole.drop_nulls() % 1 == 0).all()) and bool((whole.drop_nulls().abs() < 2**53).all())
        column = whole.cast(pl.Int64) if integers else whole
    texts = column.cast(pl.String)
    return texts.fill_null("") if texts.null_count() else texts
