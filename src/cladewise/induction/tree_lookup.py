"""Look-up of classes in a larger tree: by name, id or synonym, then by spelling; ambiguous ones are questions."""

from __future__ import annotations

import dataclasses
from typing import Literal

from cladewise.induction.proposal import ClassList
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.lookup import near_names
from cladewise.taxonomy.names.sameness import loose

MOST_NEAR = 200
"""Most classes that were not found for which the nearest names are looked for."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """Place of a class in a larger tree.

    Args:
        node: Its node; of an ambiguous class the lowest common ancestor of all that it could be; -1 if not found.
        how: How it was found.
        told: The same as a sentence without its full stop.
        certainty: 1 by name, 0.9 by spelling, otherwise 0.
        choices: Paths that it could be.
    """

    node: int
    how: Literal["name", "spelling", "ambiguous", "missing"]
    told: str
    certainty: float
    choices: tuple[str, ...] = ()


def look_up(tree: Taxonomy, classes: ClassList) -> list[Placed]:
    """Place of every class.

    Example:
        >>> from cladewise.induction.class_lists import class_list
        >>> tree = Taxonomy.from_paths([("bird", "Winter-Wren"), ("bird", "crane"), ("machine", "crane")])
        >>> [(one.how, one.node) for one in look_up(tree, class_list(["crane", "winter wren", "tram"]))]
        [('ambiguous', 0), ('missing', -1), ('spelling', 2)]
    """
    found = [_place(tree, name) for name in classes.names]
    missing = [k for k, one in enumerate(found) if one.how == "missing"]
    for k in missing[:MOST_NEAR]:
        near = near_names(tree, classes.names[k])
        found[k] = dataclasses.replace(found[k], choices=tuple(near))
    return found


def _place(tree: Taxonomy, name: str) -> Placed:
    nodes = tree.matches(name)
    if len(nodes) == 1:
        path = tree.path_name(nodes[0])
        return Placed(nodes[0], "name", path, 1.0)
    if not nodes:
        index = tree.called(loose)
        held = [where.get(loose(name), []) for where in (index.names, index.synonyms)]
        nodes = next((one if isinstance(one, list) else [one] for one in held if one != []), [])
        if len(nodes) == 1:
            return Placed(nodes[0], "spelling", f"found as {tree.path_name(nodes[0])}", 0.9)
    if not nodes:
        return Placed(-1, "missing", "not found in the tree; it is at the top", 0.0)
    shared = int(tree.lca(min(nodes), max(nodes)))
    paths = tuple(tree.path_name(node) for node in nodes)
    where = tree.path_name(shared) or "the top"
    return Placed(
        shared, "ambiguous", f"could be {len(nodes)} nodes; it is put where they meet, at {where}", 0.0, paths
    )
