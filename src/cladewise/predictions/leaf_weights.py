"""Weights of the leaves, by which what else is known of an image changes a prediction."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class LeafWeights:
    r"""Weights by which the probabilities of the leaves are multiplied; a weight of 0 rules a leaf out.

    A score that stands for several leaves is multiplied by their mean weight given the image, among those not ruled
    out:

    .. math:: \bar w_G = \frac{\sum_{l \in G} q_l w_l}{\sum_{l \in G,\ w_l > 0} q_l}

    where :math:`q` is what the prediction says of the leaves themselves. Weights 0 and 1 thus leave the scores of all
    groups with a possible leaf as they are, and for a coherent prediction the rule is Bayes'.

    Args:
        taxonomy: The label tree.
        log_weight: Logarithm of the weight of each leaf, for all images or for each; -inf rules it out.
        only_cuts: Whether all weights, of other images too, are 0 or 1. It decides on the kind of the result where
            sigmoids can only be cut.

    Raises:
        InputError: There is not one weight per leaf.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> weights = LeafWeights(t, torch.tensor([1.0, 0.0, 3.0]).log())
        >>> weights.possible.tolist()
        [True, True, True, False, True]
        >>> weights.mean_below(torch.zeros(1, 3)).exp()
        tensor([[2., 1., 1., 0., 3.]])
    """

    taxonomy: Taxonomy
    log_weight: Float[Tensor, "*image leaf"]
    only_cuts: bool = False

    def __post_init__(self) -> None:
        if self.log_weight.ndim == 0 or self.log_weight.shape[-1] != self.taxonomy.num_leaves:
            raise InputError(
                f"log-weights [*image, {self.taxonomy.num_leaves}], one per leaf", f"{list(self.log_weight.shape)}"
            )

    @cached_property
    def possible(self) -> Bool[Tensor, "*image node"]:
        """Which nodes have a leaf at or under them that is not ruled out."""
        return self.largest_below > -torch.inf

    def mean_below(self, leaf_scores: Float[Tensor, "*image leaf"]) -> Float[Tensor, "*image node"]:
        r"""Logarithm of :math:`\bar w` of the leaves at or under each node; -inf where all are ruled out.

        Args:
            leaf_scores: Scores with differences :math:`\log q_l`. Where all leaves that are left have -inf, the
                largest weight counts.
        """
        scores = ops.at_least_float(leaf_scores).log_softmax(-1)
        weighted, plain = (ops.leaf_logsumexp(values, self.taxonomy) for values in self._with_and_without(scores))
        return _ratio(weighted, plain, self.largest_below)

    @cached_property
    def largest_below(self) -> Float[Tensor, "*image node"]:
        """Logarithm of the largest weight of the leaves at or under each node; -inf where all are ruled out."""
        return self._extreme(self.log_weight)

    @cached_property
    def smallest_below(self) -> Float[Tensor, "*image node"]:
        """Logarithm of the smallest weight of the leaves at or under each node that are not ruled out; else -inf."""
        smallest = -self._extreme((-self.log_weight).masked_fill(self.log_weight == -torch.inf, -torch.inf))
        return smallest.masked_fill(smallest == torch.inf, -torch.inf)

    def _extreme(self, leaf_values: Tensor) -> Tensor:
        index = ops.tree_index(self.taxonomy, leaf_values.device)
        full = leaf_values.new_full((*leaf_values.shape[:-1], self.taxonomy.num_nodes), -torch.inf)
        return ops.subtree_max(full.index_copy(-1, index.leaf_nodes, leaf_values), self.taxonomy)

    def mean_in(
        self, leaf_scores: Float[Tensor, "*image leaf"], group: Tensor, num_groups: int
    ) -> Float[Tensor, "*image group"]:
        """As :meth:`mean_below`, for groups of leaves: ``group[leaf]`` is the group of a leaf."""
        scores = ops.at_least_float(leaf_scores).log_softmax(-1)
        weighted, plain = (ops.grouped_logsumexp(v, group, num_groups) for v in self._with_and_without(scores))
        into = group.expand_as(self.log_weight)
        largest = self.log_weight.new_full((*self.log_weight.shape[:-1], num_groups), -torch.inf)
        return _ratio(weighted, plain, largest.scatter_reduce(-1, into, self.log_weight, "amax"))

    def _with_and_without(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the leaves that are left, with their weights and without."""
        return scores + self.log_weight, scores.masked_fill(self.log_weight == -torch.inf, -torch.inf)


def _ratio(weighted: Tensor, plain: Tensor, largest: Tensor) -> Tensor:
    """Logarithm of a mean weight; the largest weight where there is nothing to weigh by."""
    empty = plain == -torch.inf
    mean = weighted.masked_fill(empty, 0.0) - plain.masked_fill(empty, 0.0)
    return torch.where(empty, largest, mean)
