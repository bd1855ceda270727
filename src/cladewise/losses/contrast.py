"""Supervised contrast: images of one class near each other and far from the rest, at one level or several."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses.everyone import group_of, of_everyone, summed
from cladewise.losses.levels import NO_LABEL, class_of_node
from cladewise.losses.loss import Loss
from cladewise.losses.pairs import logsumexp_of_others
from cladewise.taxonomy import Taxonomy


class Contrast(NamedTuple):
    """The loss of each anchor in nats, 0 where it has no positive, and whether it has one."""

    nats: Float[Tensor, "*level anchor"]
    counts: Bool[Tensor, "*level anchor"]


def supervised_contrast_loss(
    embeddings: Float[Tensor, "anchor dim"],
    labels: Int[Tensor, "level other"],
    *,
    temperature: float = 0.07,
    others: Float[Tensor, "other dim"] | None = None,
    first: int = 0,
) -> Contrast:
    r"""Each image against all others, for the labels of one or several levels.

    .. math:: \ell_i = \operatorname{LSE}_{a \ne i} \frac{z_i \cdot z_a}{\tau}
        - \frac{1}{|P_i|} \sum_{p \in P_i} \frac{z_i \cdot z_p}{\tau}

    where :math:`P_i` are the others with the label of image i. The second term comes from sums by group of equal
    labels, :math:`z_i \cdot \sum_p z_p`, and the first is the same for every level: only it is quadratic in the number
    of images, a chunk of it at a time, made again in the backward pass.

    Args:
        embeddings: Unit vectors of the anchors.
        labels: Label of every other image at each level; -100 for none: no anchor and nobody's positive there.
        temperature: The temperature, dimensionless, > 0.
        others: Unit vectors of all images, the anchors among them; the anchors themselves where none are given.
        first: Place of the first anchor among the others.

    Example:
        >>> z = torch.eye(2)[[0, 0, 1, 1]]
        >>> supervised_contrast_loss(z, torch.tensor([[0, 0, 1, 1]]), temperature=1.0).nats  # log(e + 2) - 1
        tensor([[0.5514, 0.5514, 0.5514, 0.5514]])

    References: Khosla et al., Supervised contrastive learning, NeurIPS 2020, arXiv:2004.11362, Eq. 2.
    """
    everyone = embeddings if others is None else others
    own = torch.arange(first, first + len(embeddings), device=embeddings.device)
    lse = logsumexp_of_others(embeddings, temperature, everyone=everyone, first=first)
    nats: list[Tensor] = []
    counts: list[Tensor] = []
    for of_level in labels:
        group, size = group_of(of_level)
        sums = everyone.new_zeros(len(size), everyone.shape[1]).index_add(0, group, everyone)
        positives = size[group[own]] - 1
        near = (embeddings * (sums[group[own]] - everyone[own])).sum(-1) / positives.clamp_min(1)
        has = (positives > 0) & (of_level[own] != NO_LABEL)
        nats.append(torch.where(has, lse - near / temperature, 0.0))
        counts.append(has)
    return Contrast(torch.stack(nats), torch.stack(counts)) if nats else Contrast(lse[None][:0], own[None][:0] < 0)


class ContrastiveLoss(Loss):
    """What losses of embeddings share: their width, the temperature, and the classes of nodes at levels.

    Args:
        taxonomy: The label tree.
        width: Length of an embedding.
        levels: The chosen levels, 1 for the coarsest; all of them where none are given.
        temperature: The temperature, > 0.
        base_temperature: The loss is multiplied by ``temperature / base_temperature``.

    Raises:
        InputError: A setting is out of range, or a level does not exist.
    """

    _classes: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        width: int,
        levels: tuple[int, ...] = (),
        *,
        temperature: float = 0.07,
        base_temperature: float = 0.07,
    ) -> None:
        super().__init__(taxonomy)
        check_temperature(temperature)
        check_temperature(base_temperature)
        if width < 1:
            raise InputError("an embedding of at least 1 number", width)
        self.width, self.temperature, self.base_temperature = width, temperature, base_temperature
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        if any(not 1 <= level <= taxonomy.num_levels for level in self.levels):
            raise InputError(f"levels among 1 to {taxonomy.num_levels}", ", ".join(map(str, self.levels)))
        classes = [class_of_node(taxonomy, level, taxonomy.level_nodes(level)) for level in self.levels]
        table = np.array(classes, dtype=np.int64).reshape(-1, taxonomy.num_nodes)
        self.register_buffer("_classes", torch.from_numpy(table), persistent=False)

    @property
    def num_outputs(self) -> int:
        return self.width

    def gathered(self, embeddings: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        """Unit vectors of our images and of everybody's, everybody's targets, and the place of our first.

        Processes gather in training alone: they may watch different numbers of batches.
        """
        unit = F.normalize(embeddings, dim=-1, eps=1e-6)
        if not self.training:
            return unit, unit, target, 0
        everyone, first = of_everyone(unit)
        return unit, everyone, of_everyone(target)[0], first

    def count(self, has: Tensor) -> Tensor:
        """How many anchors have a positive, over all processes in training."""
        number = has.sum(-1).double()
        return summed(number) if self.training else number


def check_temperature(value: float) -> None:
    """Refuse a temperature that is not positive.

    Raises:
        InputError: It is not.
    """
    if not (value > 0 and math.isfinite(value)):
        raise InputError("a temperature above 0", value)


class SupConLoss(ContrastiveLoss):
    r"""Supervised contrast at the chosen levels, summed over them.

    .. math:: \ell_i = \frac{\tau}{\tau_0} \sum_k \frac{B}{B_k} \ell_i^{(k)}

    with :math:`\ell_i^{(k)}` from :func:`supervised_contrast_loss` for the classes of level k. An image that shares its
    class with no other is not an anchor; the factor turns the mean over all B images into the mean over the
    :math:`B_k` anchors. Embeddings are normalised to unit length first. A label says nothing about levels finer than
    its own: such an image is neither an anchor nor a positive there, but still a negative. Further views of an image
    count as images of its class.

    Where several processes train together, the images of all are the batch.

    Args:
        taxonomy: The label tree.
        width: Length of an embedding.
        levels: The chosen levels, 1 for the coarsest; all of them where none are given.
        temperature: :math:`\tau`, > 0.
        base_temperature: :math:`\tau_0`, > 0.

    Raises:
        InputError: A setting is out of range, or a level does not exist.

    Example:
        >>> loss = SupConLoss(Taxonomy.from_paths([("a",), ("b",)]), 3)
        >>> loss(torch.ones(4, 3), torch.tensor([1, 1, 2, 2])).exp()  # all alike: each among three others
        tensor([3.0000, 3.0000, 3.0000, 3.0000])

    References: Khosla et al., Supervised contrastive learning, NeurIPS 2020, arXiv:2004.11362. The released code gives
        nan for a batch with an image that has no positive; here it is skipped.
    """

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        rows = logits.reshape(target.numel(), self.width)
        unit, everyone, targets, first = self.gathered(rows, target.reshape(-1))
        labels = self._classes.to(logits.device)[:, targets]
        found = supervised_contrast_loss(unit, labels, temperature=self.temperature, others=everyone, first=first)
        weight = len(targets) / self.count(found.counts).clamp_min(1)
        losses = (found.nats * weight.to(found.nats.dtype)[:, None]).sum(0)
        return (losses * (self.temperature / self.base_temperature)).reshape(target.shape)
