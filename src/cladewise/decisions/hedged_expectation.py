"""The node with the largest expected information above a threshold that meets a guarantee."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates
from cladewise.decisions.guarantee import Guaranteed, surer


@dataclasses.dataclass(frozen=True)
class HedgedExpectation(Guaranteed):
    r"""The node with the largest expected information above a threshold that meets a guaranteed accuracy.

    .. math:: \hat{v} = \arg\max_{v:\ p_v > \tau,\ |C(v)| \ne 1} p_v I(v)

    MAX-EXP of the paper.

    Args:
        guarantee: The accuracy to be held, in [0, 1).
        caution: The threshold :math:`\tau`; fitted on the validation split, unless it is given.

    Raises:
        InputError: The guarantee is not in [0, 1); or the rule is used without being fitted.

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

    def answer(self, found: Candidates, caution: float) -> Int[Tensor, " image"]:
        """The largest expected information above the threshold; the root where there is none."""
        sure = surer(found, caution)
        return sure.best(sure.log_prob + sure.information_bits.log())
