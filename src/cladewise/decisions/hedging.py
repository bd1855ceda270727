"""DARTS: information traded for accuracy at the rate that a guarantee requires."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.decisions.candidates import is_first
from cladewise.decisions.caution import Steps, Weighed, rising_bonus
from cladewise.decisions.dense_caution import WeighedAll
from cladewise.decisions.guarantee import Guaranteed
from cladewise.ops import TreeIndex
from cladewise.predictions import Coherence, Prediction


@dataclasses.dataclass(frozen=True)
class Hedging(Guaranteed):
    r"""DARTS: the node with the largest expected reward, with a bonus for being right that meets a guaranteed accuracy.

    .. math:: \hat{v} = \arg\max_v p_v (I(v) + \lambda), \qquad I(v) = \log_2 (L / |B(v)|)

    Without a bonus :math:`\lambda` the reward is the expected information; the larger the bonus, the nearer the answer
    is to the root. The paper searches up to :math:`(1 - \varepsilon) \log_2 L / \varepsilon` bits, which is enough for
    calibrated probabilities; here there is no upper end, so that also answers with a probability that rounds to 1 are
    given up one after another (:func:`~cladewise.decisions.caution.rising_bonus`). Probabilities are used as they are;
    the paper calibrates them first (Platt scaling).

    A parent and its only child have equal information. The child is answered if it is as probable, otherwise the
    parent.

    Args:
        guarantee: The share :math:`1 - \varepsilon` of right answers to be held, in [0, 1).
        caution: The bonus :math:`\lambda` in bits; fitted on the validation split, unless it is given.
        confidence: The confidence, in (0, 1).
        per: Level whose nodes are promised the guarantee each; empty for one promise for all images.
        rest: Answers for nodes with too few images: the ``"root"``, or one promise for all of them ``"together"``.
        by_level: Shares of right answers by level; in a spec ``family=0.99``.

    Raises:
        InputError: A share is not in [0, 1), or the confidence not in (0, 1); the rule is used without being fitted.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> p = LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.05, 0.05]]).log())
        >>> [t.path_name(int(Hedging(caution=bits)(p).node)) for bits in (0.0, 4.0, 40.0)]
        ['a/b', 'a', '']

    References:
        Deng et al., Hedging your bets: optimizing accuracy-specificity trade-offs in large scale visual recognition,
        CVPR 2012. The released code bisects for the bonus in 25 steps.
    """

    name: ClassVar[str] = "hedging"

    def eligible(self, prediction: Prediction, index: TreeIndex) -> Bool[Tensor, " node"]:
        """All nodes; an only child stands behind its parent unless the head lets it be more probable."""
        if prediction.coherence is Coherence.NONE:
            return torch.ones_like(index.parents, dtype=torch.bool)
        return is_first(index)

    def steps(self, found: Weighed) -> Steps:
        """The largest expected reward."""
        return rising_bonus(found)

    def dense(
        self, found: WeighedAll, eligible: Bool[Tensor, " node"], caution: Float[Tensor, "#image #node"]
    ) -> Int[Tensor, " image"]:
        """The largest expected reward, of equals the one with the least doubt."""
        return found.with_bonus(eligible, caution)

    def to_scale(self, caution: float, dtype: torch.dtype) -> float:
        """The bonus itself."""
        return caution

    def from_scale(self, caution: float) -> float:
        """The bonus itself; 0 if every bonus above 0 will do."""
        return max(caution, 0.0)
