"""Bottom-up inference."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.inference.inference import Inference
from cladewise.predictions import LeafSoftmax, Prediction


@dataclasses.dataclass(frozen=True)
class BottomUp(Inference):
    r"""A softmax over the leaves' scores alone, summed up the tree; scores of inner nodes are ignored.

    .. math:: \log p_v = \operatorname{LSE}_{l \in B(v)} z_l - \operatorname{LSE}_l z_l

    The score :math:`z_l` of a leaf depends on the head (:meth:`~cladewise.predictions.Prediction.leaf_scores`):

    - coherent heads: its log-probability, so that only the class of the prediction changes;
    - a softmax per level: its log-probability at the finest level, where all leaves compete;
    - a sigmoid of path sums: the path sum; conditional sigmoids: the log-probability, the product down the path;
    - a softmax or a sigmoid at every node: its own score.

    Raises:
        InputError: The head scores no leaves.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import NodeSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> BottomUp()(NodeSoftmax(t, torch.zeros(1, 4))).log_prob.exp().tolist()
        [[1.0, 1.0, 0.5, 0.5]]

    References: the evaluation protocol of "Hierarchical classification via diffusion on manifolds", appendix B.2, where
        every rule but diffusion uses the scores of the leaves alone.
    """

    name: ClassVar[str] = "bottom-up"

    def __call__(self, prediction: Prediction) -> Prediction:
        return LeafSoftmax(prediction.taxonomy, prediction.leaf_scores())
