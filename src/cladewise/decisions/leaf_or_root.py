"""The most probable leaf if it is certain enough, otherwise the root."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.decisions.caution import Steps, Weighed, falling_thresholds
from cladewise.decisions.dense import first_best
from cladewise.decisions.dense_caution import WeighedAll
from cladewise.decisions.guarantee import GuaranteedThreshold, log_odds
from cladewise.decisions.leaf import Leaf
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class LeafOrRoot(GuaranteedThreshold):
    r"""The most probable leaf if it exceeds a threshold that meets a guaranteed accuracy, otherwise the root.

    .. math:: \hat{v} = l^* \ \text{if}\ p_{l^*} > \tau \ \text{else the root}, \qquad
        l^* = \arg\max_{l\ \text{leaf}} p_l

    LEAF-GT of the paper: a flat classifier with a reject option.

    Args:
        guarantee: The share of right answers to be held, in [0, 1).
        caution: The threshold :math:`\tau`; fitted on the validation split, unless it is given.
        confidence: The confidence, in (0, 1).
        per: Level whose nodes are promised the guarantee each; empty for one promise for all images.
        rest: Answers for nodes with too few images: the ``"root"``, or one promise for all of them ``"together"``.
        by_level: Shares of right answers by level; in a spec ``family=0.99``.

    Raises:
        InputError: A share is not in [0, 1), or the confidence not in (0, 1); the rule is used without being fitted.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> LeafOrRoot(caution=0.5)(LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.1], [0.4, 0.4, 0.2]]).log())).node
        tensor([2, 0])

    References:
        Deng et al., Hedging your bets, CVPR 2012.
    """

    name: ClassVar[str] = "leaf-or-root"

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` most probable leaves."""
        return Leaf().order(prediction, k)

    def steps(self, found: Weighed) -> Steps:
        """The best leaf above the threshold."""
        leaves = found.where(found.leaves_under == 1)  # of the candidates only leaves have one leaf under them
        return falling_thresholds(leaves, log_odds(leaves), leaves.log_prob)

    def dense(
        self, found: WeighedAll, eligible: Bool[Tensor, " node"], caution: Float[Tensor, "#image #node"]
    ) -> Int[Tensor, " image"]:
        """The best leaf above the threshold."""
        return first_best((found.leaves_under == 1) & eligible & (found.log_odds > caution), found.log_prob)
