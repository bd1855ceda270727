"""The most probable leaf."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.decision import Decision, Nodes
from cladewise.ops import at_least_float, tree_index
from cladewise.predictions import LeafSoftmax, Prediction, best_nodes


@dataclasses.dataclass(frozen=True)
class Leaf(Decision):
    r"""The most probable leaf, as if there were no tree above it.

    .. math:: \hat{v} = \arg\max_{l\ \text{leaf}} \log p_l

    A softmax over the leaves is decided by its raw logits, without a sum up the tree.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> Leaf()(LeafSoftmax(t, torch.tensor([[0.0, 2.0, 1.0]]))).node
        tensor([3])
    """

    name: ClassVar[str] = "leaf"

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` most probable leaves, also of a prediction in which all nodes compete."""
        leaves = tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        return best_nodes(_leaf_scores(prediction), leaves, k)

    def __call__(self, prediction: Prediction) -> Nodes:
        leaves = tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        scores = _leaf_scores(prediction)
        log_prob = at_least_float(scores).log_softmax(-1) if isinstance(prediction, LeafSoftmax) else scores
        best = scores.argmax(-1, keepdim=True)
        return Nodes(leaves[best.squeeze(-1)], log_prob.gather(-1, best).squeeze(-1))


def _leaf_scores(prediction: Prediction) -> Float[Tensor, "*batch leaf"]:
    """Scores that order the leaves: log-probabilities, or raw logits where these are a softmax over the leaves."""
    if isinstance(prediction, LeafSoftmax):
        return prediction.leaf_logits
    return prediction.log_prob[..., tree_index(prediction.taxonomy, prediction.device).leaf_nodes]
