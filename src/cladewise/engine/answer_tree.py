"""The tree in which a run answers and is scored: the true one, or the one its network was trained with."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.inference.transplant import transplant
from cladewise.predictions import Prediction
from cladewise.records import Tree
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration


@dataclasses.dataclass(frozen=True)
class AnswerTree:
    """One of a run's two trees; predictions and labels are converted into it.

    Args:
        change: The true tree, and the one that the network was trained with.
        tree: Which of the two.
    """

    change: Alteration
    tree: Tree = "true"

    @property
    def taxonomy(self) -> Taxonomy:
        """The chosen tree."""
        return self.change.true if self.tree == "true" else self.change.own

    def prediction(self, own: Prediction) -> Prediction:
        """A prediction over the network's own tree, in the chosen tree."""
        return transplant(own, self.change) if self.tree == "true" else own

    def nodes(self, true: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Labels of the true tree, in the chosen tree."""
        if self.tree == "true" or self.change.is_none:
            return true
        return torch.as_tensor(self.change.own_node, device=true.device)[true]
