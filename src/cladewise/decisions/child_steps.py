"""One step down the tree for many images at once: the best child of each image's current node."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates
from cladewise.ops import DepthIndex
from cladewise.taxonomy import Taxonomy


class BestChildren(NamedTuple):
    """The best child of one node per image, and how it compares with its siblings."""

    child: Int[Tensor, " walker"]
    """The child with the largest value; of equals the lowest."""
    runner_up: Float[Tensor, " walker"]
    """The largest value of its siblings; -inf for an only child."""
    share: Float[Tensor, " walker"]
    """Log of the child's share in a softmax over the siblings' values."""


def best_children(
    values: Float[Tensor, "image node"],
    image: Int[Tensor, " walker"],
    node: Int[Tensor, " walker"],
    level: DepthIndex,
    taxonomy: Taxonomy,
) -> BestChildren:
    """The step from each walker's current node to a child.

    Args:
        values: Values by which siblings are compared.
        image: Row of the values for each walker.
        node: Current node of each walker: inner nodes, all one depth above the level.
        level: The nodes one deeper.
        taxonomy: The label tree.
    """
    place = torch.searchsorted(level.parents, node)
    stop = torch.cat([level.first_child[1:], level.first_child.new_tensor([len(level.children)])])
    first, count = level.first_child[place], stop[place] - level.first_child[place]
    walker = torch.arange(len(node), device=node.device).repeat_interleave(count)
    within = torch.arange(len(walker), device=node.device) - (count.cumsum(0) - count)[walker]
    child = level.children[first[walker] + within]
    family = Candidates(taxonomy, len(node), walker, child, values[image[walker], child])
    best = family.best(family.log_prob)
    rest = family.where(child != best[walker])
    peak = family.largest(family.log_prob)
    total = torch.zeros_like(peak).scatter_add_(0, walker, torch.exp(family.log_prob - peak[walker]).nan_to_num_(1.0))
    return BestChildren(best, rest.largest(rest.log_prob), -total.log())
