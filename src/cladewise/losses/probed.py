"""A loss of embeddings, and classifiers that are learnt beside it without teaching them."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses.contrast import ContrastiveLoss
from cladewise.losses.levels import LevelSoftmaxLoss
from cladewise.losses.loss import Loss


class ProbedLoss(Loss):
    """A contrastive loss of the embeddings, plus the cross-entropy of the classifiers at every level.

    The logits are those of an :class:`~cladewise.predictions.EmbeddedLevelSoftmax`: scores, then the embedding. A head
    whose classifiers see the features without a gradient back to them makes this the usual evaluation of a contrastive
    encoder, a linear classifier on what it has learnt, without a second training.

    Args:
        contrast: The loss of the embeddings.
        probe: The loss of the scores.

    Raises:
        InputError: They are of different trees.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.losses import SupConLoss
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> loss = ProbedLoss(SupConLoss(t, 3), LevelSoftmaxLoss(t))
        >>> loss(torch.zeros(2, 5), torch.tensor([1, 2])).exp()  # no pair of one class; two classes alike
        tensor([2., 2.])
    """

    def __init__(self, contrast: ContrastiveLoss, probe: LevelSoftmaxLoss) -> None:
        super().__init__(probe.taxonomy)
        if contrast.taxonomy != probe.taxonomy:
            raise InputError("losses of one tree", f"{contrast.taxonomy!r} and {probe.taxonomy!r}")
        self.contrast, self.probe = contrast, probe

    @property
    def num_outputs(self) -> int:
        return self.probe.num_outputs + self.contrast.num_outputs

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        scores, embedding = logits.split([self.probe.num_outputs, self.contrast.num_outputs], dim=-1)
        return self.contrast(embedding, target) + self.probe(scores, target)
