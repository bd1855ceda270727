"""HCM: hierarchical cosine margins, and classes of the Poincaré ball, from coarse labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.heads import Head, LevelClasses, PoincareClasses, ProjectionHead
from cladewise.losses import hierarchical_cosine_margin_loss
from cladewise.methods.coarse_cross_entropy import CoarseMethod
from cladewise.methods.method import Citation, IntArray, option
from cladewise.methods.objective import Objective, Represented, Seen, projection_of
from cladewise.methods.pseudo_fine import clusters_wanted, pseudo_fine
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels

GAP = 1e-3
"""Least distance between one margin and the next."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HCMMethod(CoarseMethod):
    r"""Classes as hyperplanes of the Poincaré ball, and distances between images that follow from their relation.

    .. math:: \ell = \ell_{\text{MLR}} + \alpha \operatorname{KL}\bigl(\operatorname{softmax}(-\Delta/\tau) \,\big\|\,
        \operatorname{softmax}(-D/\tau)\bigr), \qquad D_{ij} = 1 - \cos(v_i, v_j)

    Two views of an image should be d0 apart, images of one pseudo-fine class d1, of one coarse class d2, and others d3,
    with d0 < d1 < d2 < d3. Pseudo-fine classes are clusters of what the network sees in the images of a class. The
    margins between the first and the last follow the distances that there are.

    The exponential map at the origin keeps directions, so the cosine is that of the vectors before it: the ball makes a
    difference to the classes alone. Only a summary of the paper could be consulted. From there are: the map and the
    classes of the ball, the four relations and the order of their margins, the KL divergence, that d1 and d2 are
    updated with momentum by mean distances of the batch, k-means inside coarse classes, and twice as many clusters as
    true subclasses. Ours are: distributions row by row, and every other number that an option has.
    """

    name: ClassVar[str] = "hcm"
    title: ClassVar[str] = "Hierarchical cosine margins (HCM)"
    citation: ClassVar[Citation] = Citation(
        "Xu, Sun, Zhang, Xu, Wei, Yang",
        "Hyperbolic space with hierarchical margin boosts fine-grained learning from coarse labels",
        "NeurIPS",
        2023,
        "https://arxiv.org/abs/2311.11019",
    )

    projection: int = option(128, "length of the vectors that are compared and classified")
    geometry: Literal["poincare", "euclidean"] = option(
        "poincare", "classes as hyperplanes of the Poincaré ball, or of Euclidean space (a linear layer)"
    )
    curvature: float = option(0.1, "c of the ball, > 0")
    radius: float = option(2.3, "longest that a vector counts as before it is mapped to the ball, > 0")
    weight: float = option(1.0, "weight alpha of the margins, >= 0; 0: classes of the ball alone")
    margins: Literal["adaptive", "fixed", "by-class"] = option(
        "adaptive",
        "margins between the first and the last follow mean distances of the batch, stay, or follow them "
        "for each class by itself, for classes of very different breadth",
    )
    targets: str = option(
        "", "margins at first, ascending in [0, 2], like 0,0.2,0.5,1; empty: 0, 0.2, and even steps from 0.5 to 1"
    )
    margin_momentum: float = option(0.99, "share of itself that a margin keeps in every step, in [0, 1]")
    temperature: float = option(0.2, "temperature of the distributions over other images, > 0")
    clusters: str | int = option(
        "2x", "pseudo-fine classes of a class: a factor of its true number like 2x, a number, auto, or 0 for none"
    )
    warmup: int = option(10, "epochs before margins and clusters begin")
    refresh: int = option(1, "epochs after which images are clustered anew")
    coarse_levels: str | int = option(
        "", "levels that have a margin each, by name or number, or all down to level; empty: level alone"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        classes = LevelClasses(taxonomy, self.level)
        scorer: nn.Module = (
            PoincareClasses(self.projection, classes.num_classes, curvature=self.curvature, radius=self.radius)
            if self.geometry == "poincare"
            else nn.Linear(self.projection, classes.num_classes)
        )
        return ProjectionHead(
            taxonomy, num_features, classes, scorer, embedding=self.embedding, projection=self.projection
        )

    def views(self) -> int:
        return 2 if self.weight else 1

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective | None:
        return MarginObjective(self, taxonomy, nodes) if self.weight else None


class MarginObjective(Objective):
    """Cross-entropy of the classes, and hierarchical cosine margins after a warm-up.

    Args:
        method: The options.
        taxonomy: The label tree.
        nodes: Label of every image of the data set; -1 where it is not trained on.

    Raises:
        InputError: There are no such levels, or the margins are not as many as there are relations, ascending.
    """

    cluster: Int[Tensor, " image"]
    current: Float[Tensor, "class relation"]
    ancestors: Int[Tensor, "level node"]
    class_of_node: Int[Tensor, " node"]

    def __init__(self, method: HCMMethod, taxonomy: Taxonomy, nodes: IntArray) -> None:
        super().__init__()
        classes = LevelClasses(taxonomy, method.level)
        levels = margin_levels(method.coarse_levels, classes.level, taxonomy)
        self.method, self.loss = method, method.loss(taxonomy)
        first = first_margins(method.targets, len(levels))
        rows = classes.num_classes + 1 if method.margins == "by-class" else 1  # the last is of images without a class
        ancestors = np.stack([taxonomy.at_level(level) for level in reversed(levels)])
        clusters_wanted(method.clusters)
        leaves = np.bincount(ancestors[0][taxonomy.leaf_nodes], minlength=taxonomy.num_nodes)
        self.subclasses = np.maximum(1, leaves)
        self.epoch = 0
        self.register_buffer("current", torch.tensor(first).repeat(rows, 1))
        self.register_buffer("cluster", torch.full((len(nodes),), -1))
        self.register_buffer("ancestors", torch.from_numpy(ancestors), persistent=False)
        self.register_buffer("class_of_node", classes.class_of_node, persistent=False)

    def begin_epoch(self, epoch: int, seed: int, represent: Callable[[], Represented]) -> None:
        self.epoch = epoch
        since = epoch - self.method.warmup
        if since < 0 or since % max(1, self.method.refresh) or self.method.clusters in (0, "0"):
            return
        seen = represent()
        found = pseudo_fine(
            seen.vectors.float().cpu().numpy(),
            self.ancestors[0][seen.target].cpu().numpy(),
            self.subclasses,
            self.method.clusters,
            seed=(seed * 1_000_003 + epoch) % 2**32,
        )
        self.cluster.fill_(-1)
        self.cluster[seen.index] = torch.from_numpy(found).to(self.cluster.device)

    def forward(self, seen: Seen) -> Float[Tensor, " row"]:
        nats = self.loss(seen.prediction.logits, seen.target)
        if self.epoch < self.method.warmup:
            return nats
        cluster = self.cluster[seen.index]
        alone = len(self.cluster) + seen.index  # without a cluster an image is one of its own
        groups = torch.stack([seen.index, torch.where(cluster >= 0, cluster, alone), *self.ancestors[:, seen.target]])
        known = self.class_of_node[seen.target]
        row = (
            torch.where(known >= 0, known, len(self.current) - 1) if len(self.current) > 1 else torch.zeros_like(known)
        )
        found = hierarchical_cosine_margin_loss(
            projection_of(seen.prediction), groups, self.current[row], temperature=self.method.temperature
        )
        if self.training and self.method.margins != "fixed":
            self._follow(row, found.counts, found.distances)
        return nats + self.method.weight * found.nats

    @torch.no_grad()
    def _follow(self, row: Tensor, counts: Tensor, distances: Tensor) -> None:
        """Move the margins between the first and the last to the mean distances of the batch, and keep their order."""
        total = torch.zeros_like(self.current).index_add(0, row, counts)
        mean = torch.zeros_like(self.current).index_add(0, row, distances.float()) / total.clamp_min(1)
        kept = self.method.margin_momentum
        moved = torch.where(total > 0, kept * self.current + (1 - kept) * mean, self.current)
        moved[:, 0], moved[:, -1] = self.current[:, 0], self.current[:, -1]
        for k in range(1, moved.shape[1] - 1):
            moved[:, k] = moved[:, k].maximum(moved[:, k - 1] + GAP)
        for k in range(moved.shape[1] - 2, 0, -1):
            moved[:, k] = moved[:, k].minimum(moved[:, k + 1] - GAP)
        self.current.copy_(moved)

    def state(self) -> dict[str, float]:
        return {f"margin_{k}": float(value) for k, value in enumerate(self.current.mean(0))}


def first_margins(text: str, num_levels: int) -> list[float]:
    """Margins of views, clusters, each coarse level from the finest, and strangers.

    Raises:
        InputError: They are not so many numbers, ascending in [0, 2] by at least a thousandth.

    Example:
        >>> first_margins("", 1), first_margins("0,0.1,0.4,0.7,1", 2)
        ([0.0, 0.2, 0.5, 1.0], [0.0, 0.1, 0.4, 0.7, 1.0])
    """
    if not text:
        return [0.0, 0.2, *(0.5 + 0.5 * k / num_levels for k in range(num_levels)), 1.0]
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    steps = np.diff(found)
    if len(found) != num_levels + 3 or found[0] < 0 or found[-1] > 2 or (steps < GAP - 1e-9).any():
        raise InputError(f"{num_levels + 3} margins, ascending in [0, 2], like 0,0.2,0.5,1", repr(text))
    return found


def margin_levels(choice: str | int, level: int, taxonomy: Taxonomy) -> tuple[int, ...]:
    """Levels that have a margin each, ascending: those chosen, down to the level of the classes.

    Raises:
        InputError: One is finer than the classes.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b", "c")])
        >>> margin_levels("", 2, tree), margin_levels("all", 2, tree)
        ((2,), (1, 2))
    """
    if choice == "":
        return (level,)
    if choice == "all":
        return tuple(range(1, level + 1)) or (level,)
    levels = chosen_levels(str(choice), taxonomy)
    if levels[-1] > level:
        raise InputError(f"levels with margins down to the classes', {level}", levels[-1])
    return levels
