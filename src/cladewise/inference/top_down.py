"""Top-down inference: a softmax among siblings, multiplied down the path."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.predictions import Prediction, SiblingSoftmax
from cladewise.tracing import is_traced


@dataclasses.dataclass(frozen=True)
class TopDown(Inference):
    r"""A softmax of the raw scores among the children of every node, multiplied down the path.

    .. math:: \log p_v = \sum_{a \in A(v) \setminus \{root\}} \Big(s_a - \operatorname{LSE}_{c \in C(\pi(a))} s_c\Big)

    It changes nothing for a head that is trained this way (:class:`cladewise.predictions.SiblingSoftmax`). A node
    scored at several levels has its score from the shallowest, the level of its siblings.

    Raises:
        InputError: The head has no score at some node below the root.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LevelSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> TopDown()(LevelSoftmax(t, torch.zeros(1, 5))).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.2500, 0.2500, 0.5000]])

    References: Redmon and Farhadi, YOLO9000, CVPR 2017, arXiv:1612.08242. The diffusion paper compares with it on a
        head with a softmax per level and does not say how; a softmax among siblings of each level's scores is our
        reading.
    """

    name: ClassVar[str] = "top-down"

    def __call__(self, prediction: Prediction) -> Prediction:
        if is_traced():
            return SiblingSoftmax(prediction.taxonomy, prediction.scores[..., 1:])
        lacking = (~prediction.has_score[1:]).nonzero().squeeze(1)
        if len(lacking):
            taxonomy, first = prediction.taxonomy, int(lacking[0]) + 1
            inner = int((~prediction.has_score.cpu().numpy() & ~taxonomy.is_leaf)[1:].sum())
            raise InputError(
                "a head with a score at every node below the root",
                f"{type(prediction).__name__} without one at {len(lacking)} nodes, {inner} of them inner nodes",
                at=f"node {taxonomy.path_name(first)}, the first of them",
                advice="Choose a method that scores inner nodes, or diffusion, which does not need them.",
            )
        return SiblingSoftmax(prediction.taxonomy, prediction.scores[..., 1:])
