"""Contrastive loss between images and the texts of their classes, at one or more levels."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss, check_choice
from cladewise.ops.batch_pairs import group_of
from cladewise.ops.collectives import gather_rows
from cladewise.ops.level_classes import NO_LABEL, level_classes
from cladewise.predictions import LevelSoftmax, level_layout
from cladewise.taxonomy import Taxonomy

Targets = Literal["single", "multi", "rivals"]
"""Treatment of images and texts of the same class within a batch."""


class ImageTextContrastLoss(Loss):
    r"""Contrast of every image with the texts of the batch and of every text with the images, summed over levels.

    .. math:: \ell_i = w \sum_k \Big(\operatorname{LSE}_j s^{(k)}_{i, t_j} - s^{(k)}_{i, t_i}\Big)
        + \Big(\operatorname{LSE}_j s^{(k)}_{j, t_i} - s^{(k)}_{i, t_i}\Big)

    over the images j of the batch, where :math:`s^{(k)}_{i,v}` is the score (scaled cosine) of image i for the text of
    node v at level k, as in :class:`~cladewise.predictions.LevelSoftmax`. The text of an image at a level is that of
    its ancestor there; for a leaf above the level, its own.

    Texts repeat within a batch, especially at coarse levels. With n images of the class of image i:

    - ``"single"``: as above; each image has one positive, and equal texts are negatives. If the scores of the positives
      are equal, each of the two sums is at least :math:`\log n`, as in the paper.
    - ``"multi"``: the target is spread uniformly over the n. The sum over the batch and the gradient are those of
      ``"single"``, because equal nodes have equal texts; only the share of each image differs.
    - ``"rivals"``: images and texts of the same label are left out of each other's sums, which are then at least 0.

    The sums over texts run over distinct texts, each counted with its multiplicity (:math:`\log n` is added to its
    score), so that the cost is images × distinct texts. When several processes train together, the batch is the images
    of all of them, and they exchange one number per text.

    A label says nothing about levels finer than its own; its image does not contribute there.

    Args:
        taxonomy: The label tree.
        levels: The chosen levels, 1 for the coarsest, including the finest; all levels by default.
        targets: ``"single"``, ``"multi"`` or ``"rivals"``.
        weight: Weight w; 1/2 gives the mean of both directions, as in CLIP's loss.

    Raises:
        InputError: A level does not exist, the levels are not ascending, or the finest is missing; or the choice of
            targets is unknown.

    Example:
        >>> loss = ImageTextContrastLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), (2,))
        >>> loss(torch.zeros(4, 2), torch.tensor([2, 2, 3, 3])).exp().round()  # four texts, and four images
        tensor([16., 16., 16., 16.])

    References: "Hierarchical classification via diffusion on manifolds" (HMCF), section 3.3, which sums over the batch
        and states no temperature; the mean and the learnt scale are our choice. Goyal et al., Finetune like you
        pretrain (FLYP), CVPR 2023, arXiv:2212.00638: the finest level alone, ``weight=0.5``. Several positives: Yang
        et al., Unified contrastive learning in image-text-label space, CVPR 2022, arXiv:2204.03610.
    """

    _classes: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        levels: tuple[int, ...] = (),
        *,
        targets: Targets = "single",
        weight: float = 1.0,
    ) -> None:
        super().__init__(taxonomy)
        check_choice(targets, get_args(Targets), "targets")
        self.targets, self.weight = targets, weight
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        self._sizes = [nodes.size for nodes in level_layout(taxonomy, self.levels)]
        self.register_buffer("_classes", torch.from_numpy(level_classes(taxonomy, self.levels)), persistent=False)

    @property
    def num_outputs(self) -> int:
        return sum(self._sizes)

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LevelSoftmax:
        return LevelSoftmax(self.taxonomy, logits, self.levels)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        scores = logits.reshape(target.numel(), self.num_outputs)
        classes = self._classes.to(logits.device)[:, target.reshape(-1)]
        total = scores.sum(-1) * 0.0 if not self._sizes else scores[:, 0] * 0.0
        for part, of_level in zip(scores.split(self._sizes, dim=-1) if self._sizes else (), classes, strict=True):
            total = total + self._level(part, of_level)
        return (self.weight * total).reshape(target.shape)

    def _level(self, scores: Float[Tensor, "image text"], classes: Int[Tensor, " image"]) -> Float[Tensor, " image"]:
        """Contribution of one level to each image's loss."""
        ours = classes != NO_LABEL
        everyone, first = gather_rows(classes[ours]) if self.training else (classes[ours], 0)
        group, size = group_of(everyone)
        texts = scores.new_zeros(len(size), dtype=torch.int64).scatter(0, group, everyone)
        scores = scores[ours].index_select(1, texts)
        group = group[first : first + len(scores)]
        own = scores.gather(1, group[:, None])[:, 0]
        same = torch.arange(len(size), device=scores.device) == group[:, None]
        number = size.to(scores.dtype).log()
        if self.targets == "rivals":
            row = (scores + number.masked_fill(same, 0.0)).logsumexp(-1)
            column = torch.logaddexp(own, self._over_images(scores.masked_fill(same, -torch.inf))[group])
        else:
            row = (scores + number).logsumexp(-1)
            column = self._over_images(scores)[group]
        positive = own
        if self.targets == "multi":  # the mean over the images of each text
            sums = scores.new_zeros(len(size)).index_add(0, group, own)
            sums = gather_rows(sums[None])[0].sum(0) if self.training else sums
            positive = sums[group] / size[group].to(scores.dtype)
        each = (row - own) + (column - positive)
        return torch.zeros_like(classes, dtype=each.dtype).masked_scatter(ours, each)

    def _over_images(self, scores: Float[Tensor, "image text"]) -> Float[Tensor, " text"]:
        """Log-sum-exp of each text's scores over the images of all processes."""
        own = scores.logsumexp(0, keepdim=True)
        return (gather_rows(own)[0] if self.training else own).logsumexp(0)
