"""Correspondences between the nodes of two versions of a tree, as an immutable value."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import BoolArray, IntArray, StrArray, frozen, sealed, strings
from cladewise.taxonomy.names.sameness import composed
from cladewise.taxonomy.tree import Taxonomy

CHANGES = ("same", "renamed", "moved", "renamed and moved", "merged", "split", "added", "removed")
"""Kinds of change; a pair of nodes has one of the first six."""
_MERGED, _SPLIT, _ADDED, _REMOVED = range(4, 8)


@dataclasses.dataclass(frozen=True, eq=False)
class Correspondence:
    """Pairs of nodes of an old and a new tree that mean the same, and the nodes without a counterpart.

    One row holds a pair, or a node of one tree with -1 for the other. Every node has at least one row, except a root
    without a name, which is no label: it has no row, and corresponds to the other root unless that has a counterpart
    of its own. Rows are in the order of the old nodes, then of the new ones; those without an old node come last.

    The change of a row follows from the pairs and the trees:

    =====================  ===========================================================================================
    ``same``               the only counterpart of each other, of the same name (up to Unicode composition), under
                           parents that correspond
    ``renamed``            as before, with another name
    ``moved``              as before, with the same name, under parents that do not correspond
    ``renamed and moved``  as before, with another name, under parents that do not correspond
    ``split``              the old node has several counterparts
    ``merged``             the new node has several counterparts, and the old one only this
    ``added``              the new node has no counterpart
    ``removed``            the old node has no counterpart
    =====================  ===========================================================================================

    Args:
        old: The old tree.
        new: The new tree.
        old_nodes: Node of the old tree in each row, ``[row]``; -1 for an added node.
        new_nodes: Node of the new tree in each row, ``[row]``; -1 for a removed node.
        certainty: How sure each row is, in [0, 1], ``[row]``.
        evidence: Reasons for each row, for people, ``[row]``.
        ask: Rows that a person must decide, ``[row]``. They are candidates: until then nothing follows from them.

    Raises:
        InputError: A node does not exist or has no row, two rows are equal, or a node has a counterpart in one row and
            none in another.

    Example:
        >>> old = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "tomato"), ("fruit", "kaki"), ("fruit", "sloe")])
        >>> new = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "persimmon"), ("vegetable", "tomato")])
        >>> found = Correspondence.from_pairs(old, new, [(1, 1), (2, 2), (3, 5), (4, 3)])
        >>> for row in found.rows():
        ...     print(row)
        ('fruit', 'fruit', 'same')
        ('fruit/apple', 'fruit/apple', 'same')
        ('fruit/tomato', 'vegetable/tomato', 'moved')
        ('fruit/kaki', 'fruit/persimmon', 'renamed')
        ('fruit/sloe', '', 'removed')
        ('', 'vegetable', 'added')
        >>> found.counterparts(3), found.origins(3), found.only_counterpart, found.containing
        (array([5]), array([4]), array([ 0,  1,  2,  5,  3, -1]), array([0, 1, 2, 5, 3, 1]))
    """

    old: Taxonomy
    new: Taxonomy
    old_nodes: IntArray
    new_nodes: IntArray
    certainty: NDArray[np.float64]
    evidence: StrArray
    ask: BoolArray

    def __post_init__(self) -> None:
        rows = np.asarray(self.old_nodes).size
        kinds = {"old_nodes": np.int64, "new_nodes": np.int64, "certainty": np.float64, "ask": np.bool_}
        for name, kind in kinds.items():
            object.__setattr__(self, name, frozen(np.asarray(getattr(self, name), dtype=kind)))
        object.__setattr__(self, "evidence", frozen(strings(self.evidence)))
        for name in (*kinds, "evidence"):
            if getattr(self, name).shape != (rows,):
                raise InputError(f"{name} of shape [{rows}]", f"shape {getattr(self, name).shape}")
        if not ((self.certainty >= 0) & (self.certainty <= 1)).all():
            raise InputError("certainties in [0, 1]", "others")
        self._check(self.old, self.old_nodes, self.new_nodes, "old")
        self._check(self.new, self.new_nodes, self.old_nodes, "new")
        if np.unique(self._keys(self.old_nodes, self.new_nodes)).size < rows:
            raise InputError("each pair of nodes once", "the same pair in two rows")

    @staticmethod
    def _check(tree: Taxonomy, nodes: IntArray, others: IntArray, side: str) -> None:
        lowest = 1 if tree.synthetic_root else 0
        wrong = nodes[(nodes >= tree.num_nodes) | (nodes < lowest) & (nodes != -1)]
        if wrong.size:
            raise InputError(f"nodes of the {side} tree, {lowest} to {tree.num_nodes - 1}, or -1", int(wrong[0]))
        count = np.bincount(nodes[nodes >= 0], minlength=tree.num_nodes)
        without = lowest + np.flatnonzero(count[lowest:] == 0)
        if without.size:
            some = tree.path_name(int(without[0]))
            raise InputError(f"a row for each node of the {side} tree", f"none for {some!r}")
        alone = nodes[(others < 0) & (nodes >= 0)]
        if (several := alone[count[alone] > 1]).size:
            path = tree.path_name(int(several[0]))
            raise InputError("a counterpart or none", f"{path!r} of the {side} tree with both")
        if ((nodes < 0) & (others < 0)).any():
            raise InputError("a node in each row", "a row without")

    # ---------------------------------------------------------------- building

    @classmethod
    def from_pairs(
        cls,
        old: Taxonomy,
        new: Taxonomy,
        pairs: ArrayLike,
        *,
        certainty: ArrayLike = 1.0,
        evidence: Sequence[str] | StrArray | None = None,
        ask: ArrayLike = False,
    ) -> Correspondence:
        """Build from pairs of nodes in any order; all other nodes become removed or added, with certainty 1.

        Args:
            old: The old tree.
            new: The new tree.
            pairs: Nodes of the old and of the new tree, ``[pair, 2]``. A pair of two roots of which one has no name
                is left out, since it is implied.
            certainty: How sure each pair is, in [0, 1]: one value, or ``[pair]``.
            evidence: Reasons for each pair, ``[pair]``; none by default.
            ask: Whether a person must decide about each pair: one value, or ``[pair]``.

        Raises:
            InputError: A node does not exist, or a pair occurs twice.
        """
        both = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
        certain, asked = np.broadcast_to(certainty, len(both)), np.broadcast_to(ask, len(both))
        reasons = strings([""] * len(both)) if evidence is None else strings(evidence)
        if old.synthetic_root or new.synthetic_root:
            kept = both.any(axis=1)
            both, certain, asked, reasons = both[kept], certain[kept], asked[kept], reasons[kept]
        removed = np.setdiff1d(np.arange(int(old.synthetic_root), old.num_nodes), both[:, 0])
        added = np.setdiff1d(np.arange(int(new.synthetic_root), new.num_nodes), both[:, 1])
        more = removed.size + added.size
        return cls.from_rows(
            old,
            new,
            np.concatenate([both[:, 0], removed, np.full(added.size, -1)]),
            np.concatenate([both[:, 1], np.full(removed.size, -1), added]),
            certainty=np.concatenate([certain, np.ones(more)]),
            evidence=np.concatenate([reasons, strings([""] * more)]),
            ask=np.concatenate([asked, np.zeros(more, dtype=np.bool_)]),
        )

    @classmethod
    def from_rows(
        cls,
        old: Taxonomy,
        new: Taxonomy,
        old_nodes: IntArray,
        new_nodes: IntArray,
        *,
        certainty: NDArray[np.float64],
        evidence: StrArray,
        ask: BoolArray,
    ) -> Correspondence:
        """Build from rows in any order, including those of nodes without a counterpart."""
        order = np.lexsort((new_nodes, np.where(old_nodes < 0, old.num_nodes, old_nodes)))
        return cls(
            old,
            new,
            sealed(old_nodes[order]),
            sealed(new_nodes[order]),
            sealed(certainty[order]),
            sealed(evidence[order]),
            sealed(ask[order]),
        )

    @classmethod
    def identity(cls, taxonomy: Taxonomy) -> Correspondence:
        """Every node corresponds to itself.

        Example:
            >>> Correspondence.identity(Taxonomy.from_paths([("a", "b")])).counts()
            {'same': 2}
        """
        nodes = np.arange(taxonomy.num_nodes)
        return cls.from_pairs(taxonomy, taxonomy, np.stack([nodes, nodes], axis=1))

    def inverse(self) -> Correspondence:
        """The same with old and new exchanged: added is removed, merged is split, and the reverse.

        Example:
            >>> old, new = Taxonomy.from_paths([("a",), ("b",)]), Taxonomy.from_paths([("ab",)])
            >>> found = Correspondence.from_pairs(old, new, [(1, 1), (2, 1)])
            >>> found.counts(), found.inverse().counts()
            ({'merged': 2}, {'split': 2})
        """
        return Correspondence.from_rows(
            self.new,
            self.old,
            self.new_nodes,
            self.old_nodes,
            certainty=self.certainty,
            evidence=self.evidence,
            ask=self.ask,
        )

    # ---------------------------------------------------------------- rows

    def __len__(self) -> int:
        return self.old_nodes.size

    @cached_property
    def change(self) -> StrArray:
        """Kind of change of each row, one of :data:`CHANGES`, ``[row]``."""
        return sealed(strings(CHANGES)[self.change_codes])

    @cached_property
    def change_codes(self) -> IntArray:
        """Index of each row's kind of change in :data:`CHANGES`, ``[row]``."""
        u, v = self.old_nodes, self.new_nodes
        names = self.old.names[u], self.new.names[v]  # of the last node where there is none
        other_name = names[0] != names[1]
        for row in np.flatnonzero(other_name).tolist():
            other_name[row] = composed(str(names[0][row])) != composed(str(names[1][row]))
        code = other_name + 2 * ~self._correspond(self.old.parents[u], self.new.parents[v])
        code = np.where(self.num_origins[v] > 1, _MERGED, code)
        code = np.where(self.num_counterparts[u] > 1, _SPLIT, code)
        code = np.where(u < 0, _ADDED, code)
        return frozen(np.where(v < 0, _REMOVED, code))

    def rows(self) -> list[tuple[str, str, str]]:
        """Path in the old tree, path in the new tree and kind of change of each row, for people."""
        paths = [
            ["" if node < 0 else tree.path_name(node) for node in nodes.tolist()]
            for tree, nodes in ((self.old, self.old_nodes), (self.new, self.new_nodes))
        ]
        return list(zip(*paths, self.change.tolist(), strict=True))

    def counts(self) -> dict[str, int]:
        """Number of rows of each kind of change, without the kinds that do not occur."""
        number = np.bincount(self.change_codes, minlength=len(CHANGES)).tolist()
        return {word: count for word, count in zip(CHANGES, number, strict=True) if count}

    @property
    def decided(self) -> bool:
        """Whether no row is left for a person to decide."""
        return not self.ask.any()

    # ---------------------------------------------------------------- consequences

    @cached_property
    def pairs(self) -> IntArray:
        """All pairs of corresponding nodes, old and new, the implied one of the roots included, ``[pair, 2]``.

        In the order of the old nodes, then of the new ones.
        """
        paired = (self.old_nodes >= 0) & (self.new_nodes >= 0)
        pairs = np.stack([self.old_nodes[paired], self.new_nodes[paired]], axis=1)
        unnamed = (self.old.synthetic_root and not (pairs[:, 1] == 0).any()) or (
            self.new.synthetic_root and not (pairs[:, 0] == 0).any()
        )
        return frozen(np.concatenate([np.zeros((int(unnamed), 2), dtype=np.int64), pairs]))

    def counterparts(self, node: int) -> IntArray:
        """New nodes of an old node, ascending."""
        first, last = np.searchsorted(self.pairs[:, 0], [node, node + 1])
        return self.pairs[first:last, 1]

    def origins(self, node: int) -> IntArray:
        """Old nodes of a new node, ascending."""
        first, last = np.searchsorted(self._by_new[:, 1], [node, node + 1])
        return self._by_new[first:last, 0]

    @cached_property
    def _by_new(self) -> IntArray:
        """The pairs in the order of the new nodes."""
        return frozen(self.pairs[np.lexsort((self.pairs[:, 0], self.pairs[:, 1]))])

    @cached_property
    def num_counterparts(self) -> IntArray:
        """Number of new nodes of each old node, ``[old node]``: 0 if it was removed, 2 and more if it was split."""
        return frozen(np.bincount(self.pairs[:, 0], minlength=self.old.num_nodes))

    @cached_property
    def num_origins(self) -> IntArray:
        """Number of old nodes of each new node, ``[new node]``: 0 if it was added, 2 and more if some were merged."""
        return frozen(np.bincount(self.pairs[:, 1], minlength=self.new.num_nodes))

    @cached_property
    def only_counterpart(self) -> IntArray:
        """New node of each old node if they are the only counterparts of each other, otherwise -1, ``[old node]``."""
        u, v = self.pairs.T
        alone = (self.num_counterparts[u] == 1) & (self.num_origins[v] == 1)
        found = np.full(self.old.num_nodes, -1)
        found[u[alone]] = v[alone]
        return frozen(found)

    @cached_property
    def removed(self) -> IntArray:
        """Old nodes without a counterpart, ascending."""
        return frozen(np.flatnonzero(self.num_counterparts == 0))

    @cached_property
    def added(self) -> IntArray:
        """New nodes without a counterpart, ascending."""
        return frozen(np.flatnonzero(self.num_origins == 0))

    @cached_property
    def containing(self) -> IntArray:
        """The deepest new node that is certain to contain each old node, ``[old node]``.

        The counterpart of a node that has one, and the lowest common ancestor of the counterparts of one that was
        split. A removed node is where the nodes that were below it went: the lowest common ancestor of their new
        parents. If none of those is left either, it is where its parent is. It translates labels and answers.

        Example:
            >>> old = Taxonomy.from_paths([("fish", "crustaceans", "crab"), ("fish", "crustaceans", "shrimp")])
            >>> new = Taxonomy.from_paths([("fish",), ("seafood", "crab"), ("seafood", "shrimp")])
            >>> found = Correspondence.from_pairs(old, new, [(1, 1), (3, 3), (4, 4)])
            >>> new.names[found.containing[2]]
            'seafood'
        """
        found = np.zeros(self.old.num_nodes, dtype=np.int64)
        u, start = np.unique(self.pairs[:, 0], return_index=True)
        end = start + self.num_counterparts[u] - 1
        found[u] = self.new.lca(self.pairs[start, 1], self.pairs[end, 1])  # in pre-order the ends decide
        gone, parents = self.num_counterparts == 0, self.old.parents
        first, last = np.full(self.old.num_nodes, self.new.num_nodes), np.full(self.old.num_nodes, -1)
        for nodes in self.old.nodes_by_depth[:0:-1]:
            left = nodes[gone[nodes] & (last[nodes] >= 0)]
            found[left] = self.new.lca(first[left], last[left])
            some = nodes[~gone[nodes] | (last[nodes] >= 0)]
            above = np.where(gone[some], found[some], np.maximum(self.new.parents[found[some]], 0))
            np.minimum.at(first, parents[some], above)
            np.maximum.at(last, parents[some], above)
        for nodes in self.old.nodes_by_depth[1:]:
            without = nodes[gone[nodes] & (last[nodes] < 0)]
            found[without] = found[parents[without]]
        return frozen(found)

    def _correspond(self, old_nodes: IntArray, new_nodes: IntArray) -> BoolArray:
        """Whether each pair of nodes is one of the pairs, or both are -1."""
        known = self._keys(self.pairs[:, 0], self.pairs[:, 1])
        return np.isin(self._keys(old_nodes, new_nodes), known) | ((old_nodes < 0) & (new_nodes < 0))

    def _keys(self, old_nodes: IntArray, new_nodes: IntArray) -> IntArray:
        """A number for each pair of nodes, different for different pairs; either may be -1."""
        return (old_nodes + 1) * (self.new.num_nodes + 1) + new_nodes + 1
