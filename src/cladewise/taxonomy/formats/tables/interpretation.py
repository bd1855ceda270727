"""The result of interpreting a table as a tree, before the tree is built."""

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
        problems: Problems that reading reports: errors and warnings.
        nodes: Names of the nodes with their lines; None if only the tree has them.
        build: Builds the tree, if no problem is an error. May raise :class:`~cladewise.errors.InputError`.
        oddities: Finds further problems that only ``check`` reports.
        by_column: Whether its levels are columns, each of which should divide the labels.
        ours: Whether this is the form that the library writes, whose names were checked when first read.
    """

    problems: list[Problem]
    nodes: NodeNames | None
    build: Callable[[], Taxonomy]
    oddities: Callable[[], list[Problem]] = _nothing
    ours: bool = False
    by_column: bool = False
