"""Weights of the leaves, by which what else is known of an image changes a prediction."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class LeafWeights:
    r"""Weights by which the probabilities of the leaves are multiplied; a weight of 0 rules a leaf out.

    A score of its own that stands for several leaves (an inner node, a node of a coarse level) is multiplied by the
    largest of their weights, :math:`w_G = \max_{l \in G} w_l`. Weights 0 and 1 thus leave every group with a possible
    leaf as it is, and bounds remain bounds. The mean of the weights by the probabilities that the image's finest level
    gives the leaves is Bayes' rule for a group if all levels are calibrated alike; it was measured to be worse (an
    accuracy of 0.936 at the coarsest level, against 0.972), since levels that are trained apart are not. The plain mean
    of the weights was as good (0.971).

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
        >>> weights.possible.tolist(), weights.largest_below.exp()
        ([True, True, True, False, True], tensor([3., 1., 1., 0., 3.]))
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

    def largest_in(self, group: Int[Tensor, " leaf"], num_groups: int) -> Float[Tensor, "*image group"]:
        """Logarithm of the largest weight in each group of leaves; ``group[leaf]`` is the group of a leaf."""
        least = self.log_weight.new_full((*self.log_weight.shape[:-1], num_groups), -torch.inf)
        return least.scatter_reduce(-1, group.expand_as(self.log_weight), self.log_weight, "amax")
