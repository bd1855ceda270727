"""Order embeddings: each label is an orthant."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from cladewise import geometry
from cladewise.embeddings.label_geometry import Geometry


@dataclasses.dataclass(frozen=True)
class Order(Geometry):
    """A label contains all labels whose vectors are at least as large in every coordinate.

    References: Vendrov, Kiros, Fidler, Urtasun, Order-Embeddings of Images and Language, ICLR 2016, arXiv:1511.06361.
        As in the code of Dhall et al., vectors may have any sign and begin normally distributed; here with a length of
        about 1, since those of length sqrt(dim) miss each other by a hundred margins.
    """

    name: ClassVar[str] = "order"

    @property
    def curvature(self) -> float:
        return 0.0

    @property
    def is_centred(self) -> bool:
        return False

    def energy(self, general: Tensor, special: Tensor) -> Tensor:
        return geometry.order_energy(general, special)

    def pairwise_energy(self, general: Tensor, special: Tensor) -> Tensor:
        return geometry.pairwise_order_energy(general, special)

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cdist(x, y)

    def start(self, num_vectors: int, dim: int, generator: torch.Generator) -> Tensor:
        normal = torch.randn(num_vectors, dim, generator=generator, device=generator.device)
        return normal / dim**0.5

    def settled(self, vectors: Tensor) -> Tensor:
        return vectors

    def outlines(self, vectors: Tensor, reach: float) -> Tensor:
        corners = vectors.new_tensor([[0.0, 0.0], [reach, 0.0], [reach, reach], [0.0, reach]])
        return vectors[:, None] + corners

    def placed(self, free: Tensor) -> Tensor:
        return free

    def freed(self, vectors: Tensor) -> Tensor:
        return vectors

    def optimizer(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        return torch.optim.Adam([vectors], lr=lr, fused=True)  # one pass over all vectors

    def descent(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        return torch.optim.SGD([vectors], lr=lr)
