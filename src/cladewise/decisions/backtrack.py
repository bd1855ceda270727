"""The most probable leaf, and its ancestors at the coarser levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from cladewise.decisions.decision import Decision, LevelNodes
from cladewise.decisions.leaf import Leaf
from cladewise.errors import InputError
from cladewise.ops import at_levels
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Backtrack(Decision):
    r"""The most probable leaf, and at each coarser level the node that represents it there.

    .. math:: \hat{v}_k = \operatorname{rep}_k(\hat{l}), \qquad \hat{l} = \arg\max_{l\ \text{leaf}} \log p_l

    The leaf alone decides: a coarse node is answered because the best leaf lies under it, however probable other nodes
    are. So the levels never contradict each other, and none is more accurate than a coarser one. The log-probabilities
    are those at or under the answered nodes.

    Raises:
        InputError: The taxonomy is a single root without levels.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> Backtrack()(LeafSoftmax(t, torch.tensor([[0.3, 0.3, 0.4]]).log())).node
        tensor([[4, 4]])

    References: The baseline "Vanilla" of Wang et al., Label hierarchy transition, arXiv:2112.02353.
    """

    name: ClassVar[str] = "backtrack"

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` most probable leaves."""
        return Leaf().order(prediction, k)

    def __call__(self, prediction: Prediction) -> LevelNodes:
        taxonomy = prediction.taxonomy
        if taxonomy.num_levels == 0:
            raise InputError("a taxonomy with a level below the root", repr(taxonomy))
        node = at_levels(Leaf()(prediction).node, taxonomy)
        return LevelNodes(node, prediction.log_prob_of(node))

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> LevelNodes:
        return self(prediction)
