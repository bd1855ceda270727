"""The most informative node above a threshold that meets a guarantee."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.decisions.caution import Steps, Weighed, falling_thresholds
from cladewise.decisions.dense import first_best
from cladewise.decisions.dense_caution import WeighedAll
from cladewise.decisions.guarantee import GuaranteedThreshold, log_odds


@dataclasses.dataclass(frozen=True)
class HedgedMajority(GuaranteedThreshold):
    r"""The most informative node above a threshold that meets a guaranteed accuracy.

    .. math:: \hat{v} = \operatorname{lexmax}_{v:\ p_v > \tau,\ |C(v)| \ne 1} (I(v), p_v)

    MAX-REW of the paper: :class:`~cladewise.decisions.Threshold` with the lowest threshold that meets the guarantee.

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
        >>> HedgedMajority(caution=0.5)(LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.1], [0.4, 0.4, 0.2]]).log())).node
        tensor([2, 1])

    References:
        Deng et al., Hedging your bets, CVPR 2012.
    """

    name: ClassVar[str] = "hedged-majority"

    def steps(self, found: Weighed) -> Steps:
        """The most informative node above the threshold, of equals the most probable."""
        return falling_thresholds(found, log_odds(found), found.bits, found.log_prob)

    def dense(
        self, found: WeighedAll, eligible: Bool[Tensor, " node"], caution: Float[Tensor, "#image #node"]
    ) -> Int[Tensor, " image"]:
        """The most informative node above the threshold, of equals the most probable."""
        return first_best(eligible & (found.log_odds > caution), found.bits, found.log_prob)
