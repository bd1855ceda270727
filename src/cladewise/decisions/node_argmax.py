"""The node with the largest raw score."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from cladewise.decisions.decision import Decision, Nodes
from cladewise.predictions import Prediction, best_nodes


@dataclasses.dataclass(frozen=True)
class NodeArgmax(Decision):
    r"""The node with the largest raw logit, leaves and internal nodes alike.

    .. math:: \hat{v} = \arg\max_{v\ \text{scored}} z_v

    The logits compete, not the log-probabilities at or under the nodes: those never shrink on the way up, and would
    always choose the root.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import NodeSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> NodeArgmax()(NodeSoftmax(t, torch.tensor([[0.0, 1.0, 0.5, 0.5, 0.2]]))).node
        tensor([1])
    """

    name: ClassVar[str] = "node-argmax"

    def __call__(self, prediction: Prediction) -> Nodes:
        prediction = prediction.settled()
        if len(prediction.scored_nodes) == 0:  # a root alone, under a head that scores the nodes below it
            root = torch.zeros(prediction.batch_shape, dtype=torch.int64, device=prediction.device)
            return Nodes.of(prediction, root)
        return Nodes.of(prediction, best_nodes(prediction.logits, prediction.scored_nodes, 1))

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        return self(prediction)
