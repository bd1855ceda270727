"""As deep as the most probable nodes of the levels agree with each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.level_argmax import Levels
from cladewise.ops import at_levels
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Consistent(Decision):
    r"""The most probable node of the finest level down to which the levels lie on one path.

    .. math:: \hat{v} = \hat{v}_k, \qquad k = \max\{l : \hat{v}_{j-1} = \operatorname{rep}_{j-1}(\hat{v}_j)
        \ \text{for all}\ 2 \le j \le l\}, \qquad \hat{v}_j = \arg\max_{v \in \text{level}\ j} \log p_v

    The levels are those of :class:`Levels`. Where they do not contradict each other, which ``tice`` counts, the answer
    is the finest of them; otherwise it stops above the first contradiction, so the depth of an answer needs no
    threshold. The coarsest level is always answered, however improbable its best node is. A head whose coarse
    probabilities are sums over leaves contradicts itself too: the best leaf need not lie under the best branch.
    Further parents are not followed.

    Raises:
        InputError: The taxonomy is a single root without levels.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> Consistent()(LeafSoftmax(t, torch.tensor([[0.3, 0.3, 0.4], [0.5, 0.1, 0.4]]).log())).node
        tensor([1, 2])

    References: The consistency-based stopping of Park et al., Free-grained hierarchical visual recognition, CVPR 2026,
        arXiv:2510.14737, as summaries of the paper describe it: its full text was not to be had, and the released code
        has no such rule.
    """

    name: ClassVar[str] = "consistent"

    def __call__(self, prediction: Prediction) -> Nodes:
        levels = Levels()(prediction).node.unbind(-1)
        found, agrees = levels[0], torch.ones_like(levels[0], dtype=torch.bool)
        for coarser, (above, node) in enumerate(pairwise(levels)):
            agrees = agrees & (at_levels(node, prediction.taxonomy)[..., coarser] == above)
            found = torch.where(agrees, node, found)
        return Nodes.of(prediction, found)

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        return self(prediction)
