"""Calibration as an inference rule."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import catalogue
from cladewise.calibration import Beta, Calibrator, Isotonic, Temperature
from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.predictions import Prediction

_KINDS: dict[str, Calibrator] = {"temperature": Temperature(), "isotonic": Isotonic(), "beta": Beta()}


@dataclasses.dataclass(frozen=True)
class Calibrate(Inference):
    r"""Probabilities that agree with the share of right answers, learnt from images the network was not trained on.

    - ``temperature`` divides scores by a temperature, :math:`p'_v \propto \sum_{l \in B(v)} e^{z_l / T}`
      (:func:`~cladewise.calibration.at_temperature`). One for all leaves makes any head coherent, and leaves keep their
      order. With ``by="level"`` each level has its own, and the head keeps its form.
    - ``isotonic`` and ``beta`` map the probability at or under every node by a non-decreasing function, one for all
      levels or one for each (:class:`~cladewise.calibration.Isotonic`, :class:`~cladewise.calibration.Beta`). Sums over
      children are then no longer their parent's: a child is capped by its parent, and the result is monotone.

    A level with fewer than 30 labelled images has the parameters of all levels, with a warning.

    Args:
        kind: ``"temperature"``, ``"isotonic"`` or ``"beta"``.
        by: ``"all"``, or ``"level"`` for parameters of each level.
        parameters: The learnt temperatures, corners or coefficients.

    Raises:
        InputError: An option is unknown; the rule is used without being fitted; or it is fitted without images.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> sure = LeafSoftmax(t, torch.tensor([[4.0, 0.0]]).repeat(100, 1))  # 98% for b
        >>> target = torch.tensor([2] * 80 + [3] * 20)  # but b in 80 of 100
        >>> rule = Calibrate().fit(sure, target)
        >>> round(float(rule.parameters), 2), rule(sure).log_prob[0].exp()
        (2.79, tensor([1.0000, 1.0000, 0.8072, 0.1928]))

    References: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599, for leaves; the forms
        for trees are ours.
    """

    name: ClassVar[str] = "calibrate"
    fits_on: ClassVar[str] = "val"

    kind: Literal["temperature", "isotonic", "beta"] = "temperature"
    by: Literal["all", "level"] = "all"
    parameters: Float[Tensor, "*shape"] | float | None = catalogue.fitted()  # noqa: RUF009 -- it is a field

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InputError(f"a kind: {', '.join(_KINDS)}", repr(self.kind))
        if self.by not in ("all", "level"):
            raise InputError("by among all, level", repr(self.by))

    @property
    def is_fitted(self) -> bool:
        """Whether the parameters are known."""
        return self.parameters is not None

    def __call__(self, prediction: Prediction) -> Prediction:
        if self.parameters is None:
            raise InputError(
                f"a fitted {self.name}", "one that was not fitted", advice="Call fit with scores and true nodes."
            )
        return _KINDS[self.kind].apply(prediction, torch.as_tensor(self.parameters))

    def fit(self, prediction: Prediction, target: Int[Tensor, " batch"]) -> Self:
        """A copy of the rule with the parameters learnt from these images.

        Args:
            prediction: Of images that the network was not trained on, one batch axis.
            target: Their true nodes; internal ones are allowed.
        """
        if prediction.batch_shape != target.shape or target.ndim != 1 or not len(target):
            raise InputError(
                "predictions and true nodes [batch]", f"{list(prediction.batch_shape)}, {list(target.shape)}"
            )
        learnt = _KINDS[self.kind].fit(prediction, target.to(prediction.device), self.by)
        return dataclasses.replace(self, parameters=learnt)
