"""Steps down the tree: the best child of where each image has got to. Only the children on the way are looked at."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates
from cladewise.ops import DepthIndex
from cladewise.taxonomy import Taxonomy


class BestChildren(NamedTuple):
    """The children of one node an image, in short."""

    child: Int[Tensor, " walker"]
    """The child of largest value, the lowest of equals."""
    runner_up: Float[Tensor, " walker"]
    """The largest value of its siblings; -inf for an only child."""
    share: Float[Tensor, " walker"]
    """Log of the child's part in a softmax over the siblings' values."""


def best_children(
    values: Float[Tensor, "image node"],
    image: Int[Tensor, " walker"],
    node: Int[Tensor, " walker"],
    level: DepthIndex,
    taxonomy: Taxonomy,
) -> BestChildren:
    """The step from each walker's node to a child.

    Args:
        values: What the children compete with.
        image: Row of the values that each walker looks at.
        node: Where each walker is: inner nodes, all at the depth above the level.
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
