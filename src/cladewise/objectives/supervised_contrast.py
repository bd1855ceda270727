"""Supervised contrastive loss: draws images of one class together and pushes others apart, at one or more levels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.losses.loss import check_batch
from cladewise.ops import at_least_float
from cladewise.ops.batch_pairs import group_of, logsumexp_of_others
from cladewise.ops.collectives import gather_rows, sum_over_processes
from cladewise.ops.level_classes import NO_LABEL, level_classes
from cladewise.taxonomy import Taxonomy


class Contrast(NamedTuple):
    """The loss of each anchor in nats (0 if it has no positive), and whether it has a positive."""

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
    r"""Supervised contrastive loss of each image against all others, for the labels of one or more levels.

    .. math:: \ell_i = \operatorname{LSE}_{a \ne i} \frac{z_i \cdot z_a}{\tau}
        - \frac{1}{|P_i|} \sum_{p \in P_i} \frac{z_i \cdot z_p}{\tau}

    where :math:`P_i` are the other images with the label of image i. The second term is computed from sums over groups
    of equal labels, :math:`z_i \cdot \sum_p z_p`. Only the first term is quadratic in the number of images; it is
    shared by all levels, computed in chunks and recomputed in the backward pass.

    Args:
        embeddings: Unit vectors of the anchors.
        labels: Label of every image at each level; -100 for none, which makes it neither anchor nor positive there.
        temperature: The temperature, dimensionless, > 0.
        others: Unit vectors of all images, including the anchors; the anchors alone by default.
        first: Position of the first anchor among ``others``.

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


class ContrastiveLoss(nn.Module, ABC):
    """Base class of losses that compare the embeddings of a batch of images, given their labels.

    Unlike a :class:`~cladewise.losses.Loss` it takes embeddings, which predict nothing by themselves:
    :class:`~cladewise.objectives.ProbedLoss` pairs it with classifiers. Calling it checks the input and computes in at
    least single precision, also under autocast.

    Args:
        taxonomy: The label tree.
        width: Length of an embedding.
        levels: Levels whose classes are contrasted, 1 for the coarsest; all levels by default.
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
        super().__init__()
        check_temperature(temperature)
        check_temperature(base_temperature)
        if width < 1:
            raise InputError("an embedding of at least 1 number", width)
        self.taxonomy, self.width = taxonomy, width
        self.temperature, self.base_temperature = temperature, base_temperature
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        if any(not 1 <= level <= taxonomy.num_levels for level in self.levels):
            raise InputError(f"levels among 1 to {taxonomy.num_levels}", ", ".join(map(str, self.levels)))
        self.register_buffer("_classes", torch.from_numpy(level_classes(taxonomy, self.levels)), persistent=False)

    @property
    def num_outputs(self) -> int:
        """Length of an embedding."""
        return self.width

    @abstractmethod
    def per_row(
        self, embeddings: Float[Tensor, "row dim"], target: Int[Tensor, " row"], views: int
    ) -> Float[Tensor, " row"]:
        """The loss of input that has been checked."""

    def forward(
        self, embeddings: Float[Tensor, "*batch dim"], target: Int[Tensor, "*batch"], *, views: int = 1
    ) -> Float[Tensor, "*batch"]:
        """Each row's share of the batch loss, in nats.

        Args:
            embeddings: Vectors of the images, or of several views of each; normalised to unit length here.
            target: Node of every row; internal nodes allowed.
            views: Views of each image, in adjacent rows.

        Raises:
            InputError: The shapes do not match, the rows are not whole images, or (checked on the CPU only) a target is
                not a node.
        """
        check_batch(embeddings, target, self.width, self.taxonomy)
        if views < 1 or target.numel() % views:
            raise InputError("adjacent rows for the views of each image", f"{target.numel()} rows of {views} views")
        with torch.autocast(embeddings.device.type, enabled=False):
            rows = at_least_float(embeddings).reshape(target.numel(), self.width)
            return self.per_row(rows, target.reshape(-1), views).reshape(target.shape)

    def extra_repr(self) -> str:
        return f"{self.taxonomy!r}"

    def gathered(self, embeddings: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        """Unit vectors of this process's images and of all processes', all targets, and the position of our first.

        Rows are gathered in training only: in validation, processes may have different numbers of batches.
        """
        unit = F.normalize(embeddings, dim=-1, eps=1e-6)
        if not self.training:
            return unit, unit, target, 0
        everyone, first = gather_rows(unit)
        return unit, everyone, gather_rows(target)[0], first

    def count(self, has: Tensor) -> Tensor:
        """Number of anchors with a positive, over all processes in training."""
        number = has.sum(-1).double()
        return sum_over_processes(number) if self.training else number


def check_temperature(value: float) -> None:
    """Check that a temperature is positive.

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
    count as images of its class. With one view of each image, a batch without two images of a class has loss 0 and no
    gradient; the paper compares two augmented views.

    When several processes train together, the batch is the images of all of them.

    Args:
        taxonomy: The label tree.
        width: Length of an embedding.
        levels: Levels whose classes are contrasted, 1 for the coarsest; all levels by default.
        temperature: :math:`\tau`, > 0.
        base_temperature: :math:`\tau_0`, > 0.

    Raises:
        InputError: A setting is out of range, or a level does not exist.

    Example:
        >>> loss = SupConLoss(Taxonomy.from_paths([("a",), ("b",)]), 3)
        >>> loss(torch.ones(4, 3), torch.tensor([1, 1, 2, 2])).exp()  # all alike: one of three others is positive
        tensor([3.0000, 3.0000, 3.0000, 3.0000])

    References: Khosla et al., Supervised contrastive learning, NeurIPS 2020, arXiv:2004.11362. The released code gives
        nan for a batch with an image that has no positive; here such an image is skipped.
    """

    def per_row(
        self, embeddings: Float[Tensor, "row dim"], target: Int[Tensor, " row"], views: int
    ) -> Float[Tensor, " row"]:
        del views  # a view is an image of its class
        unit, everyone, targets, first = self.gathered(embeddings, target)
        labels = self._classes.to(embeddings.device)[:, targets]
        found = supervised_contrast_loss(unit, labels, temperature=self.temperature, others=everyone, first=first)
        weight = len(targets) / self.count(found.counts).clamp_min(1)
        losses = (found.nats * weight.to(found.nats.dtype)[:, None]).sum(0)
        return losses * (self.temperature / self.base_temperature)
