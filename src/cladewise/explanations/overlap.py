"""Overlap of the classes of each level in a vector space: neighbour purity and silhouette."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.explanations.plane import scikit_learn
from cladewise.taxonomy import Taxonomy

CHUNK = 1 << 20
"""Similarities that are in memory at once."""


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Overlap of the classes of one level; higher values mean less overlap.

    Args:
        level: Name of the level.
        images: Images whose label says something about it.
        classes: Classes that they are of.
        purity: Mean share of an image's nearest neighbours that are of its class; none where no two images are of one.
        chance: What that would be if neighbours were drawn at random.
        silhouette: Mean over the images of how much nearer their own class is than the nearest other, in [-1, 1]; none
            there as well, and where there is one class.
    """

    level: str
    images: int
    classes: int
    purity: float | None
    chance: float | None
    silhouette: float | None


def overlap_by_level(
    vectors: Float[Tensor, "image dim"], nodes: Int[Tensor, " image"], taxonomy: Taxonomy, *, neighbours: int = 10
) -> list[Overlap]:
    """Overlap of the classes of every level, by cosines.

    Args:
        vectors: One vector per image.
        nodes: Label of every image.
        taxonomy: The label tree.
        neighbours: Nearest neighbours whose classes are compared.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> vectors = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
        >>> coarse, fine = overlap_by_level(vectors, torch.tensor([2, 2, 3, 3, 5, 5]), t, neighbours=1)
        >>> coarse.purity, round(fine.purity, 2)  # b and c lie in the same place
        (1.0, 0.33)

    References: Rousseeuw, Silhouettes, Journal of Computational and Applied Mathematics 1987.
    """
    found: list[Overlap] = []
    at_levels, speaks = ops.at_levels(nodes, taxonomy), ops.speaks(nodes, taxonomy)
    for place, name in enumerate(taxonomy.level_names[: taxonomy.num_levels]):
        says = speaks[:, place]
        part, labels = vectors[says], at_levels[says, place]
        _, counts = labels.unique(return_counts=True)
        purity = chance = silhouette = None
        number = len(labels)
        if len(counts) < number:  # otherwise no image has another one of its class
            purity = float(neighbour_purity(part, labels, neighbours))
            chance = float((counts * (counts - 1)).sum() / (number * (number - 1)))
        if 2 <= len(counts) < number:
            score: Any = scikit_learn().metrics.silhouette_score
            silhouette = float(score(part.cpu().double().numpy(), labels.cpu().numpy(), metric="cosine"))
        found.append(Overlap(name, number, len(counts), purity, chance, silhouette))
    return found


def neighbour_purity(
    vectors: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], neighbours: int
) -> Float[Tensor, ""]:
    """Mean share of the nearest neighbours of an image, by cosine, that have its label.

    Example:
        >>> neighbour_purity(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), torch.tensor([0, 0, 1]), 1)
        tensor(0.6667)
    """
    unit = F.normalize(vectors, dim=-1)
    step = max(1, CHUNK // len(unit))
    shares: list[Tensor] = []
    for start in range(0, len(unit), step):
        rows = torch.arange(start, min(start + step, len(unit)), device=unit.device)
        similarity = (unit[rows] @ unit.mT).scatter_(1, rows[:, None], -torch.inf)
        nearest = similarity.topk(min(neighbours, len(unit) - 1), dim=1).indices
        shares.append((labels[nearest] == labels[rows, None]).float().mean(1))
    return torch.cat(shares).mean()
