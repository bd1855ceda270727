"""Certainty of pairs of nodes, from their own texts and from their places in the trees."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.matching import evidence
from cladewise.taxonomy.matching.evidence import Evidence
from cladewise.taxonomy.matching.overlap import Overlap, contained
from cladewise.taxonomy.names.columns import ID
from cladewise.taxonomy.names.sameness import loose
from cladewise.taxonomy.tree import Taxonomy

FloatArray = NDArray[np.float64]
KINDS = {"id": 1, "former id": 2, "name": 4, "synonym": 8, "language": 16, "text": 32, "spelling": 64, "word": 128}
"""Bit of each kind of direct evidence."""
LEAVES = 256
"""Bit of leaves below two nodes that are mostly the same."""
MOSTLY = 0.5
ENOUGH = 2
"""Fewest corresponding leaves below a node that speak against a pair."""


@dataclasses.dataclass(frozen=True)
class Scored:
    """Pairs of nodes with their certainties, one row per pair.

    Attributes:
        old: Old nodes, ``[pair]``.
        new: New nodes, ``[pair]``.
        certainty: In [0, 1], ``[pair]``.
        bits: Kinds of evidence, ``[pair]``.
        same_parent: Whether the parents correspond, ``[pair]``.
        near: 1 - (share of leaves below the nearest corresponding ancestors), ``[pair]``.
        shared: Corresponding leaves below both nodes, ``[pair]``; 0 for leaves.
        of_old: Leaves below the old node with a counterpart anywhere, ``[pair]``.
        of_new: Leaves below the new node with a counterpart anywhere, ``[pair]``.
    """

    old: IntArray
    new: IntArray
    certainty: FloatArray
    bits: IntArray
    same_parent: BoolArray
    near: FloatArray
    shared: IntArray
    of_old: IntArray
    of_new: IntArray

    def where(self, kept: BoolArray | IntArray) -> Scored:
        """Some of the pairs."""
        return Scored(*(getattr(self, field.name)[kept] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Two trees and the direct evidence for pairs of their nodes.

    Attributes:
        old: The old tree.
        new: The new tree.
        evidence: What the nodes' own texts say.
        paths: Pairs of nodes of the same path, columns ``old`` and ``new``.
        by_name: Whether children of corresponding parents are compared by name.
    """

    old: Taxonomy
    new: Taxonomy
    evidence: Evidence
    paths: pl.DataFrame
    by_name: bool = True

    def keys(self, old_nodes: IntArray, new_nodes: IntArray) -> IntArray:
        """One number per pair of nodes."""
        return old_nodes * self.new.num_nodes + new_nodes

    def scored(self, partner: IntArray) -> Scored:
        """Score all pairs that anything speaks for.

        Args:
            partner: The current counterpart of each old node, -1 for none, ``[old node]``; it decides about places.
        """
        keys, direct, bits = self._direct
        namesakes = self._namesakes(partner)
        more = np.setdiff1d(np.concatenate([self._voted(partner), namesakes]), keys)
        u, v = np.divmod(np.concatenate([keys, more]), self.new.num_nodes)
        none = np.zeros(more.size)
        direct, bits = np.concatenate([direct, none]), np.concatenate([bits, none.astype(np.int64)])
        same_parent, near = self._near(u, v, partner)
        places = np.where(same_parent, evidence.SAME_PARENT, evidence.NEAR * near)
        places[np.isin(self.keys(u, v), namesakes)] = evidence.SAME_CHILD
        shared, of_old, of_new = self._leaves(u, v, partner)
        dice = 2 * shared / np.maximum(of_old + of_new, 1)
        below = evidence.SAME_LEAVES * dice * shared / (shared + 1)
        certainty = 1 - np.exp(direct + np.log1p(-places) + np.log1p(-below))
        certainty[np.isin(self.keys(u, v), self._path_keys)] = 1.0
        certainty *= self._against(u, v, bits, shared, of_old, of_new)
        bits = bits | np.where((dice >= MOSTLY) & (shared > 0), LEAVES, 0)
        return Scored(u, v, certainty, bits, same_parent, near, shared, of_old, of_new)

    @cached_property
    def id_codes(self) -> tuple[IntArray, IntArray]:
        """A number for each id, ``[old node]`` and ``[new node]``; -1 without an id, and where ids are not used."""
        if not self.evidence.trust:
            return np.full(self.old.num_nodes, -1), np.full(self.new.num_nodes, -1)
        texts = pl.concat([pl.Series(tree.columns[ID].tolist(), dtype=pl.String) for tree in (self.old, self.new)])
        codes = texts.rank("dense").cast(pl.Int64).to_numpy().copy()
        codes[(texts == "").to_numpy()] = -1
        return codes[: self.old.num_nodes], codes[self.old.num_nodes :]

    @cached_property
    def _path_keys(self) -> IntArray:
        return self.keys(self.paths["old"].to_numpy(), self.paths["new"].to_numpy())

    @cached_property
    def _direct(self) -> tuple[IntArray, FloatArray, IntArray]:
        """Key of each pair with direct evidence or the same path, the log of 1 - its certainty, and its kinds."""
        kind = pl.col("kind").replace_strict(KINDS, return_dtype=pl.Int64)
        frame = self.evidence.frame.with_columns(bit=kind, family=pl.col("kind").replace(evidence.FAMILY))
        bits = frame.unique(["old", "new", "bit"]).group_by("old", "new").agg(bits=pl.col("bit").sum())
        frame = frame.group_by("old", "new", "family").agg(pl.col("weight").max())
        frame = frame.group_by("old", "new").agg(direct=(-pl.col("weight")).log1p().sum())
        frame = frame.join(bits, on=["old", "new"])
        frame = frame.join(self.paths, on=["old", "new"], how="full", coalesce=True).fill_null(0).sort("old", "new")
        keys = self.keys(frame["old"].to_numpy(), frame["new"].to_numpy())
        return keys, frame["direct"].to_numpy(), frame["bits"].to_numpy()

    @cached_property
    def _name_codes(self) -> tuple[IntArray, IntArray]:
        """A number for each name, equal for names that are equal except for case and joining marks."""
        trees = self.old, self.new
        codes = pl.Series([loose(name) for tree in trees for name in tree.names.tolist()]).rank("dense")
        numbers = codes.cast(pl.Int64).to_numpy()
        return numbers[: self.old.num_nodes], numbers[self.old.num_nodes :]

    def _namesakes(self, partner: IntArray) -> IntArray:
        """Keys of pairs of the only children of a name below corresponding parents, ascending."""
        if not self.by_name:
            return np.zeros(0, dtype=np.int64)
        ours, theirs = self._name_codes
        u = np.flatnonzero((self.old.parents >= 0) & (partner[self.old.parents] >= 0))
        v = np.arange(1, self.new.num_nodes)
        most = 1 + max(int(ours.max()), int(theirs.max()))
        at_old, at_new = partner[self.old.parents[u]] * most + ours[u], self.new.parents[v] * most + theirs[v]
        for_old, for_new = (np.unique(at, return_index=True, return_counts=True) for at in (at_old, at_new))
        once = [values[0][values[2] == 1] for values in (for_old, for_new)]
        first = [values[1][values[2] == 1] for values in (for_old, for_new)]
        _, i, j = np.intersect1d(*once, assume_unique=True, return_indices=True)
        return np.sort(self.keys(u[first[0][i]], v[first[1][j]]))

    def _voted(self, partner: IntArray) -> IntArray:
        """Keys of pairs of nodes whose children, or grandchildren of one of them, correspond."""
        u = np.flatnonzero(partner >= 0)
        v = partner[u]
        up, vp = self.old.parents[u], self.new.parents[v]
        u, v, up, vp = (array[(up > 0) & (vp > 0)] for array in (u, v, up, vp))
        grand = self.old.parents[up], self.new.parents[vp]
        votes = np.concatenate(
            [self.keys(up, vp), self.keys(up, grand[1])[grand[1] > 0], self.keys(grand[0], vp)[grand[0] > 0]]
        )
        return np.unique(votes)

    def _near(self, u: IntArray, v: IntArray, partner: IntArray) -> tuple[BoolArray, FloatArray]:
        """Whether the parents of pairs correspond, and how near their nearest corresponding ancestors are.

        Where ancestors correspond crosswise, a lower one of ``u`` to a higher one of ``v`` and the reverse, the pair
        with the smaller share of leaves is the nearest, whichever tree is called old.
        """
        above = self.old.parents[u]
        top = (u == 0) | (v == 0)
        same = np.where(top, (u == 0) & (v == 0), partner[above] == self.new.parents[v])
        share = np.ones(u.size)
        a = np.where(top, 0, above)
        active = np.flatnonzero(a > 0)
        while active.size:
            b = partner[a[active]]
            both = (b >= 0) & contained(self.new, np.maximum(b, 0), v[active])
            of_old = self.old.num_leaves_under[a[active]] / self.old.num_leaves
            of_new = self.new.num_leaves_under[np.maximum(b, 0)] / self.new.num_leaves
            share[active] = np.minimum(share[active], np.where(both, np.maximum(of_old, of_new), 1.0))
            a[active] = self.old.parents[a[active]]
            higher = self.old.num_leaves_under[a[active]] / self.old.num_leaves
            active = active[(a[active] > 0) & (higher < share[active])]  # shares only grow further up
        return same, np.where(top, 0.0, 1 - share)

    def _leaves(self, u: IntArray, v: IntArray, partner: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Corresponding leaves below both nodes, and those below each; 0 where one of the two is a leaf."""
        matched = np.flatnonzero(partner >= 0)
        overlap = Overlap(self.old, self.new, matched, partner[matched])
        inner = ~(self.old.is_leaf[u] | self.new.is_leaf[v])
        counts = np.zeros((3, u.size), dtype=np.int64)
        counts[0, inner] = overlap.shared(u[inner], v[inner])
        counts[1, inner], counts[2, inner] = overlap.of_old[u[inner]], overlap.of_new[v[inner]]
        return counts[0], counts[1], counts[2]

    def _against(
        self, u: IntArray, v: IntArray, bits: IntArray, shared: IntArray, of_old: IntArray, of_new: IntArray
    ) -> FloatArray:
        """Factor for what speaks against each pair."""
        fewer = np.minimum(of_old, of_new)
        inside = shared / np.maximum(fewer, 1)
        factor = np.where(fewer >= ENOUGH, 1 - (1 - evidence.OTHER_LEAVES) * (1 - inside), 1.0)
        ours, theirs = self.id_codes
        other = (ours[u] >= 0) & (theirs[v] >= 0) & (ours[u] != theirs[v])
        factor[other & ((bits & KINDS["former id"]) == 0)] *= evidence.OTHER_ID
        ours, theirs = (_level_names(tree) for tree in (self.old, self.new))
        known = np.isin(ours[u], theirs) & np.isin(theirs[v], ours)
        factor[known & (ours[u] != theirs[v])] *= evidence.OTHER_LEVEL
        return factor


def _level_names(tree: Taxonomy) -> NDArray[np.str_]:
    """The name of each node's level; blank if levels have no names."""
    names = np.array(["", *("" if name.startswith("level_") else name.lower() for name in tree.level_names)])
    return names[tree.level]
