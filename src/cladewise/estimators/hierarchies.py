"""Label trees from the objects of scikit-learn, networkx and hiclass users."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np

from cladewise.errors import InputError
from cladewise.estimators.labels import is_blank
from cladewise.taxonomy import Taxonomy

_FORMS = "a Taxonomy, a file, edges (parent, child), a data frame, a networkx.DiGraph, or a dict of children"
_EDGE_COLUMNS = ("parent", "child")


def taxonomy_of(hierarchy: Any) -> Taxonomy:
    """The label tree of any of the forms that an estimator takes.

    Args:
        hierarchy: A :class:`~cladewise.Taxonomy`; the path of a file in any supported format; pairs (parent, child); a
            data frame with the columns ``parent`` and ``child``, or else with a column per level and a path per row; a
            ``networkx.DiGraph`` whose edges point to children; a dict from parents to lists of children; or a dict of
            dicts, nested as the tree is, in which a name may stand in several branches. Numbers become texts. Several
            roots are joined under one without a name. Siblings are in the order of first mention.

    Raises:
        InputError: The hierarchy is none of these, or its edges are not those of a tree.

    Example:
        >>> taxonomy_of({"fruit": ["apple", "pear"]}).names.tolist()
        ['fruit', 'apple', 'pear']
        >>> taxonomy_of({"fruit": {"apple": {}}, "juice": {"apple": {}}}).num_leaves
        2
        >>> taxonomy_of([("fruit", "apple"), ("juice", "orange")]).synthetic_root
        True
    """
    if isinstance(hierarchy, Taxonomy):
        return hierarchy
    if isinstance(hierarchy, str | os.PathLike):
        return Taxonomy.read(cast("str | os.PathLike[str]", hierarchy))
    if isinstance(hierarchy, Mapping):
        return _of_mapping(cast("Mapping[Any, Any]", hierarchy))
    if hasattr(hierarchy, "edges") and hasattr(hierarchy, "is_directed"):
        if not hierarchy.is_directed():
            raise InputError("a directed graph, whose edges point to children", "an undirected one", at="hierarchy")
        alone = [(None, node) for node in hierarchy.nodes if not hierarchy.degree(node)]
        return _of_edges([*alone, *hierarchy.edges])
    if hasattr(hierarchy, "columns"):
        return _of_frame(hierarchy)
    if isinstance(hierarchy, Iterable):
        return _of_edges(list(cast("Iterable[Any]", hierarchy)))
    raise InputError(_FORMS, type(hierarchy).__name__, at="hierarchy")


def _of_edges(edges: list[Any]) -> Taxonomy:
    for edge in edges:
        if isinstance(edge, str) or not hasattr(edge, "__len__") or len(edge) != 2:
            raise InputError(_FORMS, f"{edge!r:.100} among edges", at="hierarchy")
    texts = [(None if parent is None else str(parent), str(child)) for parent, child in edges]
    return Taxonomy.from_edges(texts, direction="parent-child", roots="join")


def _of_frame(frame: Any) -> Taxonomy:
    """The tree of a data frame: of its edges, or of its paths."""
    columns = tuple(map(str, frame.columns))
    rows = [tuple("" if is_blank(cell) else str(cell) for cell in row) for row in np.asarray(frame).tolist()]
    if sorted(columns) == sorted(_EDGE_COLUMNS):
        parent, child = (columns.index(name) for name in _EDGE_COLUMNS)
        return _of_edges([(row[parent] or None, row[child]) for row in rows])
    return Taxonomy.from_paths(rows, level_names=columns)


def _of_mapping(tree: Mapping[Any, Any]) -> Taxonomy:
    nested = [isinstance(below, Mapping) for below in tree.values()]
    if all(nested):
        return Taxonomy.from_paths(_paths(tree))
    if any(nested) or any(isinstance(below, str) or not isinstance(below, Iterable) for below in tree.values()):
        advice = "Lists of children, {'a': ['b', 'c']}, or dicts, {'a': {'b': {}, 'c': {}}}; not both."
        raise InputError("a dict of lists, or of dicts", "other values", at="hierarchy", advice=advice)
    return _of_edges([(parent, child) for parent, below in tree.items() for child in below])


def _paths(tree: Mapping[Any, Any]) -> Iterator[tuple[str, ...]]:
    """Every path of a nested dict, parents first."""
    waiting: list[tuple[tuple[str, ...], Mapping[Any, Any]]] = [((), tree)]
    while waiting:
        above, below = waiting.pop()
        if above:
            yield above
        for name, inner in reversed(list(below.items())):
            if not isinstance(inner, Mapping):
                raise InputError("dicts inside dicts", f"{inner!r:.60} under {name!r}", at="hierarchy")
            waiting.append(((*above, str(name)), cast("Mapping[Any, Any]", inner)))
