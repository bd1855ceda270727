"""Parent arrays from paths and from edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast, get_args

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import IntArray
from cladewise.taxonomy.order import cycle_text, cycles

Direction = Literal["child-parent", "parent-child"]
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
    edges: Any, direction: Direction, names: Mapping[Any, str] | None, roots: Literal["error", "join"]
) -> tuple[IntArray, list[str], list[str]]:
    """Parent, name and id of every node of the tree that edges make, in the order of their first mention.

    Joined roots are put under a synthetic root, which is node 0. See :meth:`cladewise.taxonomy.Taxonomy.from_edges`.

    Example:
        >>> parents, names, ids = of_edges([("apple", "fruit"), ("pear", "fruit")], "child-parent", None, "error")
        >>> parents.tolist(), names
        ([1, -1, 1], ['apple', 'fruit', 'pear'])
    """
    for option, value, known in (("direction", direction, get_args(Direction)), ("roots", roots, ("error", "join"))):
        if value not in known:
            raise InputError(f"{option} to be one of {', '.join(known)}", repr(value))
    child, parent, keys = _numbered(edges, direction)
    ids = [str(key) for key in keys]
    blank = next((text for text in ids if not text.strip()), None)
    if blank is not None or len(set(ids)) < len(ids):
        raise InputError("a unique id for each node", "a blank one" if blank is not None else "7 and '7'")
    parents = _single_parents(child, parent, ids)
    for cycle in cycles(parents):
        raise InputError("every node to be connected to the root", f"a cycle: {cycle_text([ids[v] for v in cycle])}")
    tops = np.flatnonzero(parents < 0)
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
        return np.append(-1, parents + 1), ["", *texts], ["", *ids]
    return parents, texts, ids


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


def _single_parents(child: IntArray, parent: IntArray, ids: Sequence[str]) -> IntArray:
    """The parent of every node; the same edge twice is harmless."""
    size = len(ids)
    pairs = np.sort(child * (size + 1) + parent + 1)
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    child, parent = pairs // (size + 1), pairs % (size + 1) - 1
    twice = np.flatnonzero(child[1:] == child[:-1])
    if twice.size:
        first = int(child[twice[0]])
        above = [ids[v] if v >= 0 else "(none)" for v in map(int, parent[child == first])]
        several = np.unique(child[twice]).size
        got = f"{several} with several, such as {ids[first]!r} under {_some(above)}"
        raise InputError("one parent for each node", got, advice="Keep one of its edges.")
    parents = np.full(size, -1)
    parents[child] = parent
    return parents


def _some(texts: Sequence[str]) -> str:
    return ", ".join(map(repr, texts[:SHOWN])) + (", ..." if len(texts) > SHOWN else "")
