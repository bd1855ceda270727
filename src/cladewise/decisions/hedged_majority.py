"""The most informative node above a threshold that meets a guarantee."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates
from cladewise.decisions.guarantee import Guaranteed, surer
from cladewise.decisions.informative import most_informative


@dataclasses.dataclass(frozen=True)
class HedgedMajority(Guaranteed):
    r"""The most informative node above a threshold that meets a guaranteed accuracy.

    .. math:: \hat{v} = \operatorname{lexmax}_{v:\ p_v > \tau,\ |C(v)| \ne 1} (I(v), p_v)

    MAX-REW of the paper: :class:`~cladewise.decisions.Threshold` with the lowest threshold that meets the guarantee.

    Args:
        guarantee: The accuracy to be held, in [0, 1).
        caution: The threshold :math:`\tau`; fitted on the validation split, unless it is given.

    Raises:
        InputError: The guarantee is not in [0, 1); or the rule is used without being fitted.

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

    def answer(self, found: Candidates, caution: float) -> Int[Tensor, " image"]:
        """The most informative above the threshold; the root where there is none."""
        return most_informative(surer(found, caution))
