"""Parent arrays from paths and from edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast, get_args

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import IntArray
from cladewise.taxonomy.further_edges import edge_on_cycle
from cladewise.taxonomy.order import cycle_text, cycles
from cladewise.taxonomy.several_parents import most_specific_first

Direction = Literal["child-parent", "parent-child"]
Parents = Literal["error", "first", "last", "all"]
Roots = Literal["error", "join"]
SHOWN = 5


def of_paths(paths: Iterable[Sequence[str]]) -> tuple[list[int], list[str], list[int]]:
    """Parent, name and level of every node of the tree with these paths, parents first; node 0 is the synthetic root.

    Example:
        >>> of_paths([("fruit", "apple"), ("fruit", "", "fuji")])
        ([-1, 0, 1, 1], ['', 'fruit', 'apple', 'fuji'], [0, 1, 2, 3])
    """
    parents, names, level = [-1], [""], [0]
    node_by_path: dict[tuple[int, int, str], int] = {}
    for path in paths:
        if isinstance(path, str):
            raise InputError("each path to be a sequence of names", repr(path), advice='Split it: path.split("/").')
        node = 0
        for position, name in enumerate(cast("Sequence[object]", path), start=1):
            if not isinstance(name, str):
                raise InputError("names that are strings", f"{name!r} in {tuple(path)!r}")
            if name == "":
                continue
            key = (node, position, name)
            if key not in node_by_path:
                node_by_path[key] = len(parents)
                parents.append(node)
                names.append(name)
                level.append(position)
            node = node_by_path[key]
    return parents, names, level


def of_edges(
    edges: Any,
    direction: Direction,
    names: Mapping[Any, str] | None,
    roots: Roots,
    parents: Parents = "error",
) -> tuple[IntArray, list[str], list[str], IntArray]:
    """Parent, name and id of every node of the tree that edges make, in the order of their first mention, and pairs of
    nodes and further parents.

    Joined roots are put under a synthetic root, which is node 0. See :meth:`cladewise.taxonomy.Taxonomy.from_edges`.

    Example:
        >>> parents, names, *_ = of_edges([("apple", "fruit"), ("pear", "fruit")], "child-parent", None, "error")
        >>> parents.tolist(), names
        ([1, -1, 1], ['apple', 'fruit', 'pear'])
    """
    options = ("direction", direction, Direction), ("roots", roots, Roots), ("parents", parents, Parents)
    for option, value, kind in options:
        known = get_args(kind)
        if value not in known:
            raise InputError(f"{option} to be one of {', '.join(known)}", repr(value))
    child, parent, keys = _numbered(edges, direction)
    ids = [str(key) for key in keys]
    blank = next((text for text in ids if not text.strip()), None)
    if blank is not None or len(set(ids)) < len(ids):
        raise InputError("a unique id for each node", "a blank one" if blank is not None else "7 and '7'")
    above, further = _chosen_parents(child, parent, ids, parents)
    for cycle in cycles(above):
        raise InputError("every node to be connected to the root", f"a cycle: {cycle_text([ids[v] for v in cycle])}")
    if wrong := edge_on_cycle(above, further):
        text = f"a cycle: {ids[wrong[1]]!r} is a parent of {ids[wrong[0]]!r} and a descendant of it"
        raise InputError("edges without cycles", text)
    tops = np.flatnonzero(above < 0)
    if tops.size > 1 and roots == "error":
        advice = 'Pass roots="join" to put them under a synthetic root.'
        raise InputError(
            "exactly one root", f"{tops.size}: {_some([ids[v] for v in tops[: SHOWN + 1].tolist()])}", advice=advice
        )
    texts = ids
    if names is not None:
        without = [text for key, text in zip(keys, ids, strict=True) if key not in names]
        if without:
            raise InputError("a name for every node", f"{len(without)} without: {_some(without)}")
        texts = [str(names[key]) for key in keys]
    if tops.size > 1:
        above, further, texts, ids = np.append(-1, above + 1), further + 1, ["", *texts], ["", *ids]
    if further.size:
        above, further = most_specific_first(above, further)
    return above, texts, ids, further


def _numbered(edges: Any, direction: Direction) -> tuple[IntArray, IntArray, list[Any]]:
    """Number of the child and of the parent of every edge, -1 for no parent, and the keys in order."""
    rows = _rows(edges)
    if not rows:
        raise InputError("at least one edge", "none")
    for row in rows:
        if isinstance(row, str) or not isinstance(row, Sequence) or len(cast("Sequence[Any]", row)) != 2:
            raise InputError("edges that are pairs of nodes", repr(row))
    flat = list(itertools.chain.from_iterable(rows))
    if any(isinstance(value, float) for value in flat):
        flat = [_without_float(value) for value in flat]
    numbers: dict[Any, int] = dict.fromkeys(flat, -1)
    keys = [key for key in numbers if key is not None and key != ""]
    numbers.update(zip(keys, itertools.count(), strict=False))
    ends = np.fromiter(map(numbers.__getitem__, flat), np.int64, len(flat)).reshape(-1, 2)
    child, parent = ends.T if direction == "child-parent" else ends.T[::-1]
    if (child < 0).any():
        raise InputError("a child in every edge", f"none in {rows[int(np.argmin(child))]!r}")
    return child, parent, keys


def _rows(edges: Any) -> list[Any]:
    """The pairs of a polars or pandas frame, an array or any iterable; a missing cell of a frame is None."""
    if hasattr(edges, "rows"):
        return edges.rows()
    if hasattr(edges, "itertuples"):
        return list(edges.astype(object).where(edges.notna(), None).itertuples(index=False, name=None))
    return edges.tolist() if hasattr(edges, "tolist") else list(edges)


def _without_float(value: Any) -> Any:
    """An id that pandas made a float, because its column has gaps, as an integer again, and a gap as None."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else int(value) if value.is_integer() else value


def _chosen_parents(
    child: IntArray, parent: IntArray, ids: Sequence[str], parents: Parents
) -> tuple[IntArray, IntArray]:
    """The parent of every node, and pairs of a node and a further parent; the same edge twice is harmless."""
    size = len(ids)
    _, first = np.unique(child * (size + 1) + parent + 1, return_index=True)
    first.sort()  # in the order of mention
    child, parent = child[first], parent[first]
    if parents == "all":  # a node that has a parent is no root
        has_parent = np.zeros(size, dtype=np.bool_)
        has_parent[child[parent >= 0]] = True
        kept = (parent >= 0) | ~has_parent[child]
        child, parent = child[kept], parent[kept]
    several = np.flatnonzero(np.bincount(child, minlength=size) > 1)
    if several.size and parents == "error":
        node = int(several[0])
        above = [ids[v] if v >= 0 else "(none)" for v in map(int, parent[child == node])]
        got = f"{several.size} with several, such as {ids[node]!r} under {_some(above)}"
        advice = 'Pass parents="all" to keep them, or parents="first" (or "last") to keep one of them.'
        raise InputError("one parent for each node", got, advice=advice)
    step = -1 if parents == "last" else 1
    nodes, place = np.unique(child[::step], return_index=True)
    place = place if step > 0 else child.size - 1 - place
    chosen = np.full(size, -1)
    chosen[nodes] = parent[place]
    rest = np.setdiff1d(np.arange(child.size), place) if parents == "all" else place[:0]
    return chosen, np.stack([child[rest], parent[rest]], axis=1)


def _some(texts: Sequence[str]) -> str:
    return ", ".join(map(repr, texts[:SHOWN])) + (", ..." if len(texts) > SHOWN else "")
