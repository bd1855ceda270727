"""Logit adjustment: leaves weighed against their frequency in training."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import catalogue
from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.inference.weighing import weighed
from cladewise.predictions import LeafWeights, Prediction
from cladewise.taxonomy.leaf_counts import images_by_leaf


@dataclasses.dataclass(frozen=True)
class LogitAdjustment(Inference):
    r"""Divides the probability of each leaf by its frequency in training, as for equally frequent leaves.

    .. math:: p'_l \propto \frac{p_l}{n_l^{\tau}}

    where :math:`n_l` is the number of training images of the leaf, to which an image labelled at an internal node adds
    an equal share, and at least 1. With :math:`\tau = 1` it is Bayes' rule for leaves that are all equally frequent,
    which the balanced error assumes. It needs no training: it applies to any run, and heads that are not made of leaves
    are treated as by :class:`~cladewise.inference.Prior`, which weighs by a table instead. A run trained on adjusted
    scores (``adjust`` of ``flat-softmax`` and ``level-softmax``) or with the margins of ``taxonet`` would be adjusted
    twice.

    Args:
        strength: Exponent :math:`\tau`, above 0.
        fits_on: The split whose labels are counted: that of the training images.
        images: The numbers of images :math:`n`, which :meth:`fit` counts.

    Raises:
        InputError: The strength is not above 0, or the rule is used without being fitted.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> even = LeafSoftmax(t, torch.zeros(5, 3))
        >>> rule = LogitAdjustment().fit(even, torch.tensor([2, 2, 2, 3, 4]))
        >>> rule(even).log_prob[0].exp()  # b has three images, c and d have one
        tensor([1.0000, 0.5714, 0.1429, 0.4286, 0.4286])

    References: Menon et al., Long-tail learning via logit adjustment, ICLR 2021, arXiv:2007.07314, section 4.1
        (post-hoc). It covers flat labels; leaves of a tree with labels at any node are ours.
    """

    name: ClassVar[str] = "logit-adjustment"

    strength: float = 1.0
    fits_on: str = "train"
    images: Float[Tensor, " leaf"] | None = catalogue.fitted()  # noqa: RUF009 -- it is a field

    def __post_init__(self) -> None:
        if not (self.strength > 0 and math.isfinite(self.strength)):
            raise InputError("a strength above 0", self.strength)

    @property
    def is_fitted(self) -> bool:
        """Whether the labels of the training images were counted."""
        return self.images is not None

    def __call__(self, prediction: Prediction) -> Prediction:
        if self.images is None:
            advice = "Call fit with scores and true nodes of the training images."
            raise InputError(f"a fitted {self.name}", "one that was not fitted", advice=advice)
        images = torch.as_tensor(self.images, device=prediction.device)
        return weighed(prediction, LeafWeights(prediction.taxonomy, -self.strength * images.float().log()))

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the rule with the labels of these images counted; their scores have no effect.

        Args:
            prediction: Of the training images.
            target: Their true nodes; internal ones are allowed.
        """
        taxonomy = prediction.taxonomy
        counts = target.flatten().bincount(minlength=taxonomy.num_nodes).cpu().numpy()
        return dataclasses.replace(self, images=torch.from_numpy(images_by_leaf(counts, taxonomy)))
