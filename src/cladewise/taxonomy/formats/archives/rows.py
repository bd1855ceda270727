"""Text tables in archives, of any size: only the wanted columns are kept, and the text is read in parts.

An archive says how its tables are written, so nothing is detected here. A table of checklists has millions of long rows
of which a tree needs a few cells, and unpacked it may be larger than the memory.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.formats.members import MAX_BYTES, Members
from cladewise.taxonomy.formats.tables.delimited import parse_delimited
from cladewise.taxonomy.formats.tables.table import Table

PART = 2**25
"""Bytes of text that are parsed at once."""
MAX_LINE = 2**26
MAX_QUOTED = 2**30
"""Most bytes of a table with quotes, which is read at once since a quoted cell may contain line ends."""
BOM = "\ufeff".encode()
UNIT = b"\x1f"
"""Stands for a separator of several characters."""
SAMPLE = 1000
"""Rows that are searched for the number of columns."""
Rows = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Layout:
    r"""How a text table is written.

    Attributes:
        separator: Text between cells.
        quote: Character around cells; blank if there is none, so that a quote is an ordinary character.
        line_end: Text at the end of rows. All but ``\r`` alone are read alike: as the end of a line.
        encoding: Name of the encoding.
        skipped: Number of lines before the first row.
    """

    separator: str = "\t"
    quote: str = ""
    line_end: str = "\n"
    encoding: str = "utf-8"
    skipped: int = 0


def read_rows(members: Members, name: str, layout: Layout, positions: Mapping[str, int]) -> Table:
    """The wanted columns of a table in an archive.

    Args:
        members: The archive.
        name: The table's path in it.
        layout: How the table is written.
        positions: Position of each wanted column, from 0.

    Raises:
        InputError: The table is not written in this way; the message names the line.
    """
    source = f"{members.path}, {name}"
    with members.open(name) as stream:
        if layout.quote:
            return _read_quoted(stream, Path(source), layout, positions)
        parts = _parse(_parts(stream, source, layout), source, layout, positions)
        frames, lines = zip(*parts, strict=True)
    return Table(pl.concat(frames), source, np.concatenate(lines))


def first_line(members: Members, name: str, layout: Layout) -> str:
    """A table's first line, such as its header."""
    with members.open(name) as stream:
        start = stream.read(2**20).removeprefix(BOM).decode(layout.encoding, errors="replace")
    return start.replace("\r\n", "\n").replace("\r", "\n").split("\n", 1)[0]


def _parts(stream: IO[bytes], source: str, layout: Layout) -> Generator[bytes]:
    r"""Whole lines of UTF-8 that end in ``\n``, in parts."""
    utf_8 = _is_utf_8(layout.encoding)
    line_end = b"\r" if layout.line_end == "\r" else b"\n"
    decoder = codecs.getincrementaldecoder(layout.encoding)()
    rest, size = b"", 0
    while True:
        piece = stream.read(PART)
        size += len(piece)
        if size > MAX_BYTES:
            raise InputError(f"at most {MAX_BYTES // 2**30} GiB to unpack", "more", at=source)
        last = not piece
        if not utf_8:
            try:
                piece = decoder.decode(piece, final=last).encode()
            except UnicodeDecodeError as error:
                raise InputError(f"text in {layout.encoding}", f"an error: {error.reason}", at=source) from error
        text = rest + piece
        end = len(text) if last else text.rfind(line_end) + 1
        if len(text) - end > MAX_LINE:
            raise InputError(f"lines of at most {MAX_LINE // 2**20} MiB", "a longer one", at=source)
        whole, rest = text[:end], text[end:]
        if whole:
            whole = whole if line_end == b"\n" else whole.replace(line_end, b"\n")
            yield whole if whole.endswith(b"\n") else whole + b"\n"
        if last:
            return


def _parse(
    parts: Iterable[bytes], source: str, layout: Layout, positions: Mapping[str, int]
) -> Generator[tuple[pl.DataFrame, Rows]]:
    """Frame and lines of every part, at least one."""
    yield pl.DataFrame(schema=dict.fromkeys(positions, pl.String)), np.zeros(0, dtype=np.int64)
    skipped, line, width, sampled = layout.skipped, 1, 0, False
    separator = layout.separator.encode() if len(layout.separator) == 1 else UNIT
    for number, part in enumerate(parts):
        text = part.removeprefix(BOM) if number == 0 else part
        while skipped and text:
            header, _, text = text.partition(b"\n")
            width = max(width, header.count(layout.separator.encode()) + 1)
            skipped, line = skipped - 1, line + 1
        following = line + text.count(b"\n")
        text, lines = _without_blank_lines(text.replace(layout.separator.encode(), separator), line)
        line = following
        if not lines.size:
            continue
        if not sampled:
            usual, _ = Counter(row.count(separator) for row in text.split(b"\n", SAMPLE)[:SAMPLE]).most_common(1)[0]
            width, sampled = max(width, usual + 1, *(position + 1 for position in positions.values())), True
        _refuse_wide(text, lines, separator, width, source)
        yield _frame(text, lines, separator.decode(), width, positions, source), lines


