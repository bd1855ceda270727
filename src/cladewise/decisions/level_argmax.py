"""The most probable node of each level, independently of the other levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from cladewise.decisions.decision import Decision, LevelNodes
from cladewise.errors import InputError
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Levels(Decision):
    r"""The most probable node of each extended level, coarse to fine, independently.

    .. math:: \hat{v}_k = \arg\max_{v \in \text{level}\ k} \log p_v

    The nodes need not lie on one path: the metric ``tice`` counts how often they do not.

    Raises:
        InputError: The taxonomy is a single root without levels.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> Levels()(LeafSoftmax(t, torch.tensor([[0.3, 0.3, 0.4]]).log())).node
        tensor([[1, 4]])
    """

    name: ClassVar[str] = "levels"

    def __call__(self, prediction: Prediction) -> LevelNodes:
        if prediction.taxonomy.num_levels == 0:
            raise InputError("a taxonomy with a level below the root", repr(prediction.taxonomy))
        chosen: list[torch.Tensor] = []
        log_prob: list[torch.Tensor] = []
        for level in range(1, prediction.taxonomy.num_levels + 1):
            nodes, values = prediction.level_log_prob(level)
            best = values.argmax(-1, keepdim=True)
            chosen.append(nodes[best.squeeze(-1)])
            log_prob.append(values.gather(-1, best).squeeze(-1))
        return LevelNodes(torch.stack(chosen, -1), torch.stack(log_prob, -1))

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> LevelNodes:
        return self(prediction)
