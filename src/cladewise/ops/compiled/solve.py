"""Kernel of :mod:`cladewise.ops.solve`: the two sweeps of a diffusion over a tree."""

from __future__ import annotations

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.lines import ROWS, line_is_multiple, line_plus_multiple
from cladewise.ops.compiled.tiles import read_lines, write_lines


@kernel
def tree_solve_rows(
    first: int, last: int, values: Floats, parents: Nodes, share: Floats, scale: Floats, out: Floats
) -> None:
    """The two sweeps of an exact solve: from children to parents, then from parents to children."""
    tile = np.zeros(parents.size * ROWS, values.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        read_lines(values, begin, rows, 0, parents.size, tile)
        for v in range(parents.size - 1, 0, -1):
            line_plus_multiple(tile, parents[v], tile, v, share, v)
        line_is_multiple(tile, 0, tile, 0, scale, 0)
        for v in range(1, parents.size):
            line_is_multiple(tile, v, tile, v, scale, v)
            line_plus_multiple(tile, v, tile, parents[v], share, v)
        write_lines(tile, parents.size, out, begin, rows, 0)
