"""The node with the largest expected information above a threshold that meets a guarantee."""

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
class HedgedExpectation(GuaranteedThreshold):
    r"""The node with the largest expected information above a threshold that meets a guaranteed accuracy.

    .. math:: \hat{v} = \arg\max_{v:\ p_v > \tau,\ |C(v)| \ne 1} p_v I(v)

    MAX-EXP of the paper.

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
        >>> from cladewise.decisions import HedgedMajority
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e", "f"), ("e", "g"), ("e", "h")])
        >>> p = LeafSoftmax(t, torch.tensor([[0.32, 0.3, 0.28, 0.04, 0.03, 0.03]]).log())
        >>> [t.path_name(int(rule(caution=0.3)(p).node)) for rule in (HedgedExpectation, HedgedMajority)]
        ['a', 'a/b']

    References:
        Deng et al., Hedging your bets, CVPR 2012.
    """

    name: ClassVar[str] = "hedged-expectation"

    def steps(self, found: Weighed) -> Steps:
        """The node with the largest expected information above the threshold."""
        return falling_thresholds(found, log_odds(found), found.log_prob + found.bits.log())

    def dense(
        self, found: WeighedAll, eligible: Bool[Tensor, " node"], caution: Float[Tensor, "#image #node"]
    ) -> Int[Tensor, " image"]:
        """The node with the largest expected information above the threshold."""
        return first_best(eligible & (found.log_odds > caution), found.log_prob + found.bits.log())
