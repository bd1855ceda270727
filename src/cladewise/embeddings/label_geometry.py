"""What a label embedding lives in: energies, where vectors may be, how they move."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True)
class Geometry(ABC):
    """An order on vectors: ``general`` holds ``special`` where the energy is zero.

    Subclasses are frozen dataclasses with a ``name``, whose fields are the numbers that the order depends on.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def curvature(self) -> float:
        """c of the Poincaré ball that the vectors are in; 0 for flat space."""

    @property
    @abstractmethod
    def is_centred(self) -> bool:
        """Whether the order begins at the origin: the more general, the nearer to it."""

    @abstractmethod
    def energy(
        self, general: Float[Tensor, "*batch dim"], special: Float[Tensor, "*batch dim"]
    ) -> Float[Tensor, "*batch"]:
        """How much each ``special`` misses the region of its ``general``; 0 inside."""

    @abstractmethod
    def pairwise_energy(self, general: Float[Tensor, "n dim"], special: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
        """The same of all pairs, in memory of n × m."""

    @abstractmethod
    def pairwise_distance(self, x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
        """Lengths of the shortest ways between all pairs."""

    @abstractmethod
    def start(self, num_vectors: int, dim: int, generator: torch.Generator) -> Float[Tensor, "n dim"]:
        """Random vectors to train from, on the generator's device."""

    @abstractmethod
    def settled(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """The nearest vectors that may be: those of the domain stay."""

    def settle_(self, vectors: Float[Tensor, "n dim"]) -> None:
        """The same in place, without a gradient."""
        settled = self.settled(vectors)
        if settled is not vectors:
            vectors.copy_(settled)

    @abstractmethod
    def placed(self, free: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Vectors of the domain for vectors that may be anywhere, smoothly: directions stay, longer is further out."""

    @abstractmethod
    def freed(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """What :meth:`placed` takes to vectors of the domain."""

    @abstractmethod
    def outlines(self, vectors: Float[Tensor, "n 2"], reach: float) -> Float[Tensor, "n point 2"]:
        """Of the plane: outlines of the regions of the vectors, cut off at a distance of ``reach`` or more."""

    @abstractmethod
    def optimizer(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        """What moves the vectors down a gradient, before they settle."""

    @abstractmethod
    def descent(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        """Riemannian stochastic gradient descent: without momentum, along shortest ways."""


def random_directions(num_vectors: int, dim: int, generator: torch.Generator) -> Float[Tensor, "n dim"]:
    """Unit vectors, uniform over the sphere.

    Example:
        >>> bool((random_directions(3, 2, torch.Generator().manual_seed(0)).norm(dim=1) - 1).abs().max() < 1e-6)
        True
    """
    normal = torch.randn(num_vectors, dim, generator=generator, device=generator.device)
    return nn.functional.normalize(normal, dim=1)
