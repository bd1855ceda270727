"""One softmax per level of the taxonomy."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.leaf_weights import LeafWeights
from cladewise.predictions.pools import Pooling
from cladewise.predictions.prediction import (
    Coherence,
    LevelLogProb,
    Prediction,
    SiblingScores,
    check_a_leaf,
    check_width,
)
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration


def level_layout(taxonomy: Taxonomy, levels: tuple[int, ...]) -> list[Int[np.ndarray, " level_node"]]:
    """Nodes of each chosen extended level, coarse to fine; a leaf above a level is repeated in it.

    Raises:
        InputError: A level does not exist, they are not ascending, or the finest is not among them.
    """
    count = taxonomy.num_levels
    ascending = list(levels) == sorted(set(levels)) and all(1 <= level <= count for level in levels)
    if not ascending or (count and (not levels or levels[-1] != count)):
        raise InputError(
            f"ascending levels among 1 to {count}, the finest among them", ", ".join(map(str, levels)) or "none"
        )
    return [taxonomy.level_nodes(level) for level in levels]


@dataclasses.dataclass(frozen=True, eq=False)
class LevelSoftmax(Prediction):
    r"""A softmax over the nodes of each extended level, independently.

    .. math:: \log p_v^{(k)} = z_v^{(k)} - \operatorname{LSE}_{u \in \text{level}\ k} z_u^{(k)}

    The log-probability of a node is the one at the shallowest chosen level that has it (the sum of its leaves at the
    finest level where none does), or that of a descendant where it is larger, so that no child exceeds its parent.
    :meth:`level_log_prob` gives the levels as they are.

    Args:
        taxonomy: The label tree.
        level_logits: Scores of the nodes of the chosen levels, one level after another; if ``tied``, of the distinct
            nodes of those levels, ascending.
        levels: The chosen levels, 1 for the coarsest; all of them where none are given. The finest is always one.
        tied: Whether a leaf above a level has a single score, shared by all levels that repeat it.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> prediction = LevelSoftmax(t, torch.zeros(1, 5))
        >>> prediction.level_log_prob(2).log_prob.exp(), prediction.log_prob.exp()
        (tensor([[0.3333, 0.3333, 0.3333]]), tensor([[1.0000, 0.5000, 0.3333, 0.3333, 0.5000]]))
    """

    level_logits: Float[Tensor, "*batch out"]
    levels: tuple[int, ...] = ()
    tied: bool = False

    def __post_init__(self) -> None:
        levels = tuple(self.levels) or tuple(range(1, self.taxonomy.num_levels + 1))
        object.__setattr__(self, "levels", levels)
        check_width(self.level_logits, level_width(self.taxonomy, levels, tied=self.tied), "node of each chosen level")

    @cached_property
    def _layout(self) -> list[Tensor]:
        return [torch.tensor(nodes, device=self.device) for nodes in level_layout(self.taxonomy, self.levels)]

    @property
    def coherence(self) -> Coherence:
        return Coherence.MONOTONE

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        return self.level_logits

    @cached_property
    def scored_nodes(self) -> Int[Tensor, " out"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not self._layout:
            return torch.zeros(0, dtype=torch.int64, device=self.device)
        key = ("scored nodes", self.levels, self.tied, self.device)
        return cached_for(self.taxonomy, key, self._scored_nodes)

    def _scored_nodes(self) -> Int[Tensor, " out"]:
        nodes = np.concatenate(level_layout(self.taxonomy, self.levels))
        return torch.tensor(np.unique(nodes) if self.tied else nodes, device=self.device)

    @cached_property
    def by_level(self) -> tuple[LevelLogProb, ...]:
        """Log-probabilities of the chosen levels, coarse to fine."""
        logits = ops.at_least_float(self.level_logits)
        if self.tied:
            place = torch.zeros(self.taxonomy.num_nodes, dtype=torch.int64, device=self.device)
            place[self.scored_nodes] = torch.arange(len(self.scored_nodes), device=self.device)
            parts = [logits[..., place[nodes]] for nodes in self._layout]
        else:
            parts = list(logits.split([len(nodes) for nodes in self._layout], dim=-1)) if self._layout else []
        return tuple(LevelLogProb(n, z.log_softmax(-1)) for n, z in zip(self._layout, parts, strict=True))

    def level_log_prob(self, level: int) -> LevelLogProb:
        if level in self.levels:
            return self.by_level[self.levels.index(level)]
        return super().level_log_prob(level)

    @cached_property
    def scores(self) -> Float[Tensor, "*batch node"]:
        """Raw scores at every node, from the shallowest level that has it."""
        key = ("columns of the shallowest level", self.levels, self.tied, self.device)
        nodes, columns = cached_for(self.taxonomy, key, self._shallowest)
        full = self.level_logits.new_full((*self.batch_shape, self.taxonomy.num_nodes), -torch.inf)
        return full.index_copy(-1, nodes, self.level_logits.index_select(-1, columns))

    def _shallowest(self) -> tuple[Int[Tensor, " node"], Int[Tensor, " node"]]:
        """The distinct nodes, and the column of each at the shallowest level that has it."""
        nodes, columns = np.unique(self.scored_nodes.cpu().numpy(), return_index=True)
        return torch.tensor(nodes, device=self.device), torch.tensor(columns, device=self.device)

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        if not self.by_level:
            return ops.at_least_float(self.level_logits).new_zeros(*self.batch_shape, self.taxonomy.num_nodes)
        full = ops.leaf_logsumexp(self.by_level[-1].log_prob, self.taxonomy)  # the finest level is the leaves
        for nodes, log_prob in reversed(self.by_level):
            full = full.index_copy(-1, nodes, log_prob)
        root = torch.zeros_like(full[..., :1])
        return torch.cat([root, ops.subtree_max(full, self.taxonomy)[..., 1:]], dim=-1)

    def prob_outside(self, image: Int[Tensor, " pair"], node: Int[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        rows, row = image.unique(return_inverse=True)
        return self._outside(rows)[row, node]

    def all_outside(self) -> Float[Tensor, "image node"]:
        return self._outside(None)

    def _outside(self, rows: Int[Tensor, " row"] | None) -> Float[Tensor, "row node"]:
        """Probability outside every node, for some images or for all."""
        if not self.by_level:
            return torch.zeros_like(self.log_prob if rows is None else self.log_prob[rows]).double()
        index = ops.tree_index(self.taxonomy, self.device)

        def masses(level: LevelLogProb) -> Float[Tensor, "row level_node"]:
            chosen = level.log_prob if rows is None else level.log_prob.index_select(0, rows)
            return chosen.double().exp()

        # as log_prob: the leaves at the finest level, the shallowest level that has a node, and the best of a subtree
        outside = ops.sums_outside(masses(self.by_level[-1]), index.leaf_start, index.leaf_end)
        for level in reversed(self.by_level):
            place = torch.arange(len(level.nodes), device=self.device)
            outside = outside.index_copy(1, level.nodes, ops.sums_outside(masses(level), place, place + 1))
        return -ops.subtree_max(-outside, self.taxonomy) * (index.depth > 0)

    @property
    def own_levels(self) -> tuple[int, ...]:
        return self.levels

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self.by_level[-1].log_prob if self.by_level else super().leaf_scores()

    def raw_leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        if not self._layout:
            return self.leaf_scores()
        return self.scores_up_to(self.levels[-1]).index_select(-1, self._layout[-1])

    def sibling_scores(self) -> SiblingScores:
        values = self.log_prob.clone()
        for nodes, log_prob in reversed(self.by_level):  # the shallowest last, as everywhere
            values[..., nodes] = log_prob
        return SiblingScores(values, are_logits=True)

    def scores_up_to(self, level: int) -> Float[Tensor, "*batch node"]:
        if self.tied:
            return self.scores
        key = ("columns of repeated leaves", self.levels, level, self.device)
        nodes, columns = cached_for(self.taxonomy, key, lambda: self._repeated_leaves(level))
        if not len(nodes):
            return self.scores
        return self.scores.index_copy(-1, nodes, self.level_logits.index_select(-1, columns))

    def _repeated_leaves(self, finest: int) -> tuple[Int[Tensor, " leaf"], Int[Tensor, " leaf"]]:
        """Leaves that several levels up to a finest one score, and the column of each in the finest of those."""
        column, start = np.full(self.taxonomy.num_nodes, -1), 0
        for level, nodes in zip(self.levels, level_layout(self.taxonomy, self.levels), strict=True):
            if level <= finest:
                repeated = np.flatnonzero(self.taxonomy.is_leaf[nodes] & (self.taxonomy.level[nodes] < level))
                column[nodes[repeated]] = start + repeated
            start += len(nodes)
        leaves = np.flatnonzero(column >= 0)
        return torch.tensor(leaves, device=self.device), torch.tensor(column[leaves], device=self.device)

    def weighted(self, weights: LeafWeights) -> Self:
        if not self.by_level:
            return self
        if self.tied:
            largest = weights.largest_below[..., self.scored_nodes]
        else:
            largest = torch.cat([self._largest_at(place, weights) for place in range(len(self.levels))], -1)
        if weights.only_cuts:
            return check_a_leaf(self.map(lambda logits: logits.masked_fill(largest == -torch.inf, -torch.inf)))
        return check_a_leaf(self.map(lambda logits: ops.at_least_float(logits) + largest))

    def _largest_at(self, place: int, weights: LeafWeights) -> Tensor:
        """Largest weight of the leaves that each node stands for at one of the chosen levels.

        A node that is in a level on behalf of children which skip it represents only those there.
        """
        taxonomy, level = self.taxonomy, self.levels[place]
        nodes = taxonomy.level_nodes(level)
        group = np.searchsorted(nodes, taxonomy.at_level(level)[taxonomy.leaf_nodes])
        return weights.largest_in(torch.tensor(group, device=self.device), len(nodes))

    def pooled_by(self, pooling: Pooling) -> LevelSoftmax:
        """The levels pooled one by one; a leaf that several levels repeat has a score in each."""
        parts = [pooling(level.log_prob) for level in self.by_level]
        return LevelSoftmax(self.taxonomy, torch.cat(parts or [pooling(self.level_logits)], -1), self.levels)

    def tempered_by_level(self, temperature: Float[Tensor, " level"]) -> LevelSoftmax:
        """Each level's own softmax at its temperature; a leaf in several levels has a score of its own in each."""
        parts = [
            ops.tempered(log_prob, temperature[level - 1])
            for level, (_, log_prob) in zip(self.levels, self.by_level, strict=True)
        ]
        logits = torch.cat(parts, -1) if parts else self.level_logits
        return LevelSoftmax(self.taxonomy, logits, self.levels)

    def carried_over(self, change: Alteration, levels: tuple[int, ...]) -> LevelSoftmax | None:
        """The same scores at the levels that the true tree has in their place."""
        if not levels:
            return None
        chosen = tuple(levels[level - 1] for level in self.levels)
        return LevelSoftmax(change.true, self.level_logits, chosen, self.tied)


def level_width(taxonomy: Taxonomy, levels: tuple[int, ...], *, tied: bool) -> int:
    """Number of scores of a :class:`LevelSoftmax`."""
    layout = level_layout(taxonomy, levels)
    if not layout:
        return 0
    nodes = np.concatenate(layout)
    return len(np.unique(nodes)) if tied else len(nodes)
