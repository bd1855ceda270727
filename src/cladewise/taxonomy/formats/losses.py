"""Warnings about the parts of a tree that a written format cannot hold."""

from __future__ import annotations

from collections.abc import Collection

from cladewise.errors import warn
from cladewise.taxonomy.names.columns import VERNACULAR
from cladewise.taxonomy.tree import Taxonomy


def tell_losses(taxonomy: Taxonomy, source: str, *, columns: Collection[str], levels: bool = False) -> None:
    """Warn about what is left out of a file: columns, names of levels, skipped levels.

    Args:
        taxonomy: The tree.
        source: The file.
        columns: The columns that the format holds; ``name:`` stands for those of all languages.
        levels: Whether the format holds levels.
    """
    lost = [
        f"the column {name}"
        for name in taxonomy.columns
        if name not in columns and not (VERNACULAR in columns and name.startswith(VERNACULAR))
    ]
    plain = tuple(f"level_{k}" for k in range(1, taxonomy.num_levels + 1))
    if not levels and taxonomy.level_names != plain:
        lost.append("the names of levels")
    if not levels and (taxonomy.level != taxonomy.depth).any():
        lost.append("skipped levels")
    if lost:
        warn(f"left out, since the format cannot hold them: {', '.join(lost)}", at=source)
