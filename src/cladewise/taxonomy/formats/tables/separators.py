"""Detection of the separator of a text table from the file's suffix and its rows."""

from __future__ import annotations

import csv
import itertools

from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import argument

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
CANDIDATES = (",", ";", "\t", "|")
SAMPLE_ROWS = 200
SAMPLE_BYTES = 2**17


def separator_of(data: bytes, promised: str, source: str) -> str:
    """The separator of a table.

    The one implied by the suffix is used if the first row contains it and no other splits all rows evenly. If the first
    row does not contain it and exactly one other splits the rows evenly, that one is used.

    Args:
        data: Content of the file, without a byte order mark.
        promised: Separator implied by the file's suffix.
        source: The file, for messages.

    Raises:
        InputError: Several characters could be the separator.

    Example:
        >>> separator_of(b"order|family\\nA|f\\n", ",", "classes.csv")
        '|'
    """
    sample = data[:SAMPLE_BYTES].decode("utf-8", errors="replace")
    if len(data) > SAMPLE_BYTES:
        sample = sample[: sample.rfind("\n") + 1]
    lines = sample.splitlines(keepends=True)
    rows = {candidate: _rows(lines, candidate) for candidate in dict.fromkeys((promised, *CANDIDATES))}
    parted = [candidate for candidate, cells in rows.items() if cells and len(cells[0]) > 1]
    if not parted or parted == [promised]:
        return promised
    even = [candidate for candidate in parted if _even(rows[candidate])]
    if promised not in parted and len(even) == 1:
        return even[0]
    if promised in parted and not [candidate for candidate in even if candidate != promised]:
        return promised
    shown = " or ".join(f"{candidate!r} ({len(rows[candidate][0])} columns)" for candidate in parted)
    raise InputError(
        "one character that separates the cells",
        f"a first row that could be split at {shown}",
        at=f"{source}:1",
        advice=f"Choose one with {argument('separator', parted[0])}.",
    )


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    try:
        reader = csv.reader(lines, delimiter=separator)
        return list(itertools.islice((row for row in reader if any(row)), SAMPLE_ROWS))
    except csv.Error:
        return []


def _even(rows: list[list[str]]) -> bool:
    """Whether no row is wider than the first, and most have the same width."""
    width = len(rows[0])
    full = sum(len(row) == width for row in rows)
    return len(rows) > 1 and all(len(row) <= width for row in rows) and full > len(rows) / 2
