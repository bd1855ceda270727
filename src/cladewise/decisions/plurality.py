"""The most informative node that beats every runner-up."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.decisions.candidates import flat_log_prob
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.descent import best_children
from cladewise.decisions.informative import most_informative_above
from cladewise.ops import tree_index
from cladewise.predictions import Coherence, Prediction


@dataclasses.dataclass(frozen=True)
class Plurality(Decision):
    r"""The most informative node that is more probable than the second best child of any node.

    .. math:: \tau = \max_{v:\ |C(v)| \ge 2} \operatorname{second}_{c \in C(v)} p_c, \qquad
        \hat{v} = \operatorname{lexmax}_{v:\ p_v > \tau,\ |C(v)| \ne 1} (I(v), p_v)

    A threshold that each image sets for itself; where no node is above it the answer
    is the root.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)])
        >>> Plurality()(LeafSoftmax(t, torch.tensor([[0.34, 0.06, 0.3, 0.3], [0.25, 0.15, 0.3, 0.3]]).log())).node
        tensor([2, 1])

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929. Of equally
        informative nodes the released code takes the first; here it is the most probable.
    """

    name: ClassVar[str] = "plurality"

    def __call__(self, prediction: Prediction) -> Nodes:
        # a parent as probable as its children, at the least, bounds the seconds off the way by one on the way
        anywhere = prediction.coherence is Coherence.NONE
        second = (_second_anywhere if anywhere else _second_on_the_way)(prediction)
        slack = 8 * torch.finfo(second.dtype).eps  # a parent of an only child may seem more probable by rounding
        return Nodes.of(prediction, most_informative_above(prediction, second + slack))


def _second_on_the_way(prediction: Prediction) -> Float[Tensor, " image"]:
    """The largest second best child on the way down by best children; -inf where there is none."""
    log_prob, index = flat_log_prob(prediction), tree_index(prediction.taxonomy, prediction.device)
    second = log_prob.new_full((len(log_prob),), -torch.inf)
    walking = torch.arange(len(log_prob), device=log_prob.device)
    node = torch.zeros_like(walking)
    for level in index.levels:
        walking = walking[index.height[node[walking]] > 0]
        step = best_children(log_prob, walking, node[walking], level, prediction.taxonomy)
        node[walking] = step.child
        second[walking] = torch.maximum(second[walking], step.runner_up)
    return second


def _second_anywhere(prediction: Prediction) -> Float[Tensor, " image"]:
    """The largest second best child of any node; -inf where there is none."""
    log_prob, index = flat_log_prob(prediction), tree_index(prediction.taxonomy, prediction.device)
    by_child, parent = log_prob.t()[1:], index.parents[1:]
    best = torch.full_like(log_prob.t(), -torch.inf)
    best.scatter_reduce_(0, parent[:, None].expand_as(by_child), by_child, "amax")
    is_best = by_child == best[parent]
    several = torch.zeros_like(best).index_add_(0, parent, is_best.to(best.dtype)) >= 2
    nothing = log_prob.new_full((1, len(log_prob)), -torch.inf)  # a tree may have no children
    others = torch.cat([nothing, by_child.masked_fill(is_best, -torch.inf)]).amax(0)
    return torch.maximum(others, best.masked_fill(~several, -torch.inf).amax(0))
