"""Candidate nodes of each image: the few that an informative answer can be.

A node is a candidate only if no other is both more probable and more informative. Leaves are the most informative
nodes, so the most probable leaf rules out all nodes less probable than itself. Of a whole tree, a handful of nodes per
image is left, and the rules that follow cost next to nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.ops import TreeIndex, tree_index
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """Some nodes of each image, in any order."""

    taxonomy: Taxonomy
    num_images: int
    image: Int[Tensor, " candidate"]
    node: Int[Tensor, " candidate"]
    log_prob: Float[Tensor, " candidate"]

    @property
    def leaves_under(self) -> Int[Tensor, " candidate"]:
        """Number of leaves at or under each node."""
        return tree_index(self.taxonomy, self.node.device).num_leaves_under[self.node]

    @property
    def information_bits(self) -> Float[Tensor, " candidate"]:
        """Information of each node in bits."""
        return tree_index(self.taxonomy, self.node.device).information_bits[self.node].to(self.log_prob.dtype)

    def where(self, kept: Bool[Tensor, " candidate"]) -> Self:
        """The candidates for which ``kept`` is true."""
        return dataclasses.replace(self, image=self.image[kept], node=self.node[kept], log_prob=self.log_prob[kept])

    def largest(self, values: Float[Tensor, " candidate"]) -> Float[Tensor, " image"]:
        """Largest value per image; -inf for images without candidates."""
        return _largest(values, self.image, self.num_images)

    def best(self, *values: Tensor) -> Int[Tensor, " image"]:
        """Node per image that is largest in the first value, then in the next, and so on; of equals the lowest node.

        It is 0, the root, for images without candidates.
        """
        place = torch.arange(len(self.node), device=self.node.device)
        for value in values:
            image = self.image[place]
            place = place[value[place] == _largest(value[place], image, self.num_images)[image]]
        none = self.taxonomy.num_nodes
        lowest = self.node.new_full((self.num_images,), none)
        lowest.scatter_reduce_(0, self.image[place], self.node[place], "amin")
        return lowest.masked_fill(lowest == none, 0)

    def undominated(self) -> Self:
        """The candidates that are more informative than all others at least as probable; of equals the first."""
        order = self.leaves_under.argsort(stable=True)
        for key in (-self.log_prob, self.image):
            order = order[key[order].argsort(stable=True)]
        # one running maximum for all images: a later image begins above all that an earlier one reached
        fewer = self.taxonomy.num_leaves - self.leaves_under[order]
        level = self.image[order] * self.taxonomy.num_leaves + fewer
        first = torch.ones_like(level, dtype=torch.bool)
        first[1:] = level[1:] > level.cummax(0).values[:-1]
        return self.where(order[first])


def _largest(values: Tensor, image: Tensor, num_images: int) -> Tensor:
    lowest = -torch.inf if values.is_floating_point() else torch.iinfo(values.dtype).min
    return values.new_full((num_images,), lowest).scatter_reduce_(0, image, values, "amax")


def above(prediction: Prediction, eligible: Bool[Tensor, " node"], bar: Float[Tensor, " image"] | float) -> Candidates:
    """Eligible nodes with a log-probability above a threshold.

    Args:
        prediction: Of any batch shape; the images are numbered in its order.
        eligible: Which nodes may be an answer.
        bar: Log-probability that is to be exceeded, in nats.
    """
    flat = prediction.flat()
    bars = torch.as_tensor(bar, dtype=flat.precision, device=flat.device).expand(flat.batch_shape)
    return Candidates(prediction.taxonomy, len(bars), *flat.nodes_above(eligible, bars))


def candidates(prediction: Prediction, eligible: Bool[Tensor, " node"], bar: float = -torch.inf) -> Candidates:
    """Eligible nodes above a threshold that are, to rounding, at least as probable as the best of the finest ones.

    Args:
        prediction: Of any batch shape; the images are numbered in its order.
        eligible: Which nodes may be an answer; those with one leaf under them are the finest.
        bar: Log-probability that is to be exceeded, in nats.
    """
    index = tree_index(prediction.taxonomy, prediction.device)
    best = prediction.flat().best_among(eligible & (index.num_leaves_under == 1))
    rounding = 8 * torch.finfo(best.dtype).eps * best.abs().clamp_min(1.0)  # of sums over a tree
    return above(prediction, eligible, (best - rounding).clamp_min(bar))


def join(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of several batches, as if of one."""
    total, moved = 0, list[Candidates]()
    for part in parts:
        moved.append(dataclasses.replace(part, image=part.image + total))
        total += part.num_images
    return dataclasses.replace(side_by_side(moved), num_images=total)


def side_by_side(parts: Sequence[Candidates]) -> Candidates:
    """The union of several sets of candidates of the same images."""
    return dataclasses.replace(
        parts[0],
        image=torch.cat([part.image for part in parts]),
        node=torch.cat([part.node for part in parts]),
        log_prob=torch.cat([part.log_prob for part in parts]),
    )


def flat_log_prob(prediction: Prediction) -> Float[Tensor, "image node"]:
    """Log-probabilities with a single batch axis."""
    return prediction.log_prob.reshape(-1, prediction.taxonomy.num_nodes)


def log_bar(threshold: float, dtype: torch.dtype) -> float:
    """Log of a probability threshold, raised by the rounding error of sums over a tree.

    Certainty exceeds every threshold below 1, however near.
    """
    bar = (math.log(threshold) if threshold > 0 else -math.inf) + 8 * torch.finfo(dtype).eps
    return min(bar, -torch.finfo(dtype).tiny) if threshold < 1 else bar


def says_something(index: TreeIndex) -> Bool[Tensor, " node"]:
    """Mask of the nodes that do not have exactly one child; such a node is no less specific than its child."""
    result = torch.ones_like(index.parents, dtype=torch.bool)
    child = torch.arange(1, len(result), device=index.device)
    result[:-1] = (index.parents[1:] != child - 1) | (index.end[1:] != index.end[:-1])
    return result


def is_first(index: TreeIndex) -> Bool[Tensor, " node"]:
    """Mask of the nodes that are not an only child, which is never more probable or informative than its parent."""
    result = torch.ones_like(index.parents, dtype=torch.bool)
    result[1:] = says_something(index)[index.parents[1:]]
    return result
