"""The most informative node above a given probability."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions.candidates import log_bar
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.informative import most_informative_above
from cladewise.errors import InputError
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Threshold(Decision):
    r"""The most informative node whose probability exceeds a threshold.

    The rule is :func:`~cladewise.decisions.informative.most_informative_above`.

    Args:
        threshold: Probability :math:`\tau` that a node has to exceed, in [0, 1).

    Raises:
        InputError: The threshold is not in [0, 1).

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.1]]).log())
        >>> [int(Threshold(x)(p).node) for x in (0.5, 0.8, 0.95)]
        [2, 1, 0]
    """

    name: ClassVar[str] = "threshold"

    threshold: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise InputError("a threshold in [0, 1)", self.threshold, advice="0.5 is the majority, 0.9 the default.")

    def __call__(self, prediction: Prediction) -> Nodes:
        bar = log_bar(self.threshold, prediction.log_prob.dtype)
        return Nodes.of(prediction, most_informative_above(prediction, bar))
