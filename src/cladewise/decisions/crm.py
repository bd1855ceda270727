"""Conditional risk minimisation: the answer with the least expected cost."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.decisions.costs import cost_table
from cladewise.decisions.decision import Decision, Nodes
from cladewise.errors import InputError
from cladewise.predictions import Coherence, Prediction, best_nodes


@dataclasses.dataclass(frozen=True)
class CRM(Decision):
    r"""The answer with the least expected cost under the probabilities of the leaves.

    .. math:: R_v = \sum_{j\ \text{leaf}} p_j D(v, j), \qquad \hat{v} = \arg\min_v R_v

    Conditional risk minimisation needs no training and changes no probability. After the answer, the ranking orders the
    leaves by their risk, lowest first.

    Args:
        over: What may be answered: the ``leaves``, or all ``nodes``.
        cost: ``lca-height``, the height of the lowest common ancestor: :math:`D(v, j) = h(\operatorname{lca}(v, j))`.
            With it an inner node never costs less than the best leaf under it. ``path-length``, the number of edges
            between the two, with which an inner node costs less if no leaf under it stands out. Or your own table, a
            tensor or a file, as described in :func:`~cladewise.decisions.costs.cost_table`.

    Probability mass at inner nodes belongs to no leaf and does not count. Neither of the two costs needs a
    table of all pairs: a sum down every path gives the risk of all nodes at once.

    Raises:
        InputError: The cost or what may be answered is none of these, or the table does not fit the taxonomy.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.32, 0.3, 0.38]]).log())
        >>> CRM()(p).node, CRM().ranking(p, 3), CRM(over="nodes", cost="path-length")(p).node
        (tensor([2]), tensor([[2, 3, 4]]), tensor([1]))

    References:
        Karthik et al., No Cost Likelihood Manipulation at Test Time for Making Better Mistakes in Deep Networks, ICLR
        2021, arXiv:2104.00795.
    """

    name: ClassVar[str] = "crm"

    over: Literal["leaves", "nodes"] = "leaves"
    cost: str | Tensor = "lca-height"

    def __post_init__(self) -> None:
        if self.over not in ("leaves", "nodes"):
            raise InputError("an answer over leaves or nodes", repr(self.over))

    def __call__(self, prediction: Prediction) -> Nodes:
        return Nodes.of(prediction, self._answers(prediction)[self.risk(prediction).argmin(-1)])

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` leaves of least expected cost, least first."""
        leaves = ops.tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        return best_nodes(-dataclasses.replace(self, over="leaves").risk(prediction), leaves, k)

    def risk(self, prediction: Prediction) -> Float[Tensor, "*batch answer"]:
        """Expected cost of every leaf, or of every node."""
        if isinstance(self.cost, str) and self.cost in RISKS:
            by_node = ops.path_sum(RISKS[self.cost](_mass_of_leaves(prediction), prediction), prediction.taxonomy)
            return by_node if self.over == "nodes" else by_node.index_select(-1, self._answers(prediction))
        leaves = ops.tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        p = prediction.log_prob.index_select(-1, leaves).exp()
        table = cost_table(self.cost, prediction.taxonomy, all_nodes=self.over == "nodes")
        return p @ table.to(p).t()

    def _answers(self, prediction: Prediction) -> Int[Tensor, " answer"]:
        index = ops.tree_index(prediction.taxonomy, prediction.device)
        return index.leaf_nodes if self.over == "leaves" else torch.arange(len(index.parents), device=index.device)


def _mass_of_leaves(prediction: Prediction) -> Float[Tensor, "*batch node"]:
    """Probability on the leaves at or under every node."""
    p = prediction.log_prob.exp()
    if prediction.coherence is Coherence.EXACT:
        return p
    leaf = ops.tree_index(prediction.taxonomy, prediction.device).height == 0
    return ops.subtree_sum(p.masked_fill(~leaf, 0.0), prediction.taxonomy)


def _by_height(mass: Tensor, prediction: Prediction) -> Tensor:
    r"""Contribution of each node to the risk of all nodes below it: a step down reduces the cost by the drop in height.

    .. math:: R_v = h(\text{root}) P - \sum_{a \in A(v) \setminus \{\text{root}\}} (h(\pi(a)) - h(a))\, p_a
    """
    index = ops.tree_index(prediction.taxonomy, prediction.device)
    above = index.height[index.parents]  # what the root's parent, -1, points to is not used
    return mass * torch.where(index.depth > 0, index.height - above, index.height).to(mass.dtype)


def _by_path(mass: Tensor, prediction: Prediction) -> Tensor:
    r"""A step down is one edge further from the mass elsewhere and one edge nearer to the mass below.

    .. math:: R_v = \sum_{u \ne \text{root}} p_u + \sum_{a \in A(v) \setminus \{\text{root}\}} (P - 2 p_a)
    """
    total = mass[..., :1]
    return torch.cat([mass[..., 1:].sum(-1, keepdim=True), total - 2 * mass[..., 1:]], dim=-1)


RISKS = {"lca-height": _by_height, "path-length": _by_path}
"""Costs that need no table."""
