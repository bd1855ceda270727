"""Answers as a function of caution: for each image the few nodes that it is answered with, from the root down.

Rules with a caution parameter answer nearer to the root the more of it they have. The answer of an image is a step
function of the caution, and all its steps follow from the image's candidates at once, without a grid of cautions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates
from cladewise.ops import tree_index
from cladewise.predictions import Prediction

NEAR_CERTAIN = -0.01
"""Log-probability above which the probability outside a node is summed rather than one minus the one inside."""
LEAST_DOUBT = 1e-290
"""Doubt per squared bit that every node has; see :class:`Weighed`. Its inverse is the largest caution that matters."""
MOST_CAUTIOUS = float(torch.finfo(torch.float64).max)
"""A caution that no step exceeds, so that every answer is the root; its negative is exceeded by all."""
COLUMNS = ("image", "node", "log_prob", "doubt", "leaves_under", "bits")
"""Fields of :class:`Weighed` with one value per candidate."""


@dataclasses.dataclass(frozen=True, eq=False)
class Weighed:
    r"""Candidates with what rules weigh, in double precision.

    The *doubt* of a node is the probability that the image is not under it, plus the least doubt that even a certain
    node has,

    .. math:: d_v = q_v + \epsilon I(v)^2, \qquad \epsilon = 10^{-290}

    It decides only where probabilities are so near 0 or 1 that they differ in nothing else. Being convex in the
    information, it lets an image whose probabilities are all exactly 1 be answered one ancestor after another, as
    caution rises, rather than with the best leaf up to some caution and with the root from there on.
    """

    num_images: int
    image: Int[Tensor, " candidate"]
    node: Int[Tensor, " candidate"]
    log_prob: Float[Tensor, " candidate"]
    doubt: Float[Tensor, " candidate"]
    leaves_under: Int[Tensor, " candidate"]
    bits: Float[Tensor, " candidate"]

    def where(self, kept: Tensor) -> Self:
        """The candidates for which ``kept`` is true, or those at the given positions."""
        chosen = {name: getattr(self, name)[kept] for name in COLUMNS}
        return dataclasses.replace(self, **chosen)


def weigh(prediction: Prediction, found: Candidates) -> Weighed:
    """The candidates of a prediction with a single batch axis, with their doubt and information."""
    log_prob = found.log_prob.double().clamp_(max=0.0).masked_fill_(found.node == 0, 0.0)
    outside = -torch.expm1(log_prob)
    near = torch.nonzero((log_prob > NEAR_CERTAIN) & (found.node > 0)).squeeze(1)
    if len(near):
        exact = prediction.prob_outside(found.image[near], found.node[near]).clamp(0.0, 1.0)
        outside[near] = exact
        log_prob[near] = torch.log1p(-exact)
    bits = tree_index(found.taxonomy, found.node.device).information_bits[found.node]
    doubt = outside + LEAST_DOUBT * bits.square()
    return Weighed(found.num_images, found.image, found.node, log_prob, doubt, found.leaves_under, bits)


def at_only_children(prediction: Prediction, found: Candidates) -> Candidates:
    """The candidates with the only child in place of a parent below the root where nothing is lost by it.

    That is where the child is as probable as the parent, up to the rounding of sums over a tree.
    """
    index = tree_index(found.taxonomy, found.node.device)
    single = index.child_start.diff() == 1
    single[0] = False
    node, log_prob = found.node.clone(), found.log_prob.clone()
    place = torch.nonzero(single[node]).squeeze(1)
    while len(place):
        child = node[place] + 1
        below = prediction.log_prob_at(found.image[place], child)
        rounding = 8 * torch.finfo(below.dtype).eps * log_prob[place].abs().clamp_min(1.0)
        same = below >= log_prob[place] - rounding
        place, child, below = place[same], child[same], below[same]
        node[place], log_prob[place] = child, below
        place = place[single[child]]
    return dataclasses.replace(found, node=node, log_prob=log_prob)


@dataclasses.dataclass(frozen=True, eq=False)
class Steps:
    """The answers of some images by caution.

    An image is answered with the root while the caution is at or above that of its first step, then with the node of
    the last step whose caution exceeds it. The steps are sorted by image, within an image by falling caution.
    """

    num_images: int
    image: Int[Tensor, " step"]
    node: Int[Tensor, " step"]
    caution: Float[Tensor, " step"]

    def at(self, caution: Float[Tensor, " image"] | float) -> Int[Tensor, " image"]:
        """The answered node of each image at a caution, or at one of its own."""
        limit = torch.as_tensor(caution, dtype=self.caution.dtype, device=self.caution.device).expand(self.num_images)
        place = torch.nonzero(self.caution > limit[self.image]).squeeze(1)
        last = self.node.new_full((self.num_images,), -1).scatter_reduce_(0, self.image[place], place, "amax")
        return torch.where(last >= 0, self.node[last], 0) if len(self.node) else torch.zeros_like(last)

    def node_before(self) -> Int[Tensor, " step"]:
        """The answer that each step replaces: the image's previous one, or the root."""
        before = torch.zeros_like(self.node)
        before[1:] = self.node[:-1].masked_fill(self.image[1:] != self.image[:-1], 0)
        return before

    def where(self, kept: Tensor) -> Self:
        """The steps for which ``kept`` is true."""
        return dataclasses.replace(self, image=self.image[kept], node=self.node[kept], caution=self.caution[kept])

    @classmethod
    def join(cls, parts: Sequence[Steps]) -> Steps:
        """The steps of several batches, as if of one."""
        total, images = 0, list[Tensor]()
        for part in parts:
            images.append(part.image + total)
            total += part.num_images
        return cls(
            total,
            torch.cat(images),
            torch.cat([part.node for part in parts]),
            torch.cat([part.caution for part in parts]),
        )


