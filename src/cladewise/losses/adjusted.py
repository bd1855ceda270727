"""Logit adjustment for long-tailed label distributions."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses.flat import FlatSoftmaxLoss
from cladewise.losses.image_text import ImageTextContrastLoss
from cladewise.losses.level_softmax import LevelSoftmaxLoss
from cladewise.losses.loss import Loss, check_between
from cladewise.ops.level_classes import level_classes
from cladewise.predictions import Prediction
from cladewise.taxonomy.leaf_counts import images_by_leaf

LARGEST = 10.0


class LogitAdjustedLoss(Loss):
    r"""A softmax loss, with the log-frequency of each class in the training set added to its score.

    .. math:: s'^{(k)}_v = s^{(k)}_v + \tau \log \pi^{(k)}_v, \qquad
        \pi^{(k)}_v = \frac{\max(1, n^{(k)}_v)}{\sum_u \max(1, n^{(k)}_u)}

    where :math:`n^{(k)}_v` training images are labelled at or under v, at level k. The classes of a
    :class:`~cladewise.losses.FlatSoftmaxLoss` are the leaves, to which an image labelled at an internal node adds an
    equal share; with :math:`\tau = 1` this is the balanced softmax. Only the loss uses the adjustment:
    scores trained with it need no bias towards frequent classes, and the prediction is the one for equally frequent
    classes. With :math:`\tau = 1` the balanced error is minimised. In a contrast of images with texts, the comparison
    of a text with the images is unaffected, since the same number is added for all images.

    :meth:`for_labels` sets the label frequencies; until then this is the plain loss.

    Args:
        loss: The loss.
        strength: :math:`\tau`, in [0, 10].

    Raises:
        InputError: The strength is out of range, or the loss takes tied scores.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> loss = LogitAdjustedLoss(LevelSoftmaxLoss(t)).for_labels(torch.tensor([0, 3, 1]))
        >>> loss(torch.zeros(2, 2), torch.tensor([1, 2])).exp()  # 3/4 and 1/4
        tensor([1.3333, 4.0000])

    References: Menon et al., Long-tail learning via logit adjustment, ICLR 2021, arXiv:2007.07314. Ren et al., Balanced
        meta-softmax for long-tailed visual recognition, NeurIPS 2020, arXiv:2007.10740, equation 3, without the
        meta-sampler. A class without images is treated as having one.
    """

    _added: Tensor

    def __init__(self, loss: LevelSoftmaxLoss | ImageTextContrastLoss | FlatSoftmaxLoss, strength: float = 1.0) -> None:
        super().__init__(loss.taxonomy)
        check_between(strength, 0.0, LARGEST, "a strength of logit adjustment")
        if isinstance(loss, LevelSoftmaxLoss) and loss.tied:
            raise InputError("scores of each level's own", "tied ones")
        self.loss, self.strength = loss, strength
        self.register_buffer("_added", torch.zeros(loss.num_outputs), persistent=False)

    @property
    def num_outputs(self) -> int:
        return self.loss.num_outputs

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> Prediction:
        return self.loss.prediction(logits)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return self.loss(logits + self._added.to(logits), target)

    def for_labels(self, num_images: Int[Tensor, " node"]) -> Loss:
        adjusted = LogitAdjustedLoss(self.loss, self.strength)
        counts = num_images.detach().cpu().numpy()
        if isinstance(self.loss, FlatSoftmaxLoss):
            images = images_by_leaf(counts, self.taxonomy)
            adjusted._added.copy_(torch.from_numpy(self.strength * np.log(images / images.sum())))
            return adjusted
        parts = [np.zeros(0)]
        for level, classes in zip(self.loss.levels, level_classes(self.taxonomy, self.loss.levels), strict=True):
            speaks, size = classes >= 0, self.taxonomy.level_nodes(level).size
            number = np.bincount(classes[speaks], weights=counts[speaks], minlength=size).clip(min=1)
            parts.append(np.log(number / number.sum()))
        adjusted._added.copy_(torch.from_numpy(self.strength * np.concatenate(parts)))
        return adjusted
