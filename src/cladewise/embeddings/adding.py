"""The vector of one more label, the others being as they are."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.embeddings.label_geometry import Geometry
from cladewise.taxonomy import Taxonomy

PER_SIDE = 5
MARGIN = 1.0


def fitted_vector(
    taxonomy: Taxonomy,
    geometry: Geometry,
    vectors: Float[Tensor, "label dim"],
    parent: int,
    *,
    images: Float[Tensor, "image dim"] | None = None,
    steps: int = 500,
    lr: float = 0.01,
) -> Float[Tensor, " dim"]:
    r"""A vector for a new leaf under a node.

    .. math:: \ell(x) = \sum_{u \in A} E(u, x) + 5 |A| \bigl(\overline{\max(0, \gamma - E(u', x))}
        + \overline{\max(0, \gamma - E(x, v'))}\bigr)

    over its ancestors A and the means over the labels that are none and over all labels, a level weighing like another:
    what training draws five of for every edge, in expectation. With images of the label it is to hold them as well,
    which weighs as much as its ancestors holding it. It begins in the middle of its siblings, or among the images.

    Args:
        taxonomy: The tree without the new leaf.
        geometry: The order.
        vectors: Those of the labels there are.
        parent: A node; 0 where the new label is a child of the root.
        images: Vectors of images of the new label, if there are any.
        steps: Steps of the optimiser.
        lr: Its rate.
    """
    path = torch.tensor([node - 1 for node in taxonomy.path(parent) if node > 0], dtype=torch.int64)
    fixed = vectors.detach()
    by_level = _equal_levels(taxonomy).to(fixed)
    off_path = by_level.index_fill(0, path.to(fixed.device), 0.0)
    off_path = off_path / off_path.sum().clamp_min(torch.finfo(off_path.dtype).tiny)
    weight = PER_SIDE * max(1, len(path))
    start = _beginning(taxonomy, fixed, parent) if images is None else 0.9 * images.mean(0).to(fixed)
    place = nn.Parameter(geometry.settled(start)[None].clone())
    optimizer = geometry.optimizer(place, lr)
    for _ in range(steps):
        held = geometry.pairwise_energy(fixed, place)[:, 0]
        holding = geometry.pairwise_energy(place, fixed)[0]
        loss = held[path].sum() + weight * (off_path * torch.relu(MARGIN - held)).sum()
        loss = loss + weight * (by_level * torch.relu(MARGIN - holding)).sum()
        if images is not None:
            below = geometry.pairwise_energy(place, images.detach().to(fixed))[0]
            loss = loss + max(1, len(path)) * below.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            geometry.settle_(place)
    return place.detach()[0]


def _beginning(taxonomy: Taxonomy, vectors: Tensor, parent: int) -> Tensor:
    """The mean of the siblings; else a little beyond the parent; else the mean of all."""
    children = taxonomy.children(parent)
    if children.size:
        return vectors[torch.tensor(children - 1)].mean(0)
    if parent:
        return 1.1 * vectors[parent - 1]
    return vectors.mean(0)


def _equal_levels(taxonomy: Taxonomy) -> Tensor:
    """A weight a label: those of a level sum to the same, and all to one."""
    level = taxonomy.level[1:]
    count = np.bincount(level)
    return torch.tensor(1 / (count[level] * np.count_nonzero(count)))
