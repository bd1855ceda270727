"""Base class of embedding geometries: energies, domain of the vectors, and optimisers."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True)
class Geometry(ABC):
    """A partial order on vectors: ``general`` contains ``special`` where the energy is zero.

    Subclasses are frozen dataclasses with a ``name``, whose fields are the parameters of the order.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def curvature(self) -> float:
        """Curvature c of the Poincaré ball; 0 for Euclidean space."""

    @property
    @abstractmethod
    def is_centred(self) -> bool:
        """Whether more general labels are nearer to the origin."""

    @abstractmethod
    def energy(
        self, general: Float[Tensor, "*batch dim"], special: Float[Tensor, "*batch dim"]
    ) -> Float[Tensor, "*batch"]:
        """Energy of pairs: how far each ``special`` is outside the region of its ``general``; 0 inside."""

    @abstractmethod
    def pairwise_energy(self, general: Float[Tensor, "n dim"], special: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
        """Energy of all pairs, with n × m memory."""

    @abstractmethod
    def pairwise_distance(self, x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
        """Geodesic distances between all pairs."""

    @abstractmethod
    def start(self, num_vectors: int, dim: int, generator: torch.Generator) -> Float[Tensor, "n dim"]:
        """Random initial vectors, on the generator's device."""

    @abstractmethod
    def settled(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Vectors projected to the domain; those inside are unchanged."""

    def settle_(self, vectors: Float[Tensor, "n dim"]) -> None:
        """Project to the domain in place, without a gradient."""
        settled = self.settled(vectors)
        if settled is not vectors:
            vectors.copy_(settled)

    @abstractmethod
    def placed(self, free: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Smooth map from unconstrained vectors to the domain: directions are kept, longer vectors are further out."""

    @abstractmethod
    def freed(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Inverse of :meth:`placed`."""

    @abstractmethod
    def outlines(self, vectors: Float[Tensor, "n 2"], reach: float) -> Float[Tensor, "n point 2"]:
        """In the plane: outlines of the regions of the vectors, cut off at a distance of ``reach`` or more."""

    @abstractmethod
    def optimizer(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        """Optimiser for training the vectors; call :meth:`settle_` after each step."""

    @abstractmethod
    def descent(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        """Riemannian stochastic gradient descent: along geodesics, without momentum."""


def random_directions(num_vectors: int, dim: int, generator: torch.Generator) -> Float[Tensor, "n dim"]:
    """Unit vectors, uniform over the sphere.

    Example:
        >>> bool((random_directions(3, 2, torch.Generator().manual_seed(0)).norm(dim=1) - 1).abs().max() < 1e-6)
        True
    """
    normal = torch.randn(num_vectors, dim, generator=generator, device=generator.device)
    return nn.functional.normalize(normal, dim=1)
