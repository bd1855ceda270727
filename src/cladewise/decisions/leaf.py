"""Flat decision: the most probable leaf."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from cladewise.decisions.decision import Decision, Nodes
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Leaf(Decision):
    r"""The most probable leaf, as if there were no tree above it.

    .. math:: \hat{v} = \arg\max_{l\ \text{leaf}} \log p_l

    A softmax over the leaves is decided by its raw logits, without a sum up the tree.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> Leaf()(LeafSoftmax(t, torch.tensor([[0.0, 2.0, 1.0]]))).node
        tensor([3])
    """

    name: ClassVar[str] = "leaf"

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` most probable leaves, also of a prediction in which all nodes compete."""
        return prediction.leaf_ranking(k)

    def __call__(self, prediction: Prediction) -> Nodes:
        return Nodes(*prediction.best_leaf())

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        return self(prediction)
