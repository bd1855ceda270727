"""Hierarchical multi-label contrastive loss: HiMulCon, HiConE and HiMulConE."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.errors import InputError
from cladewise.objectives.supervised_contrast import ContrastiveLoss, supervised_contrast_loss
from cladewise.ops.collectives import sum_over_processes
from cladewise.ops.level_classes import NO_LABEL
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.order import preorder


class HierarchicalContrastLoss(ContrastiveLoss):
    r"""Supervised contrast from the finest level up, with one image per class passed on to the next level.

    .. math:: \ell = \frac{1}{K + 1} \sum_{l = 1}^{K} \lambda_l \max_{m \le l} L_m

    where :math:`L_1` is the mean over the anchors of :func:`supervised_contrast_loss` for the classes of the finest
    chosen level, :math:`L_2` the same for the next coarser one among one image of each class of the finest, and so on.
    An image is passed on with all its views, so that with two views every anchor has a positive.
    With ``penalty`` (HiMulCon) :math:`\lambda_l = b^{1/l}`, otherwise 1; with ``constraint`` (HiConE) the maximum
    applies, so that the loss of a coarser level is never below that of a finer one, otherwise :math:`L_l` itself.
    HiMulConE has both.

    The image of a class that is passed on is the one whose own label comes first by the names on its path, and the
    first in the batch among equals. A label says nothing about levels finer than its own, so its image joins at its own
    level. The per-image values are shares whose mean is the loss; images that were not passed on have no share of the
    coarser levels.

    When several processes train together, the batch is the images of all of them.

    Args:
        taxonomy: The label tree.
        width: Length of an embedding.
        levels: Levels whose classes are contrasted, 1 for the coarsest; all levels by default.
        penalty: Weight level l, counted from the finest, by :math:`b^{1/l}`.
        constraint: Keep the loss of a coarser level at or above that of a finer one.
        penalty_base: The base b, > 0: 2 as in the released loss; e in the paper and in the released training script.
        temperature: The temperature, > 0.
        base_temperature: The loss is multiplied by ``temperature / base_temperature``.

    Raises:
        InputError: A setting is out of range, or a level does not exist.

    Example:
        >>> loss = HierarchicalContrastLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), 3)
        >>> loss(torch.ones(4, 3), torch.tensor([2, 2, 3, 3])).mean() * 3  # 2 log 3, and log 1 among two images
        tensor(2.1972)
        >>> loss(torch.ones(4, 3), torch.tensor([2, 2, 3, 3]), views=2).mean() * 3  # 2 log 3, and √2 log 3
        tensor(3.7509)

    References: Zhang et al., Use all the labels: a hierarchical multi-label contrastive learning framework, CVPR 2022,
        arXiv:2204.13207, following the released code: the paper's penalty is :math:`e^{1/l}`, as in the released
        training script, that of the released loss by itself :math:`2^{1/l}`; the paper takes the maximum per pair of
        images, the code per level. The code keeps the image of
        a class whose finer label has the smallest index; here names replace indices, so that the result does not depend
        on how classes are numbered. The code gives nan if an image has no positive; here such an image is skipped.
    """

    _rank: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        width: int,
        levels: tuple[int, ...] = (),
        *,
        penalty: bool = True,
        constraint: bool = False,
        penalty_base: float = 2.0,
        temperature: float = 0.07,
        base_temperature: float = 0.07,
    ) -> None:
        super().__init__(taxonomy, width, levels, temperature=temperature, base_temperature=base_temperature)
        if not (penalty_base > 0 and math.isfinite(penalty_base)):
            raise InputError("a base of the penalty above 0", penalty_base)
        self.penalty, self.constraint, self.penalty_base = penalty, constraint, penalty_base
        self.register_buffer("_rank", torch.from_numpy(rank_by_names(taxonomy)), persistent=False)

    def per_row(
        self, embeddings: Float[Tensor, "row dim"], target: Int[Tensor, " row"], views: int
    ) -> Float[Tensor, " row"]:
        unit, everyone, targets, first = self.gathered(embeddings, target)
        labels = self._classes.to(embeddings.device)[:, targets]
        rank = self._rank.to(embeddings.device)[targets]
        going = torch.zeros_like(targets, dtype=torch.bool)
        joined = torch.zeros_like(going)
        total = unit.sum(-1) * 0.0  # without any level there is nothing to learn
        worst, worst_share = torch.tensor(-torch.inf, device=unit.device), total
        for step, of_level in enumerate(reversed(labels), start=1):
            going |= (of_level != NO_LABEL) & ~joined
            joined |= going
            share, value = self._level(unit, everyone, of_level, going, first)
            if self.constraint:
                larger = value >= worst
                worst, worst_share = torch.where(larger, value, worst), torch.where(larger, share, worst_share)
                share = worst_share
            total = total + (self.penalty_base ** (1 / step) if self.penalty else 1.0) * share
            images = first_of_each(of_level[::views], rank[::views], going[::views])
            going = images.repeat_interleave(views)
        factor = self.temperature / self.base_temperature / (len(self.levels) + 1)
        return factor * total

    def _level(
        self, unit: Tensor, everyone: Tensor, labels: Tensor, going: Tensor, first: int
    ) -> tuple[Tensor, Tensor]:
        """Share of each of this process's images in the loss of a level, and that loss."""
        ours = going[first : first + len(unit)]
        before = int(going[:first].sum())
        found = supervised_contrast_loss(
            unit[ours], labels[None, going], temperature=self.temperature, others=everyone[going], first=before
        )
        weight = len(labels) / self.count(found.counts).clamp_min(1)
        share = torch.zeros_like(unit[:, 0]).masked_scatter(ours, found.nats[0] * weight.to(unit.dtype))
        whole = share.detach().sum()
        return share, (sum_over_processes(whole) if self.training else whole) / max(1, len(labels))


def first_of_each(
    labels: Int[Tensor, " image"], rank: Int[Tensor, " image"], going: Bool[Tensor, " image"]
) -> Bool[Tensor, " image"]:
    """Select one participating image per label: the first of those with the smallest rank.

    Example:
        >>> first_of_each(torch.tensor([5, 5, 6, 5]), torch.tensor([2, 1, 0, 1]), torch.ones(4, dtype=torch.bool))
        tensor([False,  True,  True, False])
    """
    places = torch.nonzero(going).squeeze(1)
    places = places[rank[places].argsort(stable=True)]
    places = places[labels[places].argsort(stable=True)]
    kept = labels[places]
    begins = torch.ones_like(kept, dtype=torch.bool)
    begins[1:] = kept[1:] != kept[:-1]
    chosen = torch.zeros_like(going, dtype=torch.bool)
    chosen[places[begins]] = True
    return chosen


def rank_by_names(taxonomy: Taxonomy) -> NDArray[np.int64]:
    """Rank of every node in a pre-order traversal that visits siblings in the order of their names.

    Example:
        >>> rank_by_names(Taxonomy.from_paths([("b",), ("a", "d"), ("a", "c")])).tolist()  # root, b, a, d, c
        [0, 4, 1, 3, 2]
    """
    names = np.array(taxonomy.names.tolist(), dtype=object)
    by_name = np.array(sorted(range(taxonomy.num_nodes), key=lambda node: names[node]), dtype=np.int64)
    place = np.empty_like(by_name)
    place[by_name] = np.arange(by_name.size)
    parents = taxonomy.parents[by_name]
    order = by_name[preorder(np.where(parents < 0, -1, place[parents]))]
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return rank
