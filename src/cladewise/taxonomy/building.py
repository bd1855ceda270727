"""Trees put together from paths, and trees with one more leaf."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.names.paths import path_text

if TYPE_CHECKING:
    from cladewise.taxonomy.tree import Taxonomy


def of_paths(paths: Iterable[Sequence[str]]) -> tuple[list[int], list[str], list[int]]:
    """Parent, name and level of every node, parents first, of the tree that paths share; node 0 is the synthetic root.

    Example:
        >>> of_paths([("fruit", "apple"), ("fruit", "", "fuji")])
        ([-1, 0, 1, 1], ['', 'fruit', 'apple', 'fuji'], [0, 1, 2, 3])
    """
    parents, names, level = [-1], [""], [0]
    node_by_path: dict[tuple[int, int, str], int] = {}
    for path in paths:
        if isinstance(path, str):
            raise InputError("each path to be a sequence of names", repr(path), advice='Part it: path.split("/").')
        node = 0
        for position, name in enumerate(cast("Sequence[object]", path), start=1):
            if not isinstance(name, str):
                raise InputError("names that are texts", f"{name!r} in {tuple(path)!r}")
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


def with_leaf(tree: Taxonomy, name: str, parent: int) -> tuple[Taxonomy, int]:
    """The tree with one more leaf, and its index; see :meth:`cladewise.taxonomy.Taxonomy.with_leaf`."""
    if not 0 <= parent < tree.num_nodes:
        raise InputError(f"a node, 0 to {tree.num_nodes - 1}", parent)
    siblings = tree.children(parent)
    if not name.strip() or name in tree.names[siblings].tolist():
        above = tree.path_name(parent) or "the root"
        raise InputError("a name that no child has", repr(name), at=above)
    level = int(tree.level[siblings[-1]] if siblings.size else tree.level[parent] + 1)
    path = path_text((*tree.path_names(parent), name))
    grown = type(tree).from_parents(
        np.append(tree.parents, parent),
        [*tree.names.tolist(), name],
        level=np.append(tree.level, level),
        level_names=[*tree.level_names, *(f"level_{k}" for k in range(tree.num_levels + 1, level + 1))],
        columns={key: [*texts.tolist(), path if key == "id" else ""] for key, texts in tree.columns.items()},
        synthetic_root=tree.synthetic_root,
    )
    return grown, int(tree.end[parent])
