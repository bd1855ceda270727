"""Text tables, CSV, TSV and JSON lines, read once to find where their rows are, and then in parts."""

from __future__ import annotations

import csv
import dataclasses
import functools
import gzip
import io
import json
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.sources.columns import as_text
from cladewise.sources.places import scheme, suffix
from cladewise.sources.storage import Storage
from cladewise.taxonomy.formats.file_kinds import refuse_binary
from cladewise.taxonomy.formats.tables.separators import SEPARATORS, separator_of

STRIDE = 256
"""Rows between two positions that are kept."""

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SAMPLE = 1 << 17
_INT64 = 1 << 63
_MAX_UNPACKED = 1 << 30  # of a compressed table, which has to be unpacked from its beginning for every part
_TYPES: dict[str, pl.DataType] = {
    "": pl.String(),
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "text": pl.String(),
    "json": pl.String(),
}


@dataclass(frozen=True, slots=True, eq=False)
class TextTable:
    """Where the rows of a text table are, found in one pass that also checks every row.

    Attributes:
        place: Path or URI.
        separator: Between the cells; empty for JSON lines.
        kinds: For every column, the kind of its values.
        num_rows: Number of rows.
        offsets: Position in bytes of every ``STRIDE``-th row.
        lines: Line of the same rows, from 1.
        names: Name of every cell of a row, blank for those without; empty for JSON lines.
    """

    place: str
    separator: str
    kinds: dict[str, str]
    num_rows: int
    offsets: NDArray[np.int64]
    lines: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def types(self) -> dict[str, pl.DataType]:
        """Type of every column: texts in CSV, those of the values in JSON lines."""
        return {name: _TYPES[kind] for name, kind in self.kinds.items()}

    def read(self, storage: Storage, start: int, stop: int) -> Iterator[dict[str, Any]]:
        """The rows of a range, with ``None`` for empty cells and surrogates for bytes that are not UTF-8."""
        if start >= stop:
            return
        with _opened(storage, self.place) as file:
            stride = start // STRIDE
            file.seek(int(self.offsets[stride]))
            lines = _Lines(file, int(self.offsets[stride]), int(self.lines[stride]))
            rows = _cells(lines, self) if self.separator else _objects(lines, self)
            for number, row in enumerate(rows, start=stride * STRIDE):
                if number >= stop:
                    return
                if number >= start:
                    yield row


