"""Kernel of :mod:`cladewise.ops.relations`: lowest common ancestors of pairs of nodes."""

from __future__ import annotations

import numpy as np

from cladewise.ops.compiled.decorators import Nodes, kernel


@kernel
def lca_rows(first: int, last: int, one: Nodes, other: Nodes, parents: Nodes, out: Nodes) -> None:
    """Lowest common ancestors: the later node in pre-order cannot be an ancestor, so it moves up until both meet."""
    for i in range(first, last):
        u, v = one[i], other[i]
        while u != v:
            if u > v:
                u = parents[np.uint64(u)]
            else:
                v = parents[np.uint64(v)]
        out[i] = u
