"""Altered trees: a tree derived from another, with the mapping between their nodes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.tree import Taxonomy

__all__ = ["Alteration"]

IntArray = NDArray[np.int64]

ORIGIN = "true_node"
"""Column of an altered tree's node table with the corresponding node of the true tree."""


@dataclasses.dataclass(frozen=True, eq=False)
class Alteration:
    """A true tree and an altered version of it: the same leaves, possibly fewer inner nodes, other edges.

    Args:
        true: The true tree.
        own: The altered tree, which a network trained on it knows.
        origin: Node of ``true`` that corresponds to each node of ``own``, ``[node]``.

    Raises:
        InputError: A node is not in the true tree or occurs twice, or the leaves differ.

    Example:
        >>> from cladewise.taxonomy.surgery import without_levels
        >>> change = without_levels(Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d")]), [2])
        >>> change.own.path_name(2), change.true.path_name(int(change.origin[2])), change.own_node.tolist()
        ('a/c', 'a/b/c', [0, 1, 1, 2, 3])
    """

    true: Taxonomy
    own: Taxonomy
    origin: IntArray

    def __post_init__(self) -> None:
        inside = (self.origin >= 0) & (self.origin < self.true.num_nodes)
        if self.origin.shape != (self.own.num_nodes,) or not inside.all() or self.origin[0] != 0:
            raise InputError("a node of the true tree for each node of the altered, root for root", "others")
        if np.unique(self.origin).size != self.origin.size:
            raise InputError("each node of the true tree at most once", "one twice")
        if not np.array_equal(np.sort(self.origin[self.own.leaf_nodes]), self.true.leaf_nodes):
            raise InputError("the leaves of the true tree", "others in the altered one")

    @classmethod
    def none(cls, taxonomy: Taxonomy) -> Alteration:
        """The identity: a tree without alteration.

        Example:
            >>> Alteration.none(Taxonomy.from_paths([("a",)])).is_none
            True
        """
        return cls(taxonomy, taxonomy, np.arange(taxonomy.num_nodes))

    @classmethod
    def read(cls, own: Path, true: Path) -> Alteration:
        """Read what :meth:`write` wrote; the identity if there is only one file.

        Raises:
            InputError: The files do not belong together.
        """
        if not true.is_file():
            return cls.none(Taxonomy.read(own))
        altered = Taxonomy.read(own)
        if ORIGIN not in altered.columns:
            raise InputError(f"a node table with the column {ORIGIN}", "none", at=str(own))
        return cls(Taxonomy.read(true), altered, altered.columns[ORIGIN].astype(np.int64))

    def write(self, own: Path, true: Path) -> None:
        """Write the altered tree, with its origin as a column, and the true tree; only the latter if they are equal."""
        if self.is_none:
            self.true.write(own)
            return
        self.true.write(true)
        texts = self.origin.astype(np.dtypes.StringDType())
        self.own.with_columns({**self.own.columns, ORIGIN: texts}).write(own)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of both trees: structure, names, levels and their names, further columns.

        Example:
            >>> t = Taxonomy.from_paths([("a", "b")], level_names=["genus", "species"])
            >>> renamed = Taxonomy.from_paths([("a", "b")], level_names=["family", "species"])
            >>> t == renamed, Alteration.none(t).fingerprint == Alteration.none(renamed).fingerprint
            (True, False)
        """
        digest = hashlib.sha256(self.origin.astype("<i8").tobytes())
        for tree in (self.true, self.own):
            columns = {name: texts.tolist() for name, texts in tree.columns.items() if name != ORIGIN}
            rest = json.dumps([tree.fingerprint, list(tree.level_names), sorted(columns.items())])
            digest.update(rest.encode())
        return digest.hexdigest()[:32]

    def then(self, later: Alteration) -> Alteration:
        """This alteration followed by another."""
        return Alteration(self.true, later.own, self.origin[later.origin])

    @cached_property
    def is_none(self) -> bool:
        """Whether nothing is altered."""
        same = self.own is self.true or self.own == self.true
        return same and np.array_equal(self.origin, np.arange(self.origin.size))

    @cached_property
    def own_node(self) -> IntArray:
        """Node of the altered tree for each true node; for a removed one, its nearest remaining ancestor."""
        found = np.full(self.true.num_nodes, -1)
        found[self.origin] = np.arange(self.origin.size)
        for nodes in self.true.nodes_by_depth[1:]:
            gone = nodes[found[nodes] < 0]
            found[gone] = found[self.true.parents[gone]]
        return found

    @cached_property
    def own_leaf(self) -> IntArray:
        """Leaf position in the altered tree for each leaf position of the true tree."""
        return self.own.leaf_start[self.own_node[self.true.leaf_nodes]]

    @property
    def num_moved(self) -> int:
        """Number of leaves whose parent is not an ancestor of theirs in the true tree.

        Example:
            >>> from cladewise.taxonomy.surgery import with_wrong_parents
            >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
            >>> with_wrong_parents(t, 0.5, seed=0).num_moved
            2
        """
        leaves = self.own.leaf_nodes[self.own.leaf_nodes > 0]
        above = self.origin[self.own.parents[leaves]]
        return int((~self.true.contains(above, self.origin[leaves])).sum())

    @cached_property
    def keeps_groups(self) -> bool:
        """Whether every node of the altered tree has the same leaves as in the true tree.

        This holds if nodes were removed and none moved.
        """
        above, here = self.origin[self.own.parents[1:]], self.origin[1:]
        same_size = self.own.num_leaves_under == self.true.num_leaves_under[self.origin]
        return bool(self.true.contains(above, here).all() and same_size.all())