def index_table(storage: Storage, place: str, separator: str | None = None, *, json_lines: bool) -> TextTable:
    """Read a text table once, to check its rows and to find where they are.

    Args:
        storage: Access to it.
        place: Path or URI.
        separator: Between cells; found from the suffix and the first rows by default.
        json_lines: Whether every line is a JSON object.

    Raises:
        InputError: The file cannot be read, is no such table, or a row does not fit; the message names its line.

    Example:
        >>> path = getfixture("tmp_path") / "list.csv"
        >>> _ = path.write_text("path,site\\na.jpg,pond\\nb.jpg,\\n")
        >>> table = index_table(Storage(), str(path), json_lines=False)
        >>> table.num_rows, list(table.read(Storage(), 1, 2))
        (2, [{'path': 'b.jpg', 'site': None}])
    """
    try:
        return _indexed(storage, place, separator, json_lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError("a table that can be unpacked", str(error), at=place) from error


def _indexed(storage: Storage, place: str, separator: str | None, json_lines: bool) -> TextTable:
    with _opened(storage, place) as file:
        sample = file.read(_SAMPLE)
        if sample.startswith(_UTF_16):
            raise InputError("a table in UTF-8", "UTF-16", at=place, advice="Save the table as CSV in UTF-8.")
        refuse_binary(sample, place)
        beginning = len(_BOM) if sample.startswith(_BOM) else 0
        if not sample[beginning:].strip():
            raise InputError("a table with a row per image", "an empty file", at=place)
        file.seek(beginning)
        lines = _Lines(file, beginning, 1)
        if json_lines:
            table = _index_objects(lines, place)
        elif sample[beginning:].lstrip()[:1] in (b"{", b"[", b"<"):
            raise InputError("a table", "JSON, XML or HTML", at=place)
        else:
            promised = SEPARATORS.get(suffix(place).removesuffix(".gz"), ",")
            table = _index_cells(lines, place, separator or separator_of(sample[beginning:], promised, place))
        if suffix(place).endswith(".gz") and lines.position > _MAX_UNPACKED:
            got = f"{lines.position / 1e9:.1f} GB"
            advice = "Unpack it, or write it as Parquet, which can be read in parts."
            raise InputError("a compressed table of at most 1 GB", got, at=place, advice=advice)
        return table


class _Lines:
    """The lines of a file as texts; it knows where the next one begins."""

    def __init__(self, file: BinaryIO, position: int, line: int) -> None:
        self._file, self.position, self.line = file, position, line

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.position += len(line)
            self.line += 1
            yield line.decode("utf-8", "surrogateescape")


class _Index:
    """Positions of every ``STRIDE``-th row."""

    def __init__(self) -> None:
        self.num_rows, self.offsets, self.lines = 0, array("q"), array("q")

    def add(self, position: int, line: int) -> None:
        if self.num_rows % STRIDE == 0:
            self.offsets.append(position)
            self.lines.append(line)
        self.num_rows += 1

    def table(self, place: str, separator: str, kinds: dict[str, str], names: Sequence[str]) -> TextTable:
        offsets, lines = np.array(self.offsets, dtype=np.int64), np.array(self.lines, dtype=np.int64)
        return TextTable(place, separator, kinds, self.num_rows, offsets, lines, tuple(names))


def _index_cells(lines: _Lines, place: str, separator: str) -> TextTable:
    index, line = _Index(), lines.line
    names: list[str] = []
    position = lines.position
    try:
        for row in csv.reader(lines, delimiter=separator, strict=True):
            if row:
                if not names:
                    names = _header(row, place, line)
                elif len(row) != len(names):
                    got = f"{len(row)} cells for {len(names)} columns"
                    raise InputError("rows as wide as the header", got, at=f"{place}:{line}")
                else:
                    index.add(position, line)
            position, line = lines.position, lines.line
    except csv.Error as error:
        if "new-line" in str(error):
            expected, got = "line feeds between rows", "a carriage return alone"
            advice = "Save the table again as CSV in UTF-8, or put cells with line breaks into quotes."
            raise InputError(expected, got, at=f"{place}:{line}", advice=advice) from error
        advice = "Put cells with quotes, separators or line breaks into quotes, and double the quotes in them."
        raise InputError("cells that can be separated", str(error), at=f"{place}:{line}", advice=advice) from error
    return index.table(place, separator, {name: "text" for name in names if name}, names)


def _header(row: list[str], place: str, line: int) -> list[str]:
    """Names of the columns; those without a name, such as a data frame's row numbers, are not read."""
    names = [as_text(name.strip()) for name in row]
    again = {name for name in names if name and names.count(name) > 1}
    if again:
        got = f"several columns named {sorted(again)[0]!r}"
        raise InputError("a header with a different name for each column", got, at=f"{place}:{line}")
    return names


def _cells(lines: _Lines, table: TextTable) -> Iterator[dict[str, Any]]:
    for row in csv.reader(lines, delimiter=table.separator, strict=True):
        if row:
            yield {name: cell or None for name, cell in zip(table.names, row, strict=True) if name}


def _index_objects(lines: _Lines, place: str) -> TextTable:
    index, line, position = _Index(), lines.line, lines.position
    kinds: dict[str, str] = {}
    for text in lines:
        if text.strip():
            for name, value in _object(text, place, line).items():
                kinds[name] = _joint(kinds.get(name, ""), _kind(value))
            index.add(position, line)
        position, line = lines.position, lines.line
    return index.table(place, "", kinds, ())


def _objects(lines: _Lines, table: TextTable) -> Iterator[dict[str, Any]]:
    line = lines.line
    for text in lines:
        if text.strip():
            row = _object(text, table.place, line)
            yield {name: _value(row.get(name), kind) for name, kind in table.kinds.items()}
        line = lines.line


def _object(text: str, place: str, line: int) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError("a JSON object in every line", str(error), at=f"{place}:{line}") from error
    if not isinstance(found, dict):
        raise InputError("a JSON object in every line", f"a {type(found).__name__}", at=f"{place}:{line}")
    return found


def _kind(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else "json"
    if isinstance(value, float):
        return "float"
    return "text" if isinstance(value, str) else "json"


def _joint(one: str, other: str) -> str:
    """The kind of a column with values of two kinds; JSON texts where nothing else holds both."""
    if one == other or not other:
        return one
    if not one:
        return other
    return "float" if {one, other} == {"int", "float"} else "json"


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "json":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return float(value) if kind == "float" else value


def _opened(storage: Storage, place: str) -> BinaryIO:
    if not suffix(place).endswith(".gz"):
        return storage.open(place)
    packed = storage.open(place) if not scheme(place) else io.BytesIO(_fetched(place, json.dumps(storage.options)))
    unpacked: Any = gzip.GzipFile(fileobj=packed)
    return unpacked


@functools.lru_cache(maxsize=1)
def _fetched(place: str, options: str) -> bytes:
    """A packed remote table, which is unpacked from its beginning for every part."""
    return Storage(json.loads(options)).read_all(place)


def joint_kinds(tables: Sequence[TextTable]) -> list[TextTable]:
    """The tables, with the same kind of values for equal columns; columns that JSON lines lack are empty there."""
    kinds: dict[str, str] = {}
    for table in tables:
        for name, kind in table.kinds.items():
            kinds[name] = _joint(kinds.get(name, ""), kind)
    return [
        dataclasses.replace(
            table, kinds={name: kind for name, kind in kinds.items() if not table.separator or name in table.kinds}
        )
        for table in tables
    ]
