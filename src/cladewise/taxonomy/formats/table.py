"""A table of texts, whatever it came from: CSV, TSV, Parquet or a data frame."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.atomic import replacing
from cladewise.errors import InputError
from cladewise.taxonomy.problems import Problem, raise_first

SEPARATORS = {".csv": ",", ".tsv": "\t"}
TABLE_SUFFIXES = (*SEPARATORS, ".parquet")


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns of texts, blank where the source had nothing, without the rows that are blank throughout.

    Attributes:
        frame: String columns without nulls.
        source: What error texts call the table.
        lines: First line of each row in the file, or nothing where rows are all there is to count.
        problems: What went wrong while reading.
        path: The file, where there is one.
    """

    frame: pl.DataFrame
    source: str = "the data frame"
    lines: NDArray[np.int64] | None = None
    problems: tuple[Problem, ...] = ()
    path: Path | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return self.frame.columns

    def line(self, row: int) -> int:
        """Line of a row; where there are no lines, its number from 1."""
        return row + 1 if self.lines is None else int(self.lines[row])

    def fail(self, problems: Sequence[Problem]) -> None:
        """Raise the first error, if there is one."""
        raise_first(problems, self.source, checkable=self.path is not None)


def from_frame(frame: Any, *, source: str = "the data frame", path: Path | None = None) -> Table:
    """Take a polars, pandas or any other frame that speaks Arrow.

    Raises:
        InputError: The value is not a data frame.

    Example:
        >>> from_frame(pl.DataFrame({"a": ["x", None], "b": [1, 2]})).frame.rows()
        [('x', '1'), ('', '2')]
    """
    try:
        taken = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
    except (TypeError, ValueError) as error:
        raise InputError("a data frame", type(frame).__name__) from error
    texts = taken.select(_texts(taken[name]).alias(str(name).strip()) for name in taken.columns)
    return Table(_without_blank_rows(texts), source=source, path=path)


def read_table(path: Path, *, columns: Sequence[str] | None = None) -> Table:
    """Read a CSV, TSV or Parquet file quickly, or fail with the line of the first error.

    Raises:
        InputError: The file cannot be read as a table.
    """
    if not path.is_file():
        raise InputError("a file", "nothing of that name", at=str(path))
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, columns)
    separator = SEPARATORS.get(path.suffix.lower(), ",")
    try:
        frame = pl.read_csv(path, separator=separator, infer_schema=False)
        header = _header(path, separator)
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        frame, header = None, []
    if frame is None or len(set(header)) != len(header) or "" in header or len(header) != frame.width:
        table = read_table_by_line(path)
        table.fail(table.problems)
        return table
    frame.columns = header
    return Table(_without_blank_rows(frame.fill_null("")), source=str(path), path=path)


def read_table_by_line(path: Path) -> Table:
    """Read a table so that every row knows its line, and collect what is wrong instead of failing.

    Slower than :func:`read_table`: for ``check``, and for the text of an error.
    """
    if path.suffix.lower() not in SEPARATORS:
        return read_table(path)
    data = path.read_bytes()
    problems: list[Problem] = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        problems.append(Problem(1, "encoding", "UTF-16"))
        return Table(pl.DataFrame(), str(path), np.zeros(0, dtype=np.int64), tuple(problems), path)
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if not text.isascii():
        problems += _wrong_bytes(text)
        text = text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=SEPARATORS[path.suffix.lower()])
    start = 1
    try:
        for row in reader:
            rows.append(row)
            lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(start, "unreadable", str(error)))
    if not rows:
        problems.append(Problem(1, "header", "an empty file"))
        return Table(pl.DataFrame(), str(path), np.zeros(0, dtype=np.int64), tuple(problems), path)
    header = [cell.strip() for cell in rows[0]]
    problems += _wrong_header(header)
    width = len(header)
    kept = [i for i in range(1, len(rows)) if any(cell != "" for cell in rows[i])]
    problems += [
        Problem(lines[i], "row-length", f"{len(rows[i])} cells where the header has {width}")
        for i in kept
        if any(cell != "" for cell in rows[i][width:])
    ]
    unique = [name if header.index(name) == k and name else f"{name}#{k}" for k, name in enumerate(header)]
    cells = {name: [rows[i][k] if k < len(rows[i]) else "" for i in kept] for k, name in enumerate(unique)}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(unique, pl.String))
    return Table(frame, str(path), np.array([lines[i] for i in kept], dtype=np.int64), tuple(problems), path)


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame in the format of the file's name, atomically.

    Raises:
        InputError: The name ends in nothing that is a table.
    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise InputError(f"a file name that ends in {', '.join(TABLE_SUFFIXES)}", repr(path.name))
    with replacing(path) as temporary:
        if suffix == ".parquet":
            frame.write_parquet(temporary)
        else:
            blanks = pl.all().replace("", None)  # polars quotes an empty text, and leaves a null empty
            frame.select(blanks).write_csv(temporary, separator=SEPARATORS[suffix])


def _read_parquet(path: Path, columns: Sequence[str] | None) -> Table:
    try:
        present = list(pl.read_parquet_schema(path))
        wanted = None if columns is None else [name for name in present if name.strip() in columns]
        frame = pl.read_parquet(path, columns=wanted)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("a Parquet file", str(error).splitlines()[0], at=str(path)) from error
    return from_frame(frame, source=str(path), path=path)


def _texts(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():  # pandas turns integers with gaps into floats
        whole = column.fill_nan(None)
        column = whole.cast(pl.Int64) if bool((whole.drop_nulls() % 1 == 0).all()) else whole
    texts = column.cast(pl.String)
    return texts.fill_null("") if texts.null_count() else texts


def _without_blank_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Most tables have none, and filtering would copy them."""
    if frame.width == 0:
        return frame
    blank = frame.select(pl.all_horizontal(pl.all() == "")).to_series()
    return frame.filter(~blank) if blank.any() else frame


def _header(path: Path, separator: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [name.strip() for name in next(csv.reader(file, delimiter=separator), [])]


def _wrong_header(header: Sequence[str]) -> list[Problem]:
    problems = [Problem(1, "header", f"column {k} without a name") for k, name in enumerate(header, 1) if not name]
    repeated = [name for name, count in Counter(header).items() if count > 1 and name]
    return problems + [Problem(1, "header", f"several columns named {name!r}") for name in repeated]


def _wrong_bytes(text: str) -> list[Problem]:
    """Bytes that are not UTF-8 were escaped to lone surrogates, U+DC80 to U+DCFF: one problem a line."""
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        wrong = next((c for c in line if "\udc80" <= c <= "\udcff"), None) if not line.isascii() else None
        if wrong is not None:
            before = line[: line.index(wrong)].encode("utf-8")
            problems.append(Problem(number, "encoding", f"byte 0x{ord(wrong) - 0xDC00:02X} at byte {len(before) + 1}"))
    return problems
