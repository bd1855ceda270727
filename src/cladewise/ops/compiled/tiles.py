"""Columns of arrays to the lines of a tile, and back."""

from __future__ import annotations

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.lines import ROWS, line_is, transpose

STRIP = 256
"""Lines of a tile that are treated at a time, so that they stay in the fastest cache; a multiple of ``ROWS``."""


@kernel
def read_lines(values: Floats, begin: int, rows: int, column: int, count: int, lines: Floats) -> None:
    """Read columns of some rows into lines. Unused lanes keep stale values, which are never read."""
    width = values.shape[1]
    squares = count // ROWS * ROWS if rows == ROWS else 0
    for i in range(0, squares, ROWS):
        transpose(values, begin * width + column + i, width, lines, i * ROWS, ROWS)
    for i in range(squares, count):
        for j in range(rows):
            lines[i * ROWS + j] = values[begin + j, column + i]


@kernel
def write_lines(lines: Floats, count: int, out: Floats, begin: int, rows: int, column: int) -> None:
    """Write lines to columns of some rows."""
    width = out.shape[1]
    squares = count // ROWS * ROWS if rows == ROWS else 0
    for i in range(0, squares, ROWS):
        transpose(lines, i * ROWS, ROWS, out, begin * width + column + i, width)
    for i in range(squares, count):
        for j in range(rows):
            out[begin + j, column + i] = lines[i * ROWS + j]


@kernel
def scatter_lines(values: Floats, begin: int, rows: int, places: Nodes, lines: Floats, tile: Floats) -> None:
    """Scatter all columns of some rows into the given lines of a tile."""
    for c in range(0, places.size, STRIP):
        to = places[c : c + STRIP]
        read_lines(values, begin, rows, c, to.size, lines)
        for i in range(to.size):
            line_is(tile, to[i], lines, i, lines, i)


@kernel
def gather_lines(tile: Floats, places: Nodes, lines: Floats, out: Floats, begin: int, rows: int) -> None:
    """Gather the given lines of a tile into all columns of some rows."""
    for c in range(0, places.size, STRIP):
        at = places[c : c + STRIP]
        for i in range(at.size):
            line_is(lines, i, tile, at[i], tile, at[i])
        write_lines(lines, at.size, out, begin, rows, c)
