"""Label vectors in the plane, with the tree's edges and the regions of the labels."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise import geometry
from cladewise.embeddings.label_space import LabelSpace

FloatArray = NDArray[np.float64]

MOST_REGIONS = 150
"""Regions drawn: those of the labels nearest to the root come first."""
STEPS = 24
"""Points of a curve."""


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn of a :class:`~cladewise.embeddings.LabelSpace`, as plain arrays.

    Args:
        points: Of every node but the root, [label, 2].
        edges: Curves [points, 2] from a parent to a child: straight, or geodesics of the disk.
        special: The child's node of each of the edges.
        regions: Outlines [points, 2] of what labels hold, where the vectors themselves are drawn.
        owners: The node of each of the regions.
        disk: Whether the plane is the Poincaré disk.
        share: Share of the variance that the plane shows; 1 where nothing was left out.
    """

    points: FloatArray
    edges: list[FloatArray]
    special: list[int]
    regions: list[FloatArray]
    owners: list[int]
    disk: bool
    share: float


def picture(space: LabelSpace) -> Picture:
    """Draw the vectors themselves where there are two dimensions or one, else their two principal components.

    Vectors of the ball are taken to the tangent plane at the origin first and back into the disk after; regions are not
    drawn then, since those of the ball do not show in a plane.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("moth",)])
        >>> drawn = picture(LabelSpace(t, torch.tensor([[0.0, 0.5], [0.0, 0.9], [0.5, 0.0]]), make("hyperbolic")))
        >>> drawn.points.shape, len(drawn.edges), drawn.owners, drawn.disk
        ((3, 2), 1, [1], True)
    """
    curved = space.geometry.curvature > 0
    points, share = _plane(space.vectors.detach().cpu().double(), curved=curved)
    special = np.flatnonzero(space.taxonomy.parents > 0)
    edges = _ways(points[space.taxonomy.parents[special] - 1], points[special - 1], curved=curved)
    owners: list[int] = []
    regions: list[FloatArray] = []
    if space.dim == 2:
        inner = np.flatnonzero(space.taxonomy.num_children[1:] > 0) + 1
        chosen = inner[np.argsort(space.taxonomy.depth[inner], kind="stable")][:MOST_REGIONS]
        regions = list(space.geometry.outlines(points[chosen - 1], reach=_reach(points)).numpy())
        owners = chosen.tolist()
    return Picture(points.numpy(), list(edges.numpy()), special.tolist(), regions, owners, curved, share)


def _plane(vectors: Tensor, *, curved: bool) -> tuple[Tensor, float]:
    """Two coordinates a vector, and the share of the variance that they have."""
    num, dim = vectors.shape
    if dim <= 2:
        return torch.cat([vectors, vectors.new_zeros(num, 2 - dim)], 1), 1.0
    flat = geometry.log_origin(vectors) if curved else vectors
    # the origin of the ball is where its order begins, so it stays in the middle; flat space has no such point
    centred = flat if curved else flat - flat.mean(0)
    _, size, axes = torch.linalg.svd(centred, full_matrices=False)
    points = centred @ axes[:2].T
    points = torch.cat([points, points.new_zeros(num, 2 - points.shape[1])], 1)
    share = float(size[:2].square().sum() / size.square().sum().clamp_min(1e-300))
    return (geometry.exp_origin(points) if curved else points), share


def _ways(start: Tensor, end: Tensor, *, curved: bool) -> Tensor:
    """Points of the shortest ways, [edge, point, 2]."""
    if not curved:
        return torch.stack([start, end], 1)
    time = torch.linspace(0, 1, STEPS, dtype=start.dtype)[:, None]
    return geometry.exp(start[:, None], time * geometry.log(start, end)[:, None])


def _reach(points: Tensor) -> float:
    """A length beyond everything that is drawn."""
    return 4 * float(points.abs().max()) + 1
