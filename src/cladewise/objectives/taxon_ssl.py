"""Taxon-SSL: pseudo-labels for the levels that labels leave open, and contrast between images that agree in all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from cladewise.errors import InputError
from cladewise.losses import LevelSoftmaxLoss
from cladewise.objectives.graph_contrast import graph_contrast_loss
from cladewise.objectives.objective import Objective, TrainingBatch, TrainingVectors, projection_of
from cladewise.objectives.supervised_contrast import check_temperature
from cladewise.ops import at_least_float
from cladewise.taxonomy import Taxonomy

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
        InputError: A setting is out of range, or the tree has no level below the root.

    References: Park et al., Free-grained hierarchical visual recognition, CVPR 2026, arXiv:2510.14737, following the
        released code, which extends CHMatch (Wu et al., CVPR 2023) from two levels to three; the full
        text of the paper was not to be had. As there, labelled images have pseudo-labels as well. The code keeps 50,000
        scores however few images there are, compares features of the encoder where we compare a projection, and
        augments the three views differently.
    """

    starts: Int[Tensor, " level"]
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
        self.loss = LevelSoftmaxLoss(taxonomy)
        self.sizes = [len(taxonomy.level_nodes(level)) for level in self.loss.levels]
        if not self.sizes:
            raise InputError("a taxonomy with a level below the root", repr(taxonomy))
        kept = max(1, min(num_images, MOST_SCORES))
        starts = torch.tensor([0, *self.sizes]).cumsum(0)[:-1]
        self.register_buffer("starts", starts, persistent=False)
        self.register_buffer("means", torch.zeros(ALIGNED_BATCHES, self.loss.num_outputs))
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
        views, width = batch.views, projection_of(batch.prediction).shape[1]
        whole = at_least_float(batch.prediction.logits)
        places = 0, min(1, views - 1), 2 if views > 2 else 0
        first, second, query, key = _Views.apply(whole, views, self.loss.num_outputs, width, places)
        columns, says = self.loss.label_columns(batch.target[::views], first.device)
        normaliser, own = self.loss.level_terms(first, columns)
        nats = torch.where(says, normaliser - own, 0.0) * (len(first) / says.sum(0).clamp_min(1))
        labels, trusted = self._pseudo_labels(first.detach())
        normaliser, own = self.loss.level_terms(second, labels + self.starts)
        nats = nats + self.pseudo * torch.where(trusted, normaliser - own, 0.0)
        query, key = (functional.normalize(vectors, dim=-1, eps=1e-6) for vectors in (query, key))
        compared = graph_contrast_loss(query, key, agreeing(labels), temperature=self.temperature)
        return (nats.sum(1) + self.contrast * compared).repeat_interleave(views)

    @torch.no_grad()
    def _pseudo_labels(
        self, scores: Float[Tensor, "image class"]
    ) -> tuple[Int[Tensor, "image level"], Bool[Tensor, "image level"]]:
        """The class of each image at every level, and whether it is trusted; in training, they are remembered."""
        images, (batches, before) = len(scores), self.seen.tolist()
        if not images:
            nothing = self.starts.new_zeros(0, len(self.starts))
            return nothing, nothing > 0
        means, known = self.means.clone(), self.scores.clone()
        here = torch.cat([level.softmax(1).mean(0) for level in scores.split(self.sizes, 1)])
        means[batches % len(means)] = here.to(means.dtype)
        aligned = scores - means[: batches + 1].mean(0).clamp_min(torch.finfo(means.dtype).tiny).log()
        labels = torch.stack([level.argmax(1) for level in aligned.split(self.sizes, 1)], 1)
        normaliser, best = self.loss.level_terms(aligned, labels + self.starts)
        latest, kept = (best - normaliser).exp().to(known.dtype), known.shape[1]
        place = torch.arange(before, before + images, device=known.device)[-kept:] % kept
        known[:, place] = latest[-kept:].t()
        recent = known[:, : min(kept, before + images)]
        most = max(1, int(recent.shape[1] * self.share + 1e-9))
        bars = recent.kthvalue(recent.shape[1] + 1 - most, dim=1).values
        if self.training:
            self.means.copy_(means)
            self.scores.copy_(known)
            self.seen += self.seen.new_tensor([1, images])
        return labels, latest >= bars


class _Views(torch.autograd.Function):
    """Scores of two views and vectors of two, whose gradients go into one buffer.

    ``unbind`` and ``split`` would copy them once more, which costs a fifth of the objective's time at 10,000 leaves.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, views: int, classes: int, width: int, places: tuple[int, int, int]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ctx.shape, ctx.views, ctx.classes, ctx.places = logits.shape, views, classes, places
        first, second, third = (logits[place::views] for place in places)
        vectors = slice(classes, classes + width)
        parts = first[:, :classes], second[:, :classes], second[:, vectors], third[:, vectors]
        first, second, query, key = (part.clone(memory_format=torch.contiguous_format) for part in parts)
        return first, second, query, key

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        whole = grads[0].new_zeros(ctx.shape)
        first, second, third = (whole[place :: ctx.views] for place in ctx.places)
        for rows, part in ((first, grads[0]), (second, grads[1])):
            rows[:, : ctx.classes] += part
        for rows, part in ((second, grads[2]), (third, grads[3])):
            rows[:, ctx.classes :] += part
        return whole, None, None, None, None


def agreeing(labels: Int[Tensor, "image level"]) -> Int[Tensor, " image"]:
    """Group of each image, the same for images with the same label at all levels.

    Example:
        >>> agreeing(torch.tensor([[0, 2], [0, 3], [0, 2], [1, 2]]))
        tensor([0, 1, 0, 2])
    """
    group = labels.new_zeros(len(labels))
    for label in labels.unbind(1) if len(labels) else ():
        group = (group * (label.max() + 1) + label).unique(return_inverse=True)[1]
    return group
