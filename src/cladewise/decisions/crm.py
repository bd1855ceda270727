"""Conditional risk minimisation: the answer with the least expected cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.decisions.costs import cost_table
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.expected import RISKS, leaf_mass
from cladewise.errors import InputError
from cladewise.predictions import Prediction, best_nodes


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

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        return self(prediction)

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` leaves of least expected cost, least first."""
        leaves = ops.tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        return best_nodes(-dataclasses.replace(self, over="leaves").risk(prediction), leaves, k)

    def risk(self, prediction: Prediction) -> Float[Tensor, "*batch answer"]:
        """Expected cost of every leaf, or of every node."""
        if isinstance(self.cost, str) and self.cost in RISKS:
            by_node = RISKS[self.cost](leaf_mass(prediction), prediction.taxonomy)
            return by_node if self.over == "nodes" else by_node.index_select(-1, self._answers(prediction))
        leaves = ops.tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        p = prediction.log_prob.index_select(-1, leaves).exp()
        table = cost_table(self.cost, prediction.taxonomy, all_nodes=self.over == "nodes")
        return p @ table.to(p).t()

    def _answers(self, prediction: Prediction) -> Int[Tensor, " answer"]:
        index = ops.tree_index(prediction.taxonomy, prediction.device)
        return index.leaf_nodes if self.over == "leaves" else torch.arange(len(index.parents), device=index.device)
