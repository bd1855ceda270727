"""The tree in which a run answers and is scored: the true one, or the one its network was trained with."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.inference.transplant import transplant
from cladewise.predictions import CarriedPrediction, Prediction
from cladewise.records import Tree
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration
from cladewise.taxonomy.carry_over import CarryOver


@dataclasses.dataclass(frozen=True)
class AnswerTree:
    """One of a run's two trees, or the tree that it was migrated to; predictions and labels are converted into it.

    Args:
        change: The true tree, and the one that the network was trained with.
        tree: Which of the two.
        carried: The map from the true tree to the one that the run was migrated to, if it was.
    """

    change: Alteration
    tree: Tree = "true"
    carried: CarryOver | None = None

    @property
    def taxonomy(self) -> Taxonomy:
        """The chosen tree."""
        if self.carried is not None:
            return self.carried.after
        return self.change.true if self.tree == "true" else self.change.own

    @property
    def before(self) -> AnswerTree:
        """The tree that the network was trained to answer in."""
        return dataclasses.replace(self, carried=None)

    def prediction(self, own: Prediction) -> Prediction:
        """A prediction over the network's own tree, in the chosen tree."""
        true = transplant(own, self.change) if self.tree == "true" else own
        return true if self.carried is None else CarriedPrediction.of(true, self.carried)

    def nodes(self, true: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Labels of the true tree, in the chosen tree."""
        if self.carried is not None:
            return torch.as_tensor(self.carried.place.copy(), device=true.device)[true]
        if self.tree == "true" or self.change.is_none:
            return true
        return torch.as_tensor(self.change.own_node, device=true.device)[true]
