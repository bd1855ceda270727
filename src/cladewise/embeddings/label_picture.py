"""Two-dimensional coordinates of an embedding: labels, edges of the tree, regions of the labels, and images."""

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
"""Maximum number of regions drawn, of the labels nearest to the root."""
STEPS = 24
"""Points per curve."""


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """Everything drawn of a :class:`~cladewise.embeddings.LabelSpace`, as plain arrays.

    Args:
        points: Coordinates of every node but the root, [label, 2].
        edges: Curves [points, 2] from a parent to a child: straight, or geodesics of the disk.
        special: The child's node of each of the edges.
        regions: Outlines [points, 2] of the regions of labels, if the vectors themselves are drawn.
        owners: The node of each of the regions.
        disk: Whether the plane is the Poincaré disk.
        share: Share of the labels' variance in the plane; 1 if nothing was left out.
        images: Coordinates of images in the same plane, [image, 2].
        image_share: Share of the images' variance in the plane.
        centred: Whether the origin is in the middle.
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
    """Coordinates of the vectors themselves in up to two dimensions, otherwise of two principal components.

    Vectors of the ball are mapped to the tangent space at the origin first, and back into the disk afterwards. Regions
    are then not drawn, since regions of the ball do not project to the plane. If more general labels are nearer to the
    origin, the origin stays in the middle and variance is about it. Images are projected like labels; the components
    are those of the labels alone.

    Args:
        space: The labels.
        images: Vectors of images to draw as well.

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
    """Two coordinates per vector, for labels and images, and the share of variance that they explain."""
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
    """Points along the geodesics, [edge, point, 2]."""
    if not curved:
        return torch.stack([start, end], 1)
    time = torch.linspace(0, 1, STEPS, dtype=start.dtype)[:, None]
    return geometry.exp(start[:, None], time * geometry.log(start, end)[:, None])


def _reach(points: Tensor) -> float:
    """A length greater than everything that is drawn."""
    return 4 * float(points.abs().max()) + 1
