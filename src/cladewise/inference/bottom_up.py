"""Bottom-up inference."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise import ops
from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.predictions import LeafSoftmax, Prediction


@dataclasses.dataclass(frozen=True)
class BottomUp(Inference):
    """A softmax over the leaves' scores alone, summed up the tree; scores of inner nodes are left out.

    Raises:
        InputError: The head scores no leaves.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import NodeSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> BottomUp()(NodeSoftmax(t, torch.zeros(1, 4))).log_prob.exp().tolist()
        [[1.0, 1.0, 0.5, 0.5]]

    References: the evaluation protocol of "Hierarchical classification via diffusion on manifolds", appendix B.2.
    """

    name: ClassVar[str] = "bottom-up"

    def __call__(self, prediction: Prediction) -> Prediction:
        leaves = ops.tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        if not bool(prediction.has_score[leaves].all()):
            raise InputError("a head that scores every leaf", type(prediction).__name__)
        return LeafSoftmax(prediction.taxonomy, prediction.scores[..., leaves])
