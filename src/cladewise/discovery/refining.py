"""Refines a taxonomy: discovered classes become leaves below its coarse classes, or below any inner node."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
DISCOVERED = "discovered"
"""Name of the added level."""


def refine(taxonomy: Taxonomy, level: int, coarse: IntArray, found: IntArray) -> tuple[Taxonomy, IntArray]:
    """The tree down to a level, with discovered classes as leaves below; further parents are kept among its nodes.

    Args:
        taxonomy: The label tree.
        level: The deepest level to keep.
        coarse: Node of each image at this level.
        found: Number of each image's discovered class, from 0; classes of one node have consecutive numbers.

    Returns:
        The tree, whose new leaves are named after their parent with a number, and the node of each discovered class.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> refined, nodes = refine(tree, 1, np.array([1, 1, 4]), np.array([0, 1, 2]))
        >>> [refined.path_name(node) for node in nodes]
        ['bird/bird 1', 'bird/bird 2', 'moth/moth 1']
    """
    kept = np.flatnonzero(taxonomy.at_level(level) == np.arange(taxonomy.num_nodes))
    paths = [np.array(taxonomy.path(int(v))) for v in taxonomy.level_nodes(level)]
    kept = kept[np.isin(kept, np.unique(np.concatenate(paths)))]
    position = np.full(taxonomy.num_nodes, -1, dtype=np.int64)
    position[kept] = np.arange(kept.size)
    numbers, first = np.unique(found, return_index=True)
    above = coarse[first]
    _, start = np.unique(above, return_index=True)
    within = numbers - numbers[start][np.searchsorted(np.sort(above[start]), above)]
    parents = [-1 if v == 0 else int(position[taxonomy.parents[v]]) for v in kept.tolist()]
    names = [str(taxonomy.names[v]) for v in kept.tolist()]
    new = [f"{taxonomy.names[v]} {k + 1}" for v, k in zip(above.tolist(), within.tolist(), strict=True)]
    further = position[taxonomy.further_parents]
    refined = Taxonomy.from_parents(
        [*parents, *position[above].tolist()],
        [*names, *new],
        level=[*taxonomy.level[kept].tolist(), *([level + 1] * numbers.size)],
        level_names=[*taxonomy.level_names[:level], DISCOVERED],
        synthetic_root=taxonomy.synthetic_root,
        further_parents=further[(further >= 0).all(axis=1)],
    )
    by_path = {refined.path_names(node): node for node in range(refined.num_nodes)}
    nodes = [by_path[(*taxonomy.path_names(v), name)] for v, name in zip(above.tolist(), new, strict=True)]
    return refined, np.array(nodes, dtype=np.int64)


def refine_under(taxonomy: Taxonomy, above: IntArray, found: IntArray) -> tuple[Taxonomy, IntArray]:
    """The whole tree, with discovered classes as further leaves below the nodes that they were found under.

    Args:
        taxonomy: The label tree.
        above: Node that each image is new under.
        found: Number of each image's discovered class, from 0; classes of one node have consecutive numbers.

    Returns:
        The tree, whose new leaves are named after their parent with ``new`` and a number, and the node of each
        discovered class.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> refined, nodes = refine_under(tree, np.array([1, 1, 0]), np.array([1, 1, 0]))
        >>> [refined.path_name(node) for node in nodes], refined.num_leaves
        (['new 1', 'bird/new bird 1'], 5)
    """
    numbers, first = np.unique(found, return_index=True)
    parents = above[first]
    names: list[str] = []
    for place, parent in enumerate(parents.tolist()):
        before = (parents[:place] == parent).nonzero()[0]
        taken = {str(taxonomy.names[child]) for child in taxonomy.children(parent)} | {names[k] for k in before}
        base = f"new {taxonomy.names[parent]}".strip()
        names.append(next(name for k in itertools.count(1) if (name := f"{base} {k}") not in taken))
    level = taxonomy.level[parents] + 1
    deepest = int(max(level.max(initial=0), taxonomy.num_levels))
    level_names = [*taxonomy.level_names, *[DISCOVERED] * (deepest - taxonomy.num_levels)]
    columns = {key: [*texts.tolist(), *[""] * numbers.size] for key, texts in taxonomy.columns.items()}
    refined = Taxonomy.from_parents(
        [*taxonomy.parents.tolist(), *parents.tolist()],
        [*taxonomy.names.tolist(), *names],
        level=[*taxonomy.level.tolist(), *level.tolist()],
        level_names=level_names,
        columns=columns,
        synthetic_root=taxonomy.synthetic_root,
        further_parents=taxonomy.further_parents,
    )
    by_path = {refined.path_names(node): node for node in range(refined.num_nodes)}
    nodes = [by_path[(*taxonomy.path_names(v), name)] for v, name in zip(parents.tolist(), names, strict=True)]
    return refined, np.array(nodes, dtype=np.int64)
