"""Levels of a tree that need not be written, since they are the depths and have no names of their own."""

from __future__ import annotations

from cladewise.taxonomy.tree import Taxonomy


def has_plain_levels(taxonomy: Taxonomy) -> bool:
    """Whether the levels of a tree are its depths, with default names.

    Example:
        >>> has_plain_levels(Taxonomy.from_paths([("bird", "wren")]))
        True
    """
    default = tuple(f"level_{k}" for k in range(1, taxonomy.max_depth + 1))
    return taxonomy.level_names == default and bool((taxonomy.level == taxonomy.depth).all())
