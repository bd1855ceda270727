"""Base class of rules that are as cautious as a guaranteed accuracy requires."""

from __future__ import annotations

import dataclasses
import warnings
from abc import abstractmethod
from typing import ClassVar, Self

from jaxtyping import Bool, Int
from torch import Tensor

from cladewise.catalogue import fitted
from cladewise.decisions.candidates import Candidates, candidates, join, log_bar, says_something
from cladewise.decisions.decision import Decision, Nodes
from cladewise.errors import InputError
from cladewise.ops import TreeIndex, is_ancestor, tree_index
from cladewise.predictions import Prediction
from cladewise.statistics import clopper_pearson_lower
from cladewise.taxonomy import Taxonomy

STEPS = 25
"""Bisection steps in the search for the caution, as in the released code of DARTS."""
CELLS_AT_ONCE = 1 << 22
"""Approximate number of (image, node) cells processed at a time, 16 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class Guaranteed(Decision):
    r"""A rule with a caution parameter: with more of it, answers are higher in the tree and more often right.

    An answer is right if the label lies at or under it. :meth:`fit` finds the least caution :math:`\lambda` at which
    the accuracy is above the guarantee, by a one-sided 95% bound of Clopper and Pearson that allows for the number of
    images:

    .. math:: \underline{p}(\text{right}(\lambda), N) > 1 - \varepsilon

    It is found by 25 bisection steps. If even the most cautious end of the range does not reach the guarantee, because
    there are too few images or wrong answers have a probability near 1, that end is used, with a warning.

    Args:
        guarantee: The accuracy :math:`1 - \varepsilon` to be held, in [0, 1).
        caution: The fitted caution; may be given instead.
    """

    fits_on: ClassVar[str] = "val"

    guarantee: float = 0.9
    caution: float | None = fitted()

    def __post_init__(self) -> None:
        if not 0 <= self.guarantee < 1:
            raise InputError(
                "a guarantee in [0, 1)", self.guarantee, advice="0.9 means right for nine images out of ten."
            )

    @property
    def is_fitted(self) -> bool:
        """Whether the caution is known."""
        return self.caution is not None

    @property
    def promise(self) -> float:
        """The accuracy to be held."""
        return self.guarantee

    def __call__(self, prediction: Prediction) -> Nodes:
        if self.caution is None:
            raise InputError(
                f"a rule {self.name} that is fitted",
                "one that is not",
                advice=f"Fit it on the {self.fits_on} split: rule.fit(prediction, target).",
            )
        return Nodes.of(prediction, self.answer(self.candidates(prediction), self.caution))

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the rule with the least caution that meets the guarantee on these images.

        Args:
            prediction: Of images that the model was not trained on.
            target: Their true nodes; inner ones are allowed.

        Raises:
            InputError: There are no images, or the shapes differ.
        """
        if prediction.batch_shape != target.shape or target.numel() == 0:
            raise InputError(
                "predictions and as many targets, one at least",
                f"shapes {list(prediction.batch_shape)} and {list(target.shape)}",
            )
        taxonomy, labels = prediction.taxonomy, target.reshape(-1)
        found = self._undominated(prediction.map(lambda x: x.reshape(len(labels), *x.shape[target.ndim :])))
        low, high = 0.0, self.most_cautious(taxonomy)
        for _ in range(STEPS):
            middle = (low + high) / 2
            if self._bound(found, labels, middle) > self.guarantee:
                high = middle
            else:
                low = middle
        bound = self._bound(found, labels, high)
        if bound <= self.guarantee:
            warnings.warn(
                f"{self.name} cannot promise an accuracy of {self.guarantee:g}: on {len(labels)} images no caution "
                f"gives a lower bound above {bound:.4f}. Use more images, calibrate, or ask for less.",
                stacklevel=2,
            )
        return dataclasses.replace(self, caution=high)

    def _undominated(self, images: Prediction) -> Candidates:
        at_once = max(1, CELLS_AT_ONCE // images.taxonomy.num_nodes)
        starts = range(0, images.batch_shape[0], at_once)
        return join([self.candidates(images[start : start + at_once]).undominated() for start in starts])

    def _bound(self, found: Candidates, labels: Tensor, caution: float) -> float:
        right = is_ancestor(self.answer(found, caution), labels, found.taxonomy).sum()
        return clopper_pearson_lower(int(right), len(labels))

    def candidates(self, prediction: Prediction) -> Candidates:
        """The nodes of each image that can be the answer at some caution."""
        return candidates(prediction, self.eligible(prediction, tree_index(prediction.taxonomy, prediction.device)))

    def eligible(self, prediction: Prediction, index: TreeIndex) -> Bool[Tensor, " node"]:
        """Mask of the nodes that may be answered at all: those without exactly one child."""
        return says_something(index)

    def most_cautious(self, taxonomy: Taxonomy) -> float:
        """Upper end of the search range: the threshold that nothing exceeds."""
        return 1.0

    @abstractmethod
    def answer(self, found: Candidates, caution: float) -> Int[Tensor, " image"]:
        """Choose among each image's candidates."""


def surer(found: Candidates, threshold: float) -> Candidates:
    """The candidates whose probability exceeds a threshold."""
    return found.where(found.log_prob > log_bar(threshold, found.log_prob.dtype))