def _without_blank_lines(text: bytes, line: int) -> tuple[bytes, Rows]:
    """A text without blank lines, and the number of each of its lines, if the first one has the given number."""
    lines = np.arange(line, line + text.count(b"\n"))
    returns = b"\r" in text and (b"\n\r\n" in text or text.startswith(b"\r\n"))
    if not returns and b"\n\n" not in text and not text.startswith(b"\n"):
        return text, lines
    rows = text.split(b"\n")[:-1]
    filled = np.array([bool(row.strip(b"\r")) for row in rows])
    return b"".join(row + b"\n" for row in rows if row.strip(b"\r")), lines[filled]


def _refuse_wide(text: bytes, lines: Rows, separator: bytes, width: int, source: str) -> None:
    """Refuse a row with more cells than there are columns: behind a separator inside a cell all cells are shifted."""
    if text.count(separator) == lines.size * (width - 1):
        return
    buffer = np.frombuffer(text, dtype=np.uint8)
    ends = np.append(-1, np.flatnonzero(buffer == ord("\n")))
    cells = 1 + np.diff(np.searchsorted(np.flatnonzero(buffer == ord(separator)), ends))
    for row in np.flatnonzero(cells > width).tolist():
        beyond = text[ends[row] + 1 : ends[row + 1]].split(separator)[width:]
        if b"".join(beyond).strip():
            got, advice = f"{cells[row]} for {width} columns", "A cell may not contain what separates the cells."
            raise InputError("no more cells in a row than columns", got, at=f"{source}:{lines[row]}", advice=advice)


def _frame(
    text: bytes, lines: Rows, separator: str, width: int, wanted: Mapping[str, int], source: str
) -> pl.DataFrame:
    names = [f"column_{position}" for position in range(width)]
    used = list(dict.fromkeys(wanted.values()))
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            separator=separator,
            quote_char=None,
            columns=used,
            schema=dict.fromkeys(names, pl.String),
            truncate_ragged_lines=True,
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        _refuse_bytes(text, lines, source)
        raise InputError("a text table", str(error).split("\n", 1)[0], at=f"{source}:{lines[0]}") from error
    if frame.height != lines.size:
        raise InputError(f"{lines.size} rows", f"{frame.height}", at=f"{source}:{lines[0]}")
    return frame.select(pl.col(names[position]).fill_null("").alias(name) for name, position in wanted.items())


def _refuse_bytes(text: bytes, lines: Rows, source: str) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line = int(lines[text.count(b"\n", 0, error.start)])
        wrong = f"byte 0x{text[error.start]:02X}"
        raise InputError("UTF-8 text", wrong, at=f"{source}:{line}", advice="Save the table as UTF-8.") from error


def _read_quoted(stream: IO[bytes], source: Path, layout: Layout, positions: Mapping[str, int]) -> Table:
    data = stream.read(MAX_QUOTED + 1)
    if len(data) > MAX_QUOTED:
        advice = "Write the table without quotes, separated by tabs."
        raise InputError(
            f"at most {MAX_QUOTED // 2**30} GiB of a table with quotes", "more", at=str(source), advice=advice
        )
    data = _recoded(data, layout, str(source))
    start = 0
    for _ in range(layout.skipped):
        start = data.find(b"\n", start) + 1 or len(data)
    data = data[start:]
    body = data.lstrip(b"\r\n")
    line = 1 + layout.skipped + data[: len(data) - len(body)].count(b"\n")
    data = body.rstrip(b"\r\n")
    del body
    if layout.quote != '"':
        if b'"' in data:
            raise InputError('quotes of one kind, `"`', f"both {layout.quote!r} and '\"'", at=str(source))
        data = data.replace(layout.quote.encode(), b'"')
    blank = pl.DataFrame(schema=dict.fromkeys(positions, pl.String))
    if not data:
        return Table(blank, str(source), np.zeros(0, dtype=np.int64))
    table = parse_delimited(data, source, layout.separator, first_line=line, header="none")
    table.fail(table.problems)
    frame = table.frame.select(
        (pl.col(f"level_{position + 1}") if position < table.frame.width else pl.lit("")).alias(name)
        for name, position in positions.items()
    )
    return dataclasses.replace(table, frame=frame, path=None)


def _recoded(data: bytes, layout: Layout, source: str) -> bytes:
    if not _is_utf_8(layout.encoding):
        try:
            data = data.decode(layout.encoding).encode()
        except UnicodeDecodeError as error:
            raise InputError(f"text in {layout.encoding}", f"an error: {error.reason}", at=source) from error
    if layout.line_end == "\r":
        data = re.sub(rb"\r(?!\n)", b"\n", data)
    return data.removeprefix(BOM)


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "ascii")
