"""Reading text tables such as CSV and TSV, plain or gzipped."""

from __future__ import annotations

import csv
import functools
import io
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.taxonomy.checks.problems import Problem
from cladewise.taxonomy.formats.bounded_files import read_bytes
from cladewise.taxonomy.formats.file_kinds import UTF_16, refuse_binary
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.foreign import refuse_documents
from cladewise.taxonomy.formats.tables.quoting import Quoting, quoting
from cladewise.taxonomy.formats.tables.separators import SEPARATORS, separator_of
from cladewise.taxonomy.formats.tables.table import Table, without_blank_rows, without_index

MAX_BYTES = 2**30
BOM = b"\xef\xbb\xbf"
csv.field_size_limit(2**31 - 1)


def read_delimited(path: Path, options: ReadOptions) -> Table:
    """Read a text table; its problems are listed in the table, and nothing is dropped silently.

    A file with clean quotes is read in one call; any other is parsed row by row.

    Raises:
        InputError: The file is not text, or its separator is unclear.
    """
    source = str(path)
    data = read_bytes(path, limit=MAX_BYTES)
    refuse_binary(data, source)
    if data.startswith(UTF_16):
        return _nothing(path, Problem(1, "encoding", "UTF-16"))
    data = data.removeprefix(BOM)
    if options.format is None and options.header is None:
        refuse_documents(data, source)
    skipped, named = _separator_line(data)
    data = data[skipped:]
    if not data.strip():
        return _nothing(path, Problem(1, "header", "an empty file"))
    body = data.lstrip(b"\r\n")
    first_line = 1 + (skipped > 0) + data[: len(data) - len(body)].count(b"\n")
    data = _without_bars(body.rstrip(b"\r\n"))
    del body  # a copy of the whole file
    promised = SEPARATORS.get(Path(path.name.removesuffix(".gz")).suffix.lower(), ",")
    separator = options.separator or named or separator_of(data, promised, source)
    return parse_delimited(data, path, separator, first_line=first_line, header=options.header)


def parse_delimited(
    data: bytes, path: Path, separator: str, *, first_line: int = 1, header: str | None = None
) -> Table:
    """Parse a text table with a known separator; its problems are listed in the table.

    Args:
        data: The text, without a byte order mark and blank lines at its ends.
        path: The file, for messages.
        separator: The character between cells.
        first_line: Number of the first line of ``data`` in the file.
        header: As in :func:`cladewise.taxonomy.read`.
    """
    quotes = quoting(data, separator) if separator.isascii() else None
    table = None
    if quotes is not None and quotes.clean and data.count(b"\r") == data.count(b"\r\n"):
        table = _read_clean(data, quotes, path, separator, first_line, header)
    if table is None:
        table = _read_by_row(data, path, separator, first_line, header)
    return without_index(without_blank_rows(table))


def _separator_line(data: bytes) -> tuple[int, str | None]:
    """Length of a first line such as ``sep=;``, which spreadsheets write, and its separator."""
    line = data[:8].split(b"\n", 1)[0]
    text = line.rstrip(b"\r").decode("latin-1")
    if text.lower().startswith("sep=") and len(text) == 5 and len(data) > len(line):
        return len(line) + 1, text[4]
    return 0, None


def _without_bars(data: bytes) -> bytes:
    r"""The text with ``\t|\t`` between cells, as NCBI and the Open Tree of Life write, replaced by a tab."""
    if b"\t|\t" not in data.split(b"\n", 1)[0]:
        return data
    ends = (b"\t|\t\n", b"\t|\n")
    data = functools.reduce(lambda text, end: text.replace(end, b"\n"), ends, data + b"\n")
    return data[:-1].replace(b"\t|\t", b"\t")


def _nothing(path: Path, problem: Problem) -> Table:
    return Table(pl.DataFrame(), str(path), np.zeros(0, dtype=np.int64), (problem,), path)


def _read_clean(
    data: bytes, quotes: Quoting, path: Path, separator: str, first_line: int, header: str | None
) -> Table | None:
    """Parse all rows at once; None if a row is wider than the header or the header is wrong."""
    records = quotes.records()
    lines = np.searchsorted(quotes.newlines, records) + first_line
    end = int(records[1]) if records.size > 1 else len(data)
    try:
        first = data[:end].decode("utf-8")
    except UnicodeDecodeError:
        return None
    names = _names(next(csv.reader(io.StringIO(first, newline=""), delimiter=separator)), header)
    if _wrong_header(names):
        return None
    has_header = header != "none"
    lines = lines[1:] if has_header else lines
    schema = dict.fromkeys(names, pl.String)
    frame = pl.DataFrame(schema=schema)
    if lines.size:
        try:
            frame = pl.read_csv(data, has_header=has_header, separator=separator, schema=schema)
        except (pl.exceptions.PolarsError, UnicodeDecodeError):
            return None
    if frame.height != lines.size:
        return None
    problems = [
        Problem(
            first_line - 1 + opened,
            "quote",
            f"a quoted cell that opens here and closes in line {first_line - 1 + closed}, with whole rows inside",
        )
        for opened, closed in quotes.swallowing(data, separator, len(names))
    ]
    header_line = 0 if header else first_line
    return Table(frame.fill_null(""), str(path), lines, tuple(problems), path, header_line, header != "none")


