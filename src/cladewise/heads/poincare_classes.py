"""Poincaré multinomial logistic regression of Euclidean vectors, as a module."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.geometry import exp_origin, unidirectional_logits
from cladewise.ops import at_least_float


class PoincareClasses(nn.Module):
    r"""Poincaré multinomial logistic regression: vectors are clipped, mapped to the ball, and scored by hyperplanes.

    .. math:: z = \exp_0\bigl(v \min(1, r / \|v\|)\bigr), \qquad s_k = \text{signed distance of } z \text{ to plane } k

    Args:
        width: Length of the vectors.
        num_classes: Number of classes, each a hyperplane.
        curvature: c > 0 of the ball.
        radius: r > 0, the norm at which vectors are clipped: points near the boundary have vanishing gradients.

    Raises:
        InputError: The radius is not above zero.

    Example:
        >>> PoincareClasses(4, 3)(torch.zeros(5, 4)).shape
        torch.Size([5, 3])

    References: Guo et al., Clipped hyperbolic classifiers are super-hyperbolic classifiers, CVPR 2022,
        arXiv:2107.11472. The scores are :func:`cladewise.geometry.unidirectional_logits`.
    """

    def __init__(self, width: int, num_classes: int, *, curvature: float = 0.1, radius: float = 2.3) -> None:
        super().__init__()
        if not radius > 0:
            raise InputError("a radius above 0", radius)
        self.curvature, self.radius = curvature, radius
        self.directions = nn.Parameter(torch.randn(num_classes, width) * width**-0.5)
        self.offsets = nn.Parameter(torch.zeros(num_classes))

    def forward(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch class"]:
        wide = at_least_float(vectors)
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        clipped = wide * (self.radius / length.clamp_min(1e-12)).clamp_max(1.0)
        point = exp_origin(clipped, curvature=self.curvature)
        return unidirectional_logits(point, self.directions, self.offsets, curvature=self.curvature)
