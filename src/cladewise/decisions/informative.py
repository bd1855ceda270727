"""The choice that the rules with a bar share: the most informative node above it."""

from __future__ import annotations

import math

import torch

from cladewise.decisions.decision import Nodes
from cladewise.ops import tree_index
from cladewise.predictions import Prediction


def most_informative_above(prediction: Prediction, threshold: float) -> Nodes:
    r"""Among the nodes with :math:`p_v > \tau`, the one with the fewest leaves under it.

    .. math:: \hat{v} = \operatorname{lexmax}_{v:\ p_v > \tau,\ |C(v)| \ne 1} (I(v), p_v), \qquad
        I(v) = \log_2 (L / |B(v)|)

    Equal information goes to the larger probability, then to the lower node. A node with exactly one child says
    nothing that its child does not, so it is passed over; where nothing is above the bar the answer is the root.
    The inequality is strict up to the rounding of sums over the tree: a few units in the last place above
    :math:`\tau` do not count as more.

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    log_prob, index = prediction.log_prob, tree_index(prediction.taxonomy, prediction.device)
    nodes = torch.arange(len(index.parents), device=prediction.device)
    leaves_under = (index.leaf_end - index.leaf_start).int()
    one_child = torch.zeros_like(nodes, dtype=torch.bool)
    one_child[:-1] = (index.parents[1:] == nodes[:-1]) & (index.end[1:] == index.end[:-1])
    bar = (math.log(threshold) if threshold > 0 else -math.inf) + 8 * torch.finfo(log_prob.dtype).eps
    above = (log_prob > bar) & ~one_child
    fewest = torch.where(above, leaves_under, len(nodes) + 1).amin(-1, keepdim=True)
    above &= leaves_under == fewest
    node = torch.where(above, log_prob, -torch.inf).argmax(-1, keepdim=True)  # nothing above: 0, the root
    return Nodes(node.squeeze(-1), log_prob.gather(-1, node).squeeze(-1))
