"""In which tree a run answers: the true one, or the one that its network knows."""

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
class Terms:
    """The tree in which predictions are read and labels are given.

    Args:
        change: The true tree, and the one that the network knows.
        tree: Which of them.
    """

    change: Alteration
    tree: Tree = "true"

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree."""
        return self.change.true if self.tree == "true" else self.change.own

    def prediction(self, own: Prediction) -> Prediction:
        """What the network says, in this tree."""
        return transplant(own, self.change) if self.tree == "true" else own

    def nodes(self, true: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Labels in this tree, of labels in the true one."""
        if self.tree == "true" or self.change.is_none:
            return true
        return torch.as_tensor(self.change.own_node, device=true.device)[true]
