"""Warnings about the parts of a tree that the format of a labelling tool cannot hold."""

from __future__ import annotations

from collections.abc import Sequence

from cladewise.errors import warn
from cladewise.taxonomy.tree import Taxonomy


def tell_losses(taxonomy: Taxonomy, source: str, *, columns: Sequence[str]) -> None:
    """Warn about what is left out of a file: columns, names of levels, skipped levels.

    Args:
        taxonomy: The tree.
        source: The file.
        columns: The columns that the format holds.
    """
    lost = [f"the column {name}" for name in taxonomy.columns if name not in columns]
    plain = tuple(f"level_{k}" for k in range(1, taxonomy.num_levels + 1))
    if taxonomy.level_names != plain:
        lost.append("the names of levels")
    if (taxonomy.level != taxonomy.depth).any():
        lost.append("skipped levels")
    if lost:
        warn(f"left out, since the format cannot hold them: {', '.join(lost)}", at=source)
