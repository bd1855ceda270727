"""Taxon-SSL: pseudo-labels for the levels that labels leave open, and contrast between images that agree in all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cladewise.errors import InputError
from cladewise.objectives.graph_contrast import graph_contrast_loss
from cladewise.objectives.objective import Objective, TrainingBatch, TrainingVectors, projection_of
from cladewise.objectives.supervised_contrast import check_temperature
from cladewise.ops.level_classes import NO_LABEL, level_classes
from cladewise.predictions import LevelSoftmax
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

FIRST_SHARE = 0.05
"""Share of the pseudo-labels that are trusted in the first epoch."""
ALIGNED_BATCHES = 32
"""Number of batches whose mean distribution pseudo-labels are aligned with."""
MOST_SCORES = 50_000
"""Largest number of recent scores that the threshold of trust is a quantile of, per level."""


class TaxonSSLObjective(Objective):
    r"""Cross-entropy at the levels of the label, pseudo-labels at all levels, and contrast of images that agree.

    .. math:: L = \sum_k \operatorname{mean}_{i \in I_k} H\bigl(y_i^k, p^k(a_i)\bigr)
        + \alpha \sum_k \operatorname{mean}_i [s_i^k \ge \theta_k] \, H\bigl(\hat{y}_i^k, p^k(b_i)\bigr)
        + \beta \operatorname{mean}_i \ell_i(b, c)

    with three views a, b and c of each image; :math:`I_k` are the images of the batch whose labels determine level k.
    The pseudo-label :math:`\hat{y}_i^k` is the class with the largest probability :math:`s_i^k` of the first view after
    its distribution is aligned: divided by the mean of the last 32 batches and normalised. :math:`\theta_k` is the
    quantile of recent scores above which a share t of them lies; t grows linearly from 0.05 to its final value. The
    contrast :math:`\ell` is :func:`~cladewise.objectives.graph_contrast_loss` of the other two views, where two images
    are one group if their pseudo-labels agree at *all* levels. No gradient passes through pseudo-labels.

    With two views, the first is c as well; with one, it is all three.

    Args:
        taxonomy: The label tree.
        num_images: Number of training images; at most one recent score is kept for each.
        pseudo: Weight :math:`\alpha` of the pseudo-labels, >= 0.
        contrast: Weight :math:`\beta` of the contrast, >= 0.
        temperature: Temperature of the contrast, > 0.
        trusted: Share t of the pseudo-labels in the end, in (0, 1].
        ramp: Epochs until then, >= 0.

    Raises:
        InputError: A setting is out of range.

    References: Park et al., Free-grained hierarchical visual recognition, CVPR 2026, arXiv:2510.14737, following the
        released code, which extends CHMatch (Wu et al., CVPR 2023) from two levels to three; the full
        text of the paper was not to be had. As there, labelled images have pseudo-labels as well. The code keeps 50,000
        scores however few images there are, compares features of the encoder where we compare a projection, and
        augments the three views differently.
    """

    classes: Int[Tensor, "level node"]
    means: Float[Tensor, "batch class"]
    scores: Float[Tensor, "level entry"]
    seen: Int[Tensor, " 2"]
    """Numbers of batches and of scores so far."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        num_images: int,
        *,
        pseudo: float = 1.0,
        contrast: float = 1.0,
        temperature: float = 0.1,
        trusted: float = 0.8,
        ramp: int = 10,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        if min(pseudo, contrast) < 0:
            raise InputError("weights of at least 0", min(pseudo, contrast))
        if not 0 < trusted <= 1:
            raise InputError("a share of trusted pseudo-labels in (0, 1]", trusted)
        if ramp < 0:
            raise InputError("a number of epochs of at least 0", ramp)
        self.pseudo, self.contrast, self.temperature = pseudo, contrast, temperature
        self.trusted, self.ramp, self.epoch = trusted, ramp, 0
        levels = range(1, taxonomy.num_levels + 1)
        width = sum(len(taxonomy.level_nodes(level)) for level in levels)
        kept = max(1, min(num_images, MOST_SCORES))
        self.register_buffer("classes", torch.from_numpy(level_classes(taxonomy, levels)), persistent=False)
        self.register_buffer("means", torch.zeros(ALIGNED_BATCHES, width))
        self.register_buffer("scores", torch.zeros(taxonomy.num_levels, kept))
        self.register_buffer("seen", torch.zeros(2, dtype=torch.int64))

    def begin_epoch(self, epoch: int, seed: int, represent: Callable[[], TrainingVectors]) -> None:
        self.epoch = epoch

    @property
    def share(self) -> float:
        """Share of the pseudo-labels that are trusted in this epoch."""
        first = min(FIRST_SHARE, self.trusted)
        return first + (self.trusted - first) * min(1.0, self.epoch / self.ramp if self.ramp else 1.0)

    def state(self) -> dict[str, float]:
        return {"trusted_share": self.share}

    def forward(self, batch: TrainingBatch) -> Float[Tensor, " row"]:
        settled = batch.prediction.settled()
        assert isinstance(settled, LevelSoftmax)
        views = batch.views
        first, second = slice(0, None, views), slice(min(1, views - 1), None, views)
        third = slice(2, None, views) if views > 2 else first
        by_level = [level.log_prob for level in settled.by_level]
        nats = self._supervised([log_prob[first] for log_prob in by_level], batch.target[first])
        labels, trusted = self._pseudo_labels([log_prob[first].detach() for log_prob in by_level])
        for log_prob, label, trust in zip(by_level, labels, trusted, strict=True):
            own = log_prob[second].gather(1, label[:, None])[:, 0]
            nats = nats - self.pseudo * torch.where(trust, own, 0.0)
        unit = functional.normalize(projection_of(batch.prediction), dim=-1, eps=1e-6)
        compared = graph_contrast_loss(unit[second], unit[third], agreeing(labels), temperature=self.temperature)
        return (nats + self.contrast * compared).repeat_interleave(views)

    def _supervised(self, by_level: list[Tensor], target: Tensor) -> Float[Tensor, " image"]:
        """Cross-entropy at the levels that the labels determine, weighted to be its mean over the images they do."""
        total = target.new_zeros(target.shape, dtype=torch.float32)
        for log_prob, classes in zip(by_level, self.classes, strict=True):
            known = classes[target]
            says = known != NO_LABEL
            own = log_prob.gather(1, torch.where(says, known, 0)[:, None])[:, 0]
            total = total - torch.where(says, own, 0.0) * (len(target) / says.sum().clamp_min(1))
        return total

    @torch.no_grad()
    def _pseudo_labels(self, by_level: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The class of each image at every level, and whether it is trusted; in training, they are remembered."""
        images = len(by_level[0]) if by_level else 0
        if not images:
            return [row.new_zeros(0, dtype=torch.int64) for row in by_level], [row[:, 0] > 0 for row in by_level]
        batches, before = self.seen.tolist()
        here = torch.cat([log_prob.exp().mean(0) for log_prob in by_level]).to(self.means.dtype)
        means, scores = self.means.clone(), self.scores.clone()
        means[batches % len(means)] = here
        mean = means[: batches + 1].mean(0).clamp_min(torch.finfo(here.dtype).tiny).log()
        parts = mean.split([log_prob.shape[1] for log_prob in by_level])
        found = [(x - log_mean).softmax(1).max(1) for x, log_mean in zip(by_level, parts, strict=True)]
        kept = scores.shape[1]
        latest = torch.stack([score for score, _ in found]).to(scores.dtype)
        place = torch.arange(before, before + images, device=scores.device)[-kept:] % kept
        scores[:, place] = latest[:, -kept:]
        known = scores[:, : min(kept, before + images)]
        most = max(1, int(known.shape[1] * self.share + 1e-9))
        bars = known.kthvalue(known.shape[1] + 1 - most, dim=1).values
        if self.training:
            self.means.copy_(means)
            self.scores.copy_(scores)
            self.seen += self.seen.new_tensor([1, images])
        return [label for _, label in found], list(latest >= bars[:, None])


def agreeing(labels: list[Int[Tensor, " image"]]) -> Int[Tensor, " image"]:
    """Group of each image, the same for images with the same label at all levels.

    Example:
        >>> agreeing([torch.tensor([0, 0, 0, 1]), torch.tensor([2, 3, 2, 2])])
        tensor([0, 1, 0, 2])
    """
    group = torch.zeros_like(labels[0])
    for label in labels:
        group = (group * (label.max() + 1 if len(label) else 1) + label).unique(return_inverse=True)[1]
    return group
