"""Residual layers between the features and a frame of fixed vectors."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.heads.embedding_layer import BatchNorm


class Transformation(nn.Module):
    r"""Batch normalisation and two residual layers.

    .. math:: t = r_2(r_1(\operatorname{BN}(f))), \qquad
        r(x) = \sigma(\operatorname{BN}(W_2\, \sigma(\operatorname{BN}(W_1 x)))) + V x

    where :math:`\sigma` is a PReLU with a slope per channel. :math:`V` is the identity in :math:`r_2`.

    Args:
        num_features: Width of the features.
        width: Width of the layers and the output.

    Raises:
        InputError: The width is not positive.

    Example:
        >>> import torch
        >>> Transformation(8, 16)(torch.zeros(5, 8)).shape
        torch.Size([5, 16])

    References: Liang and Davis, Inducing neural collapse to a fixed hierarchy-aware frame for reducing mistake
        severity (HAFrame), ICCV 2023, arXiv:2303.05689, whose released code has one basis vector for each channel: the
        layers are as wide as there are classes.
    """

    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        if width < 1:
            raise InputError("a transformation of at least 1 number", width)
        self.num_features, self.width = num_features, width
        self.norm = BatchNorm(num_features)
        self.layers = nn.Sequential(_Residual(num_features, width), _Residual(width, width))

    def forward(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch width"]:
        return self.layers(self.norm(features))

    def __call__(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch width"]:
        return super().__call__(features)


class _Residual(nn.Module):
    """Two linear layers, each with a normalisation and a PReLU, added to their input."""

    def __init__(self, num_inputs: int, width: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            *(nn.Linear(num_inputs, width, bias=False), BatchNorm(width), nn.PReLU(width)),
            *(nn.Linear(width, width, bias=False), BatchNorm(width), nn.PReLU(width)),
        )
        self.beside = nn.Identity() if num_inputs == width else nn.Linear(num_inputs, width, bias=False)

    def forward(self, x: Float[Tensor, "batch input"]) -> Float[Tensor, "batch width"]:
        return self.inside(x) + self.beside(x)
