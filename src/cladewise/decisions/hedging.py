"""DARTS: information traded for accuracy at the rate that a guarantee requires."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates, is_first
from cladewise.decisions.guarantee import Guaranteed
from cladewise.ops import TreeIndex
from cladewise.predictions import Coherence, Prediction
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class Hedging(Guaranteed):
    r"""DARTS: the node with the largest expected reward, with a bonus for being right that meets a guaranteed accuracy.

    .. math:: \hat{v} = \arg\max_v p_v (I(v) + \lambda), \qquad I(v) = \log_2 (L / |B(v)|)

    Without a bonus :math:`\lambda` the reward is the expected information; the larger the bonus, the nearer the answer
    is to the root. The search ends at :math:`(1 - \varepsilon) \log_2 L / \varepsilon` bits, which is enough for
    calibrated probabilities. Probabilities are used as they are; the paper calibrates them first (Platt scaling).

    A parent and its only child have equal information; the parent is answered.

    Args:
        guarantee: The accuracy :math:`1 - \varepsilon` to be held, in [0, 1).
        caution: The bonus :math:`\lambda` in bits; fitted on the validation split, unless it is given.

    Raises:
        InputError: The guarantee is not in [0, 1); or the rule is used without being fitted.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> p = LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.05, 0.05]]).log())
        >>> [t.path_name(int(Hedging(caution=bits)(p).node)) for bits in (0.0, 4.0, 40.0)]
        ['a/b', 'a', '']

    References:
        Deng et al., Hedging your bets: optimizing accuracy-specificity trade-offs in large scale visual recognition,
        CVPR 2012; the 25 steps, their range and the bound are those of the released code.
    """

    name: ClassVar[str] = "hedging"

    def eligible(self, prediction: Prediction, index: TreeIndex) -> Bool[Tensor, " node"]:
        """All nodes; an only child cannot win unless the head lets it be more probable than its parent."""
        if prediction.coherence is Coherence.NONE:
            return torch.ones_like(index.parents, dtype=torch.bool)
        return is_first(index)

    def most_cautious(self, taxonomy: Taxonomy) -> float:
        """The bonus at which the root beats whatever is not at least as probable as the guarantee."""
        return self.guarantee * math.log2(taxonomy.num_leaves) / (1 - self.guarantee)

    def answer(self, found: Candidates, caution: float) -> Int[Tensor, " image"]:
        """The largest expected reward."""
        return found.best(found.log_prob + (found.information_bits + caution).log())
