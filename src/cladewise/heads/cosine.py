"""Classifiers by the cosine of features and one prototype per class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from cladewise.errors import InputError
from cladewise.heads.head import Head
from cladewise.predictions import Prediction


class CosineHead(Head):
    r"""Cosines of the features and of a prototype per class, times a scale, read as a prediction.

    .. math:: z_j = s \cos(f, w_j)

    Features of length 0 have the cosine 0 with every prototype.

    Args:
        num_features: Width of the features.
        num_scores: Number of prototypes.
        predict: Makes the prediction from the scores, ``[batch, num_scores]``.
        scale: :math:`s`, above 0.

    Raises:
        InputError: The scale is not above 0.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> head = CosineHead(3, t.num_leaves, lambda scores: LeafSoftmax(t, scores), scale=20.0)
        >>> scores = head(torch.randn(5, 3)).logits
        >>> bool((scores.abs() <= 20).all()), head.rows()["prototypes"].tolist()
        (True, [[1], [2]])
    """

    def __init__(
        self, num_features: int, num_scores: int, predict: Callable[[Tensor], Prediction], *, scale: float
    ) -> None:
        super().__init__()
        if not scale > 0:
            raise InputError("a scale above 0", scale)
        self.prototypes = nn.Parameter(torch.empty(num_scores, num_features))
        nn.init.normal_(self.prototypes, std=max(1, num_features) ** -0.5)  # lengths of about 1, which lr refers to
        self.predict, self.scale = predict, scale

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        scores = torch.zeros(1, len(self.prototypes), device=self.prototypes.device)
        return {"prototypes": self.predict(scores).logit_nodes.cpu()}

    def forward(self, features: Float[Tensor, "batch feature"]) -> Prediction:
        unit = functional.normalize(features, dim=-1)
        return self.predict(self.scale * functional.linear(unit, functional.normalize(self.prototypes, dim=-1)))
