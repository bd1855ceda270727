"""A contrastive loss combined with classifiers that are trained alongside, as a loss and for several views."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses import LevelSoftmaxLoss, Loss
from cladewise.objectives.objective import Objective, TrainingBatch, projection_of
from cladewise.objectives.supervised_contrast import ContrastiveLoss
from cladewise.predictions import EmbeddedLevelSoftmax


class ProbedLoss(Loss):
    """A contrastive loss of the embeddings, plus the cross-entropy of a classifier at every level.

    The logits are those of an :class:`~cladewise.predictions.EmbeddedLevelSoftmax`: scores, then the embedding. With a
    head that stops the gradient between features and classifiers (:class:`~cladewise.heads.ContrastiveHead`), this is
    the usual evaluation of a contrastive encoder by linear probes, without a second training.

    Args:
        contrast: The loss of the embeddings.
        probe: The loss of the scores.

    Raises:
        InputError: The two losses have different trees.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.objectives import SupConLoss
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> loss = ProbedLoss(SupConLoss(t, 3), LevelSoftmaxLoss(t))
        >>> loss(torch.zeros(2, 5), torch.tensor([1, 2])).exp()  # no positive pair; two classes with equal scores
        tensor([2., 2.])
    """

    def __init__(self, contrast: ContrastiveLoss, probe: LevelSoftmaxLoss) -> None:
        super().__init__(probe.taxonomy)
        if contrast.taxonomy != probe.taxonomy:
            raise InputError("losses of one tree", f"{contrast.taxonomy!r} and {probe.taxonomy!r}")
        self.contrast, self.probe = contrast, probe

    @property
    def num_outputs(self) -> int:
        return self.probe.num_outputs + self.contrast.width

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> EmbeddedLevelSoftmax:
        return EmbeddedLevelSoftmax(self.taxonomy, logits, self.contrast.width, self.probe.levels)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        scores, embedding = logits.split([self.probe.num_outputs, self.contrast.width], dim=-1)
        return self.contrast(embedding, target) + self.probe(scores, target)


class ProbedObjective(Objective):
    """A :class:`ProbedLoss` of batches with several views of each image.

    Every view is an image to the classifiers. When several processes train together, the contrast compares the images
    of all of them.

    Args:
        loss: The loss of images with one view each.
    """

    def __init__(self, loss: ProbedLoss) -> None:
        super().__init__()
        self.contrast, self.probe = loss.contrast, loss.probe

    def forward(self, batch: TrainingBatch) -> Float[Tensor, " row"]:
        contrast = self.contrast(projection_of(batch.prediction), batch.target, views=batch.views)
        return contrast + self.probe(batch.prediction.settled().logits, batch.target)
