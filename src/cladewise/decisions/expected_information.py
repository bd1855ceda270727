"""The node with the largest expected information."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from cladewise.decisions.candidates import candidates, says_something
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.dense import first_best
from cladewise.ops import tree_index
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class ExpectedInformation(Decision):
    r"""The node whose information times probability is the largest.

    .. math:: \hat{v} = \arg\max_{v:\ |C(v)| \ne 1} p_v I(v), \qquad I(v) = \log_2 (L / |B(v)|)

    A node with exactly one child is no more informative than its child and is skipped. The root has no information and
    wins only if nothing else has any.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e", "f"), ("e", "g"), ("e", "h")])
        >>> p = LeafSoftmax(t, torch.tensor([[0.5, 0.3, 0.1, 0.1, 0, 0], [0.3, 0.3, 0.3, 0.1, 0, 0]]).log())
        >>> [t.path_name(v) for v in ExpectedInformation()(p).node.tolist()]
        ['a/b', 'a']

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929. It is
        :class:`~cladewise.decisions.Hedging` with nothing added to the reward.
    """

    name: ClassVar[str] = "expected-information"

    def __call__(self, prediction: Prediction) -> Nodes:
        found = candidates(prediction, says_something(tree_index(prediction.taxonomy, prediction.device)))
        return Nodes.of(prediction, found.best(found.log_prob + found.information_bits.log()))

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        taxonomy, log_prob = prediction.taxonomy, prediction.log_prob
        bits = tree_index(taxonomy, prediction.device).information_bits.to(log_prob.dtype)
        worth = log_prob + bits.log()
        return Nodes.of(prediction, first_best(says_something(tree_index(taxonomy, prediction.device)), worth))
