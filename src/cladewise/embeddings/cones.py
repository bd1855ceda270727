"""Entailment cones: each label is a cone that opens away from the origin."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from cladewise import geometry
from cladewise.embeddings.label_geometry import Geometry, random_directions
from cladewise.embeddings.optimisers import RiemannianSGD
from cladewise.errors import InputError

MARGIN = 1e-5
"""Distance that vectors keep from the inner radius and, as a share of it, from the radius of the ball."""
LONGEST_STEP = 0.1
"""Maximum hyperbolic length of an optimiser step."""
START = 0.3
"""Approximate initial length of Euclidean vectors: cones are then distinct, yet wide enough to reach."""
HORIZON, CURVE = 14.0, 40
"""Hyperbolic length at which the outline of a cone ends, and the number of points per part of the outline."""


@dataclasses.dataclass(frozen=True)
class _Cones(Geometry):
    aperture: float = 0.1
    """K: the cone at norm r opens by an angle of sine K / r, times 1 - r² in the ball."""

    def __post_init__(self) -> None:
        if not 0 < self.aperture < float("inf"):
            raise InputError("an aperture above 0", self.aperture)

    @property
    def is_centred(self) -> bool:
        return True

    @property
    def inner_radius(self) -> float:
        """Norm below which cones are undefined."""
        return geometry.inner_radius(aperture=self.aperture, curvature=self.curvature)

    def energy(self, general: Tensor, special: Tensor) -> Tensor:
        return geometry.cone_energy(general, special, aperture=self.aperture, curvature=self.curvature)

    def pairwise_energy(self, general: Tensor, special: Tensor) -> Tensor:
        return geometry.pairwise_cone_energy(general, special, aperture=self.aperture, curvature=self.curvature)

    def settled(self, vectors: Tensor) -> Tensor:
        return geometry.project(vectors, curvature=self.curvature, inner=self.inner_radius + MARGIN, margin=MARGIN)

    def settle_(self, vectors: Tensor) -> None:
        """Project in place only the few vectors that have left the domain, since projection uses double precision."""
        norm, low = torch.linalg.vector_norm(vectors, dim=1), self.inner_radius + 2 * MARGIN
        high = (1 - 2 * MARGIN) / self.curvature**0.5 if self.curvature else torch.inf
        rows = (~((norm > low) & (norm < high))).nonzero()[:, 0]
        if len(rows):
            vectors[rows] = self.settled(vectors[rows])

    def outlines(self, vectors: Tensor, reach: float) -> Tensor:
        """Out along one side, around the far end, and back along the other side."""
        psi = geometry.half_aperture(vectors, aperture=self.aperture, curvature=self.curvature)
        axis = torch.atan2(vectors[:, 1], vectors[:, 0])
        length, turn = self._lengths(reach).to(vectors), torch.linspace(-1, 1, CURVE).to(vectors)
        lengths = torch.cat([length, length[-1].expand(CURVE), length.flip(0)])
        sides = torch.cat([-torch.ones_like(length), turn, torch.ones_like(length)])
        angles = axis[:, None] + psi[:, None] * sides
        return self._along(vectors, torch.stack([angles.cos(), angles.sin()], -1), lengths[:, None])

    @abstractmethod
    def _lengths(self, reach: float) -> Tensor:
        """Distances from the apex of the points along a side."""

    @abstractmethod
    def _along(self, apex: Tensor, way: Tensor, length: Tensor) -> Tensor:
        """Points on the rays from the apices [n, 2] in directions [n, point, 2], at lengths [point, 1]."""


@dataclasses.dataclass(frozen=True)
class EuclideanCones(_Cones):
    """Cones with straight sides, in flat space.

    References: Ganea, Bécigneul, Hofmann, Hyperbolic Entailment Cones for Learning Hierarchical Embeddings, ICML 2018,
        arXiv:1804.01882. In the code of Dhall et al. vectors are free and their norms are raised by K; here they are
        moved out to the inner radius after each step, as in Ganea et al. There they begin with a length of about
        sqrt(dim), where cones are so narrow that images reach none of them.
    """

    name: ClassVar[str] = "euclidean"

    @property
    def curvature(self) -> float:
        return 0.0

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cdist(x, y)

    def start(self, num_vectors: int, dim: int, generator: torch.Generator) -> Tensor:
        normal = START * dim**-0.5 * torch.randn(num_vectors, dim, generator=generator, device=generator.device)
        return self.settled(normal + self.inner_radius * nn.functional.normalize(normal, dim=1))

    def placed(self, free: Tensor) -> Tensor:
        return geometry.lengthen(free, self.inner_radius)

    def freed(self, vectors: Tensor) -> Tensor:
        return geometry.lengthen(vectors, -self.inner_radius)

    def optimizer(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        return torch.optim.Adam([vectors], lr=lr, fused=True)  # one pass over all vectors

    def descent(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        return torch.optim.SGD([vectors], lr=lr)

    def _lengths(self, reach: float) -> Tensor:
        return torch.tensor([0.0, reach])

    def _along(self, apex: Tensor, way: Tensor, length: Tensor) -> Tensor:
        return apex[:, None] + length * way


@dataclasses.dataclass(frozen=True)
class HyperbolicCones(_Cones):
    """Cones with geodesic sides in the Poincaré ball, which has room for exponentially many.

    References: Ganea et al., ICML 2018. Vectors begin a little outside the inner radius, as in the code of Dhall et al.
        There steps are not limited, and labels that start near each other are thrown to the boundary.
    """

    name: ClassVar[str] = "hyperbolic"

    @property
    def curvature(self) -> float:
        return 1.0

    def pairwise_distance(self, x: Tensor, y: Tensor) -> Tensor:
        return geometry.pairwise_distance(x, y)

    def start(self, num_vectors: int, dim: int, generator: torch.Generator) -> Tensor:
        further = 0.05 * torch.rand(num_vectors, 1, generator=generator, device=generator.device)
        return self.settled((self.inner_radius + further) * random_directions(num_vectors, dim, generator))

    def placed(self, free: Tensor) -> Tensor:
        return geometry.exp_outside(free, self.inner_radius)

    def freed(self, vectors: Tensor) -> Tensor:
        return geometry.lengthen(geometry.log_origin(vectors), -math.atanh(self.inner_radius))

    def optimizer(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        return self.descent(vectors, lr)

    def descent(self, vectors: nn.Parameter, lr: float) -> torch.optim.Optimizer:
        return RiemannianSGD([vectors], lr=lr, longest=LONGEST_STEP)

    def _lengths(self, reach: float) -> Tensor:
        return torch.linspace(0, HORIZON, CURVE)

    def _along(self, apex: Tensor, way: Tensor, length: Tensor) -> Tensor:
        per_length = geometry.conformal_factor(apex)[:, None, None]
        return geometry.exp(apex[:, None], length * way / per_length)
