"""Softmax over the leaves, and over all nodes."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.predictions.leaf_weights import LeafWeights
from cladewise.predictions.pools import Pooling
from cladewise.predictions.prediction import (
    BestLeaf,
    Coherence,
    Prediction,
    best_nodes,
    check_a_leaf,
    check_width,
    first_largest,
)
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration


@dataclasses.dataclass(frozen=True, eq=False)
class LeafSoftmax(Prediction):
    r"""A softmax over the leaves, summed up the tree ("bottom-up").

    .. math:: \log p_v = \operatorname{LSE}_{l \in B(v)} z_l - \operatorname{LSE}_l z_l

    where :math:`B(v)` are the leaves at or under :math:`v`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> LeafSoftmax(t, torch.zeros(1, 3)).log_prob.exp()
        tensor([[1.0000, 0.6667, 0.3333, 0.3333, 0.3333]])
    """

    leaf_logits: Float[Tensor, "*batch leaf"]

    def __post_init__(self) -> None:
        check_width(self.leaf_logits, self.taxonomy.num_leaves, "leaf")

    @property
    def coherence(self) -> Coherence:
        return Coherence.EXACT

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        return self.leaf_logits

    @property
    def scored_nodes(self) -> Int[Tensor, " out"]:
        return ops.tree_index(self.taxonomy, self.device).leaf_nodes

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return ops.leaf_logsumexp(ops.at_least_float(self.leaf_logits).log_softmax(-1), self.taxonomy)

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        return _scatter(ops.at_least_float(self.leaf_logits).log_softmax(-1), self.scored_nodes, self.taxonomy)

    def best_leaf_and_rivals(
        self, nodes: Int[Tensor, " k"]
    ) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch k"]]:
        # the best leaf has at least 1 / leaves, so nodes that reach it are safe in plain sums
        leaves = ops.at_least_float(self.leaf_logits).softmax(-1)
        best, place = first_largest(leaves)
        return place, best.log(), ops.leaf_subtree_sum(leaves, self.taxonomy, at=nodes).log()

    # the raw logits order the leaves as their log-probabilities do, without a sum up the tree

    def leaf_order(self) -> Float[Tensor, "*batch leaf"]:
        return self.leaf_logits

    def best_leaf(self) -> BestLeaf:
        log_prob = ops.at_least_float(self.leaf_logits).log_softmax(-1)
        best = self.leaf_logits.argmax(-1, keepdim=True)
        return BestLeaf(self.scored_nodes[best.squeeze(-1)], log_prob.gather(-1, best).squeeze(-1))

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self.leaf_logits


@dataclasses.dataclass(frozen=True, eq=False)
class NodeSoftmax(Prediction):
    r"""A softmax over all nodes; the probability of a node is its own mass plus all mass below it.

    .. math:: \log q_v = \operatorname{LSE}_{u \in De(v)} z_u - \operatorname{LSE}_u z_u

    The logits belong to all nodes, or to all but the root (``with_root=False``; the root then owns nothing).

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> NodeSoftmax(t, torch.zeros(1, 3), with_root=False).log_prob.exp()
        tensor([[1.0000, 1.0000, 0.3333, 0.3333]])
    """

    node_logits: Float[Tensor, "*batch out"]
    with_root: bool = True

    def __post_init__(self) -> None:
        check_width(self.node_logits, self.taxonomy.num_nodes - (not self.with_root), "node")

    @property
    def coherence(self) -> Coherence:
        return Coherence.SUPERADDITIVE

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        return self.node_logits

    @property
    def scored_nodes(self) -> Int[Tensor, " out"]:
        return torch.arange(0 if self.with_root else 1, self.taxonomy.num_nodes, device=self.device)

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return ops.subtree_logsumexp(self.own_log_prob, self.taxonomy)

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        own = ops.at_least_float(self.node_logits).log_softmax(-1)
        lone = self.taxonomy.num_nodes == 1  # then the root is all there is
        return own if self.with_root else torch.nn.functional.pad(own, (1, 0), value=0.0 if lone else -torch.inf)

    def ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        return best_nodes(self.logits, self.scored_nodes, k)

    def weighted(self, weights: LeafWeights) -> Self:
        if weights.only_cuts:
            shut = ~weights.possible[..., self.scored_nodes]
            return check_a_leaf(self.map(lambda logits: logits.masked_fill(shut, -torch.inf)))
        largest = weights.largest_below[..., self.scored_nodes]
        return check_a_leaf(self.map(lambda logits: ops.at_least_float(logits) + largest))

    def pooled_by(self, pooling: Pooling) -> NodeSoftmax:
        logits = pooling(ops.at_least_float(self.node_logits).log_softmax(-1))
        return NodeSoftmax(self.taxonomy, logits, self.with_root)

    def carried_over(self, change: Alteration, levels: tuple[int, ...]) -> NodeSoftmax:
        """The same softmax over more nodes; the added ones have probability 0."""
        first = 0 if self.with_root else 1
        nodes = torch.as_tensor(change.origin[first:] - first, device=self.device)
        logits = self.node_logits
        full = logits.new_full((*self.batch_shape, change.true.num_nodes - first), -torch.inf)
        return NodeSoftmax(change.true, full.index_copy(-1, nodes, logits), self.with_root)


def _scatter(values: Tensor, nodes: Tensor, taxonomy: Taxonomy) -> Tensor:
    full = values.new_full((*values.shape[:-1], taxonomy.num_nodes), -torch.inf)
    return full.index_copy(-1, nodes, values)
