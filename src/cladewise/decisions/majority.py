"""The most informative node that is more probable than not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from cladewise.decisions.candidates import log_bar
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.informative import dense_above, most_informative_above
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Majority(Decision):
    """The most informative node that is more probable than not.

    The rule is :func:`~cladewise.decisions.informative.most_informative_above`. Of two disjoint nodes at most one can
    hold the majority, so for a coherent prediction the answer is the end of one path from the root.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> Majority()(LeafSoftmax(t, torch.tensor([[0.4, 0.3, 0.3]]).log())).node
        tensor([1])
    """

    name: ClassVar[str] = "majority"

    def __call__(self, prediction: Prediction) -> Nodes:
        bar = log_bar(0.5, prediction.precision)
        return Nodes.of(prediction, most_informative_above(prediction, bar))

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        return Nodes.of(prediction, dense_above(prediction, log_bar(0.5, prediction.precision)))
