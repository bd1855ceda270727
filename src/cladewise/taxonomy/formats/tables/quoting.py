"""Analysis of the quotes of a text table: whether they pair up, and which rows they swallow."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

QUOTE, NEWLINE, RETURN = 34, 10, 13

SLICE = 2**24
"""Bytes that are compared at once, to limit memory."""

Positions = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Quoting:
    """Positions of quotes and line ends in a text.

    Attributes:
        clean: Whether every quote opens a cell, closes it, or is one of a doubled pair inside it.
        opening, closing: Positions of opening and closing quotes, if all are clean.
        newlines: Positions of the line feeds.
    """

    clean: bool
    opening: Positions
    closing: Positions
    newlines: Positions

    def records(self) -> Positions:
        """Start of every record; line feeds inside quotes do not end one."""
        if not self.opening.size:
            return np.append(0, self.newlines + 1)
        inside = np.searchsorted(self.opening, self.newlines) > np.searchsorted(self.closing, self.newlines)
        return np.append(0, self.newlines[~inside] + 1)

    def swallowing(self, data: bytes, separator: str, width: int) -> list[tuple[int, int]]:
        """First and last line of multi-line cells that contain exactly the separators of whole rows."""
        first = np.searchsorted(self.newlines, self.opening)
        last = np.searchsorted(self.newlines, self.closing)
        if width < 2 or not (last > first).any():
            return []
        marks = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord(separator))
        held = np.searchsorted(marks, self.closing) - np.searchsorted(marks, self.opening)
        found = np.flatnonzero((last > first) & (held == (last - first) * (width - 1)))
        return [(int(first[k]) + 1, int(last[k]) + 1) for k in found]


def quoting(data: bytes, separator: str) -> Quoting:
    """Analyse all quotes of a text, vectorised.

    Example:
        >>> quoting(b'a,"b"\\n', ",").clean, quoting(b'a,"b\\n', ",").clean
        (True, False)
    """
    buffer = np.frombuffer(data, dtype=np.uint8)
    newlines = _positions(buffer, NEWLINE)
    nothing = np.zeros(0, dtype=np.int64)
    if b'"' not in data:
        return Quoting(True, nothing, nothing, newlines)
    quotes = _positions(buffer, QUOTE)
    if quotes.size % 2:
        return Quoting(False, nothing, nothing, newlines)
    opening, closing = quotes[::2], quotes[1::2]
    edges = np.array([QUOTE, NEWLINE, RETURN, ord(separator)])
    before = np.where(opening > 0, buffer[opening - 1], NEWLINE)
    after = np.where(closing + 1 < buffer.size, buffer[np.minimum(closing + 1, buffer.size - 1)], NEWLINE)
    clean = bool(np.isin(before, edges).all() and np.isin(after, edges).all())
    return Quoting(clean, opening, closing, newlines)


def _positions(buffer: NDArray[np.uint8], byte: int) -> Positions:
    starts = range(0, max(buffer.size, 1), SLICE)
    return np.concatenate([np.flatnonzero(buffer[start : start + SLICE] == byte) + start for start in starts])
