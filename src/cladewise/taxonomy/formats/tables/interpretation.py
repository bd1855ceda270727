"""A table taken for a tree, before the tree is built."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from cladewise.taxonomy.checks.odd_names import NodeNames
from cladewise.taxonomy.checks.problems import Problem
from cladewise.taxonomy.tree import Taxonomy


def _nothing() -> list[Problem]:
    return []


@dataclasses.dataclass(frozen=True)
class Interpretation:
    """Nodes and problems of a table under one form.

    Attributes:
        problems: Problems that reading tells: errors, and warnings that are found on the way.
        nodes: Names of the nodes with their lines; nothing where only the tree has them.
        build: Builds the tree; only where no problem is an error. Raises :class:`~cladewise.errors.InputError`.
        oddities: Finds what only ``check`` tells.
        by_column: Whether its levels are columns, each of which ought to divide the labels.
        ours: Whether it has the form that the library writes, whose names were told when they were first read.
    """

    problems: list[Problem]
    nodes: NodeNames | None
    build: Callable[[], Taxonomy]
    oddities: Callable[[], list[Problem]] = _nothing
    ours: bool = False
    by_column: bool = False
