"""Label vectors in the plane, with the tree's edges and the regions of the labels."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
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
        share: Share of the labels' variance that the plane shows; 1 where nothing was left out.
        images: Of images in the same plane, [image, 2].
        image_share: Share of their variance.
        centred: Whether the middle is where the order begins.
    """

    points: FloatArray
    edges: list[FloatArray]
    special: list[int]
    regions: list[FloatArray]
    owners: list[int]
    disk: bool
    share: float
    images: FloatArray
    image_share: float
    centred: bool


def picture(space: LabelSpace, images: Float[Tensor, "image dim"] | None = None) -> Picture:
    """Draw the vectors themselves where there are two dimensions or one, else two principal components of the labels'.

    Vectors of the ball are taken to the tangent plane at the origin first and back into the disk after; regions are not
    drawn then, since those of the ball do not show in a plane. Where the order begins at the origin, this stays in the
    middle, and variance is about it. Images go the same way as labels, which alone say where the components lie.

    Args:
        space: The labels.
        images: Vectors of images, if some are to be drawn too.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("moth",)])
        >>> labels = LabelSpace(t, torch.tensor([[0.0, 0.5], [0.0, 0.9], [0.5, 0.0]]), make("hyperbolic"))
        >>> drawn = picture(labels, torch.tensor([[0.0, 0.99]]))
        >>> drawn.points.shape, len(drawn.edges), drawn.owners, drawn.disk, drawn.images.shape
        ((3, 2), 1, [1], True, (1, 2))
    """
    curved, centred = space.geometry.curvature > 0, space.geometry.is_centred
    labels = space.vectors.detach().cpu().double()
    seen = labels[:0] if images is None else images.detach().cpu().double()
    (points, share), (images_there, image_share) = _plane(labels, seen, curved=curved, centred=centred)
    special = np.flatnonzero(space.taxonomy.parents > 0)
    edges = _ways(points[space.taxonomy.parents[special] - 1], points[special - 1], curved=curved)
    owners: list[int] = []
    regions: list[FloatArray] = []
    if space.dim == 2:
        inner = np.flatnonzero(space.taxonomy.num_children[1:] > 0) + 1
        chosen = inner[np.argsort(space.taxonomy.depth[inner], kind="stable")][:MOST_REGIONS]
        reach = _reach(torch.cat([points, images_there]))
        regions = list(space.geometry.outlines(points[chosen - 1], reach=reach).numpy())
        owners = chosen.tolist()
    return Picture(
        points=points.numpy(),
        edges=list(edges.numpy()),
        special=special.tolist(),
        regions=regions,
        owners=owners,
        disk=curved,
        share=share,
        images=images_there.numpy(),
        image_share=image_share,
        centred=centred,
    )


def _plane(labels: Tensor, images: Tensor, *, curved: bool, centred: bool) -> list[tuple[Tensor, float]]:
    """Two coordinates a vector, of labels and of images, and the share of the variance that they have."""
    dim = labels.shape[1]
    if dim <= 2:
        return [(torch.cat([part, part.new_zeros(len(part), 2 - dim)], 1), 1.0) for part in (labels, images)]
    flat = [geometry.log_origin(part) if curved else part for part in (labels, images)]
    middle = flat[0].new_zeros(dim) if centred else flat[0].mean(0)
    axes = torch.linalg.svd(flat[0] - middle, full_matrices=False).Vh[:2].T
    axes = torch.cat([axes, axes.new_zeros(dim, 2 - axes.shape[1])], 1)
    found: list[tuple[Tensor, float]] = []
    for part in flat:
        points = (part - middle) @ axes
        share = float(points.square().sum() / (part - middle).square().sum().clamp_min(1e-300)) if len(part) else 1.0
        found.append((geometry.exp_origin(points) if curved else points, share))
    return found


def _ways(start: Tensor, end: Tensor, *, curved: bool) -> Tensor:
    """Points of the shortest ways, [edge, point, 2]."""
    if not curved:
        return torch.stack([start, end], 1)
    time = torch.linspace(0, 1, STEPS, dtype=start.dtype)[:, None]
    return geometry.exp(start[:, None], time * geometry.log(start, end)[:, None])


def _reach(points: Tensor) -> float:
    """A length beyond everything that is drawn."""
    return 4 * float(points.abs().max()) + 1
