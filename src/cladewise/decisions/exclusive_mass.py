"""The node with the most probability of its own, not counting its children's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from cladewise.decisions.decision import Decision, Nodes
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class ExclusiveMass(Decision):
    r"""The node with the most probability left after subtracting that of its children.

    .. math:: \hat{v} = \arg\max_v \Big(p_v - \sum_{c \in C(v)} p_c\Big)

    Made for heads whose inner nodes own mass. Where a parent is the sum of its children only leaves own any, and the
    answer is the most probable leaf.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import NodeSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> ExclusiveMass()(NodeSoftmax(t, torch.tensor([[0.0, 1.0, 0.5, 0.5, 0.2]]))).node
        tensor([1])

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """

    name: ClassVar[str] = "exclusive-mass"

    def __call__(self, prediction: Prediction) -> Nodes:
        return Nodes.of(prediction, prediction.own_log_prob.argmax(-1))

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        return self(prediction)
