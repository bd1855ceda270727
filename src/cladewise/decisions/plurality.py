"""The most informative node that is more probable than every runner-up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates, flat_log_prob, says_something, side_by_side
from cladewise.decisions.child_steps import best_children
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.dense import descent, most_informative_of, on_the_way
from cladewise.decisions.informative import dense_above, most_informative, most_informative_above
from cladewise.ops import tree_index
from cladewise.predictions import Coherence, Prediction


@dataclasses.dataclass(frozen=True)
class Plurality(Decision):
    r"""The most informative node that is more probable than the second best child of any node.

    .. math:: \tau = \max_{v:\ |C(v)| \ge 2} \operatorname{second}_{c \in C(v)} p_c, \qquad
        \hat{v} = \operatorname{lexmax}_{v:\ p_v > \tau,\ |C(v)| \ne 1} (I(v), p_v)

    The threshold differs from image to image; if no node is above it, the answer is the root.

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
        # where no child is above its parent, a second best child off the way down is below one on the way, and
        # nothing but the way itself is above them all
        anywhere = prediction.coherence is Coherence.NONE
        return Nodes.of(prediction, (_chosen_anywhere if anywhere else _chosen_on_the_way)(prediction))

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        taxonomy, log_prob = prediction.taxonomy, prediction.log_prob
        found = descent(log_prob, taxonomy)
        if prediction.coherence is Coherence.NONE:
            return Nodes.of(prediction, dense_above(prediction, _with_slack(found.runner_up.amax(1))[:, None]))
        index = tree_index(taxonomy, prediction.device)
        way = on_the_way(found.is_best, taxonomy)
        beside = way.index_select(1, index.parents.clamp_min(0))
        second = torch.where(beside, found.runner_up, -torch.inf).amax(1, keepdim=True)
        eligible = way & says_something(index) & (log_prob > _with_slack(second))
        return Nodes.of(prediction, most_informative_of(eligible, log_prob, taxonomy))


def _chosen_on_the_way(prediction: Prediction) -> Int[Tensor, " image"]:
    """Among the best children of best children, from the root down."""
    taxonomy, log_prob = prediction.taxonomy, flat_log_prob(prediction)
    index = tree_index(taxonomy, prediction.device)
    second = log_prob.new_full((len(log_prob),), -torch.inf)
    walking = torch.arange(len(log_prob), device=log_prob.device)
    node = torch.zeros_like(walking)
    way = [Candidates(taxonomy, len(log_prob), walking, node.clone(), log_prob[:, 0])]
    for level in index.by_depth:
        walking = walking[index.height[node[walking]] > 0]
        step = best_children(log_prob, walking, node[walking], level, taxonomy)
        node[walking] = step.child
        second[walking] = torch.maximum(second[walking], step.runner_up)
        way.append(Candidates(taxonomy, len(log_prob), walking, step.child, log_prob[walking, step.child]))
    found = side_by_side(way)
    return most_informative(
        found.where((found.log_prob > _with_slack(second)[found.image]) & says_something(index)[found.node])
    )


def _chosen_anywhere(prediction: Prediction) -> Int[Tensor, " image"]:
    """Among all nodes above the second best child of any node."""
    log_prob, index = flat_log_prob(prediction), tree_index(prediction.taxonomy, prediction.device)
    by_node, parent = log_prob.t().contiguous(), index.parents[1:]
    best = torch.full_like(by_node, -torch.inf)
    best.scatter_reduce_(0, parent[:, None].expand_as(by_node[1:]), by_node[1:], "amax")
    is_best = by_node[1:] == best[parent]
    several = torch.zeros_like(best).index_add_(0, parent, is_best.to(best.dtype)) >= 2
    nothing = by_node.new_full((1, len(log_prob)), -torch.inf)  # a tree may have no children
    others = torch.cat([nothing, by_node[1:].masked_fill(is_best, -torch.inf)]).amax(0)
    second = torch.maximum(others, best.masked_fill(~several, -torch.inf).amax(0))
    return most_informative_above(prediction, _with_slack(second))


def _with_slack(second: Float[Tensor, " image"]) -> Float[Tensor, " image"]:
    """A node with one child may seem more probable than the child, by the rounding of a sum of one."""
    return second + 8 * torch.finfo(second.dtype).eps
