"""Ordering of named levels from coarse to fine by how their nodes nest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.tree import IntArray, StrArray

SEPARATOR = " > "


def join_levels(level_names: Sequence[str]) -> str:
    """All levels as the text of one cell, coarse to fine.

    Raises:
        InputError: A name contains the separator.

    Example:
        >>> join_levels(["order", "family"])
        'order > family'
    """
    wrong = [name for name in level_names if SEPARATOR in name or name.strip() != name or not name]
    if wrong:
        raise InputError(f"names of levels without {SEPARATOR!r} or blanks at their ends", some(wrong))
    return SEPARATOR.join(level_names)


def split_levels(cell: str) -> list[str]:
    """The levels in a cell, the inverse of :func:`join_levels`; empty if it is blank.

    Example:
        >>> split_levels("order > family"), split_levels("")
        (['order', 'family'], [])
    """
    return cell.split(SEPARATOR) if cell.strip() else []


def level_order(parents: IntArray, texts: StrArray, root: int) -> list[str] | None:
    """Order the levels so that parents are coarser than children, ties by first appearance.

    Returns None if there is no such order, or a node has no level.

    Example:
        >>> level_order(np.array([-1, 0, 1]), np.array(["", "order", "family"]), 0)
        ['order', 'family']
    """
    frame = pl.DataFrame({"child": texts.tolist(), "parent": texts[np.maximum(parents, 0)].tolist()})
    below = np.arange(parents.size) != root
    seen = frame.filter(pl.Series(below))["child"].unique(maintain_order=True).to_list()
    if any(not name.strip() for name in seen):
        return None
    nested = frame.filter(pl.Series(below & (parents != root))).unique(maintain_order=True)
    return nested_order(nested.rows(), seen)


def nested_order(nested: Iterable[tuple[str, str]], names: Sequence[str]) -> list[str] | None:
    """Order names so that in every pair (inner, outer) the outer comes first, ties in the given order.

    Returns None if there is no such order.

    Example:
        >>> nested_order([("species", "clade"), ("clade", "order")], ["order", "species", "clade"])
        ['order', 'clade', 'species']
    """
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(names, ()))
    for inner, outer in nested:
        sorter.add(inner, outer)
    first = {name: position for position, name in enumerate(names)}
    order: list[str] = []
    try:
        sorter.prepare()
    except CycleError:
        return None
    waiting: list[str] = []
    while sorter.is_active():
        waiting = sorted([*waiting, *sorter.get_ready()], key=first.__getitem__)
        order.append(waiting.pop(0))
        sorter.done(order[-1])
    return order
