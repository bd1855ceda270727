"""Contrast level by level, the finer levels counting more or never less."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.objectives.supervised_contrast import ContrastiveLoss, supervised_contrast_loss
from cladewise.ops.level_classes import NO_LABEL
from cladewise.ops.processes import sum_over_processes
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.order import preorder


class HierarchicalContrastLoss(ContrastiveLoss):
    r"""Supervised contrast from the finest level up, one image of each class going on to the next.

    .. math:: \ell = \frac{1}{K + 1} \sum_{l = 1}^{K} \lambda_l \max_{m \le l} L_m

    where :math:`L_1` is the mean over the anchors of :func:`supervised_contrast_loss` for the classes of the finest
    chosen level, :math:`L_2` the same for the next coarser one among one image of each class of the finest, and so on.
    With ``penalty`` (HiMulCon) :math:`\lambda_l = 2^{1/l}`, else 1; with ``constraint`` (HiConE) there is the maximum,
    so that no coarser level counts less than a finer one, else :math:`L_l` itself. HiMulConE has both.

    The image of a class that goes on is the one whose own label comes first by the names on its path, and the first in
    the batch of those. A label says nothing about levels finer than its own: such an image joins at its level. The
    values of the images are shares whose mean is the loss; those that did not go on have none of the coarser levels.

    Where several processes train together, the images of all are the batch.

    Args:
        taxonomy: The label tree.
        width: Length of an embedding.
        levels: The chosen levels, 1 for the coarsest; all of them where none are given.
        penalty: Weigh level l, counted from the finest, by :math:`2^{1/l}`.
        constraint: Let no coarser level count less than a finer one.
        temperature: The temperature, > 0.
        base_temperature: The loss is multiplied by ``temperature / base_temperature``.

    Raises:
        InputError: A setting is out of range, or a level does not exist.

    Example:
        >>> loss = HierarchicalContrastLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), 3)
        >>> loss(torch.ones(4, 3), torch.tensor([2, 2, 3, 3])).mean() * 3  # 2 log 3, and log 1 among two
        tensor(2.1972)

    References: Zhang et al., Use all the labels: a hierarchical multi-label contrastive learning framework, CVPR 2022,
        arXiv:2204.13207, by its released code: the paper's penalty is an exponential, the code's is :math:`2^{1/l}`;
        the paper takes the maximum for each pair of images and the code for each level. The code keeps, of each class,
        the image whose finer label has the smallest number; names in order stand for numbers here, so that the result
        does not hang on how classes are numbered. It gives nan where an image has no positive; here it is skipped.
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
        temperature: float = 0.07,
        base_temperature: float = 0.07,
    ) -> None:
        super().__init__(taxonomy, width, levels, temperature=temperature, base_temperature=base_temperature)
        self.penalty, self.constraint = penalty, constraint
        self.register_buffer("_rank", torch.from_numpy(rank_by_names(taxonomy)), persistent=False)

    def per_image(
        self, embeddings: Float[Tensor, "*batch dim"], target: Int[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch"]:
        rows = embeddings.reshape(target.numel(), self.width)
        unit, everyone, targets, first = self.gathered(rows, target.reshape(-1))
        labels = self._classes.to(embeddings.device)[:, targets]
        rank = self._rank.to(embeddings.device)[targets]
        going = torch.zeros_like(targets, dtype=torch.bool)
        joined = torch.zeros_like(going)
        total = unit.sum(-1) * 0.0  # with no level at all there is nothing to learn
        worst, worst_share = torch.tensor(-torch.inf, device=unit.device), total
        for step, of_level in enumerate(reversed(labels), start=1):
            going |= (of_level != NO_LABEL) & ~joined
            joined |= going
            share, value = self._level(unit, everyone, of_level, going, first)
            if self.constraint:
                larger = value >= worst
                worst, worst_share = torch.where(larger, value, worst), torch.where(larger, share, worst_share)
                share = worst_share
            total = total + (2 ** (1 / step) if self.penalty else 1.0) * share
            going = first_of_each(of_level, rank, going)
        factor = self.temperature / self.base_temperature / (len(self.levels) + 1)
        return (factor * total).reshape(target.shape)

    def _level(
        self, unit: Tensor, everyone: Tensor, labels: Tensor, going: Tensor, first: int
    ) -> tuple[Tensor, Tensor]:
        """Share of each of our images of the loss at a level, and that loss."""
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
    labels: Int[Tensor, " image"], rank: Int[Tensor, " image"], going: Int[Tensor, " image"]
) -> Int[Tensor, " image"]:
    """Of the images that take part, the one of each label whose rank is the least, and the first of those.

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
    """Place of every node where siblings are put in the order of their names, parents first.

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