def _read_by_row(data: bytes, path: Path, separator: str, first_line: int, header: str | None) -> Table:
    """Parse row by row and list the problems of each."""
    problems: list[Problem] = []
    text = data.decode("utf-8", errors="surrogateescape")
    if not text.isascii():
        problems += _wrong_bytes(text, first_line)
        text = text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = first_line
    try:
        for row in reader:
            if any(cell != "" for cell in row):
                rows.append(row)
                lines.append(start)
            start = first_line + reader.line_num
    except csv.Error as error:
        problems.append(Problem(start, "quote", _quote_text(str(error), start, first_line - 1 + reader.line_num)))
    if not rows:
        problems = problems or [Problem(first_line, "header", "an empty file")]
        return Table(pl.DataFrame(), str(path), np.zeros(0, dtype=np.int64), tuple(problems), path)
    if header != "none":
        rows = _without_blanks(_with_corner(rows))
    names = _names(rows[0], header)
    problems += [Problem(lines[0], "column-name", text) for text in _wrong_header(names)]
    width = len(names)
    first = 0 if header == "none" else 1
    problems += [
        Problem(line, "row-length", f"{len(row)} cells for {width} columns")
        for row, line in zip(rows[first:], lines[first:], strict=True)
        if any(cell != "" for cell in row[width:])
    ]
    stray = [line for row, line in zip(rows, lines, strict=True) if any('"' in cell for cell in row)]
    if stray and not any(problem.kind == "quote" for problem in problems):
        problems += [Problem(line, "quote", "a quote inside a cell", "warning") for line in stray]
    unique = [name if names.index(name) == k and (name or not k) else f"{name}#{k}" for k, name in enumerate(names)]
    cells = {name: [row[k] if k < len(row) else "" for row in rows[first:]] for k, name in enumerate(unique)}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(unique, pl.String))
    kept = np.array(lines[first:], dtype=np.int64)
    return Table(frame, str(path), kept, tuple(problems), path, 0 if header else lines[0], header != "none")


def _with_corner(rows: list[list[str]]) -> list[list[str]]:
    """Add the missing header cell above row numbers, as R writes tables."""
    width = len(rows[0]) + 1
    numbered = len(rows) > 1 and all(len(row) == width and row[0].isdecimal() for row in rows[1:])
    return [["", *rows[0]], *rows[1:]] if numbered else rows


def _without_blanks(rows: list[list[str]]) -> list[list[str]]:
    """Drop columns with neither a name nor a value, as separators at line ends produce."""
    nameless = {k for k, name in enumerate(rows[0]) if not name.strip()}
    blank = set(nameless)
    for row in rows if blank else ():
        blank -= {k for k in blank if k < len(row) and row[k].strip()}
    named = len(rows[0]) - len(nameless)
    if len(rows) < 2 or not blank or named < 2 or nameless - blank - {0}:  # an error follows, which counts all columns
        return rows
    return [[cell for k, cell in enumerate(row) if k not in blank] for row in rows]


def _names(first: list[str], header: str | None) -> list[str]:
    """Column names: the first row, or numbered levels if there is no header."""
    if header == "none":
        return [f"level_{k}" for k in range(1, len(first) + 1)]
    return [" ".join(cell.split()) for cell in first]


def _wrong_header(header: list[str]) -> list[str]:
    blank = [f"column {k + 1} without a name" for k, name in enumerate(header) if not name and k]
    repeated = [name for name, count in Counter(header).items() if count > 1 and name]
    return blank + [f"several columns named {name!r}" for name in repeated]


def _quote_text(error: str, opened: int, line: int) -> str:
    if "end of data" in error:
        return "a row with a quote that never closes, so that all rows below are inside it"
    return f"a row with a quote that closes before the end of its cell, in line {line}"


def _wrong_bytes(text: str, first_line: int) -> list[Problem]:
    """One problem per line with bytes that are not UTF-8, which were escaped to U+DC80 to U+DCFF."""
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=first_line):
        wrong = next((c for c in line if "\udc80" <= c <= "\udcff"), None) if not line.isascii() else None
        if wrong is not None:
            before = line[: line.index(wrong)].encode("utf-8")
            problems.append(Problem(number, "encoding", f"byte 0x{ord(wrong) - 0xDC00:02X} at byte {len(before) + 1}"))
    return problems
