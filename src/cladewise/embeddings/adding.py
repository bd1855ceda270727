"""Fitting the vector of one new label, with all other vectors fixed."""

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

    where A are its ancestors, and the means are over the labels that are not ancestors and over all labels, each level
    with equal weight. That is the expected training loss with five negatives per edge and side. If images of the label
    are given, it should also contain them, with the same weight as its ancestors have. Optimisation starts at the mean
    of its siblings, or of the images.

    Args:
        taxonomy: The tree without the new leaf.
        geometry: The order.
        vectors: Vectors of the existing labels.
        parent: Parent node; 0 if the new label is a child of the root.
        images: Vectors of images of the new label, if any.
        steps: Optimiser steps.
        lr: Learning rate.
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
    """The mean of the siblings; without siblings a point just beyond the parent; without a parent the mean of all."""
    children = taxonomy.children(parent)
    if children.size:
        return vectors[torch.tensor(children - 1)].mean(0)
    if parent:
        return 1.1 * vectors[parent - 1]
    return vectors.mean(0)


def _equal_levels(taxonomy: Taxonomy) -> Tensor:
    """One weight per label: each level has the same total, and all sum to one."""
    level = taxonomy.level[1:]
    count = np.bincount(level)
    return torch.tensor(1 / (count[level] * np.count_nonzero(count)))