def falling_thresholds(found: Weighed, strength: Tensor, *keys: Tensor) -> Steps:
    r"""Steps of the rule that answers the best of the nodes whose strength exceeds a threshold, the caution.

    .. math:: \hat{v}(\tau) = \operatorname{lexmax}_{v:\ s_v > \tau} (k_1(v), k_2(v), \dots)

    Args:
        found: The candidates.
        strength: What is compared with the threshold.
        keys: What the best is largest in, then in the next, and so on; of equals the lowest node.
    """
    rank = _rank(found.image, *keys, -found.node)
    order = _sorted_by(found.image, -strength, -rank)
    ranked = rank[order]  # an image's ranks are above those of all images before it, so one running maximum serves all
    better = torch.ones_like(ranked, dtype=torch.bool)
    better[1:] = ranked[1:] > ranked.cummax(0).values[:-1]
    kept = order[better]
    caution = strength[kept].clamp(-MOST_CAUTIOUS, MOST_CAUTIOUS)
    return Steps(found.num_images, found.image[kept], found.node[kept], caution)


def rising_bonus(found: Weighed) -> Steps:
    r"""Steps of the rule that maximises the expected information with a bonus for being right, the caution.

    .. math:: \hat{v}(\lambda) = \arg\max_v p_v (I(v) + \lambda) = \arg\max_v \big(p_v I(v) - \lambda d_v\big)

    Each node is a line in :math:`\lambda`, and the answers are those of the upper envelope, from the root at
    :math:`\lambda = \infty`. The next is the one that overtakes the present answer at the largest :math:`\lambda`,
    :math:`(p_v I(v) - p_u I(u)) / (d_v - d_u)`. The second form is exact for probabilities near 1, whose difference
    from 1 the first one loses.
    """
    worth = found.log_prob.exp() * found.bits
    at_worth, at_doubt = worth.new_zeros(found.num_images), worth.new_zeros(found.num_images)
    limit = worth.new_full((found.num_images,), MOST_CAUTIOUS)
    images, nodes, cautions = list[Tensor](), list[Tensor](), list[Tensor]()
    while True:
        alive = torch.nonzero(worth > at_worth[found.image]).squeeze(1)
        found, worth = found.where(alive), worth[alive]
        if not len(worth):
            break
        more, doubt = worth - at_worth[found.image], found.doubt - at_doubt[found.image]
        bonus = torch.where(doubt > 0, more / doubt, torch.inf).minimum(limit[found.image])
        chosen = _best_place(found, bonus, worth)
        image = found.image[chosen]
        at_worth[image], at_doubt[image], limit[image] = worth[chosen], found.doubt[chosen], bonus[chosen]
        images.append(image)
        nodes.append(found.node[chosen])
        cautions.append(bonus[chosen])
    if not images:
        none = found.node[:0]
        return Steps(found.num_images, none, none, worth[:0])
    image = torch.cat(images)
    order = image.argsort(stable=True)  # the steps of an image were found by falling caution
    return Steps(found.num_images, image[order], torch.cat(nodes)[order], torch.cat(cautions)[order])


def _best_place(found: Weighed, *keys: Tensor) -> Int[Tensor, " image"]:
    """Position of each image's candidate that is largest in the keys, the first of equals; none for other images."""
    place = torch.arange(len(found.node), device=found.node.device)
    for key in keys:
        image = found.image[place]
        largest = key.new_full((found.num_images,), -torch.inf).scatter_reduce_(0, image, key[place], "amax")
        place = place[key[place] == largest[image]]
    first = place.new_full((found.num_images,), len(found.node))
    first.scatter_reduce_(0, found.image[place], place, "amin")
    return first[first < len(found.node)]


def _sorted_by(*keys: Tensor) -> Int[Tensor, " item"]:
    """Order that sorts by the first key, then by the next, and so on."""
    order = keys[-1].argsort(stable=True)
    for key in keys[-2::-1]:
        order = order[key[order].argsort(stable=True)]
    return order


def _rank(*keys: Tensor) -> Int[Tensor, " item"]:
    """Position of each item in the order by the keys."""
    order = _sorted_by(*keys)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    return rank
