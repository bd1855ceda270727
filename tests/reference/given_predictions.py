"""Predictions for the tests of rules: random ones of every kind, and log-probabilities as they are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from cladewise.ops import tree_index
from cladewise.predictions import (
    CappedSigmoid,
    Coherence,
    ConditionalSigmoid,
    EmbeddedLevelSoftmax,
    LeafSoftmax,
    LevelEnergies,
    LevelSoftmax,
    LevelTransition,
    ListedNodes,
    NodeSigmoid,
    NodeSoftmax,
    PathSumSigmoid,
    PathSumSoftmax,
    Prediction,
    ProjectedLeafSoftmax,
    SiblingSoftmax,
    SubspaceNorms,
    level_width,
    storage,
    transition_layout,
)
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class Given(Prediction):
    """Log-probabilities as they are told, with no coherence at all."""

    values: Tensor

    @property
    def coherence(self) -> Coherence:
        return Coherence.NONE

    @property
    def logits(self) -> Tensor:
        return self.values

    @property
    def scored_nodes(self) -> Tensor:
        return torch.arange(self.taxonomy.num_nodes)

    @cached_property
    def log_prob(self) -> Tensor:
        return self.values


LISTED = 4
"""Length of the lists of nodes."""


def listed(taxonomy: Taxonomy, logits: Tensor) -> ListedNodes:
    """The best leaf and the next best nodes of a softmax over all nodes."""
    log_mass = logits.float().log_softmax(-1)
    leaves = tree_index(taxonomy, logits.device).leaf_nodes
    best = leaves[log_mass[..., leaves].argmax(-1, keepdim=True)]
    k = min(LISTED, taxonomy.num_nodes) - 1
    others = log_mass.scatter(-1, best, -torch.inf).topk(k, dim=-1).indices
    nodes = torch.cat([best, others], -1)
    return ListedNodes(taxonomy, nodes, log_mass.gather(-1, nodes).to(logits.dtype), at_inner_nodes=True)


KINDS: dict[str, Callable[..., Prediction]] = {
    kind.__name__: kind
    for kind in (
        LeafSoftmax,
        NodeSoftmax,
        SiblingSoftmax,
        ConditionalSigmoid,
        NodeSigmoid,
        CappedSigmoid,
        PathSumSoftmax,
        PathSumSigmoid,
        LevelSoftmax,
        LevelEnergies,
        LevelTransition,
        EmbeddedLevelSoftmax,
        ProjectedLeafSoftmax,
        SubspaceNorms,
    )
} | {"ListedNodes": listed}
"""How each kind of prediction is made of a tree and scores."""
FROM_HEADS = [kind for kind in KINDS if kind != "ListedNodes"]
"""Kinds that hold the scores of a head, which gradients flow to."""


def built_in_kinds() -> dict[str, type[Prediction]]:
    """The library's own kinds of prediction, without those that tests define."""
    return {name: kind for name, kind in storage.kinds().items() if kind.__module__.startswith("cladewise.")}


def width(kind: str, taxonomy: Taxonomy) -> int:
    """Number of scores of a kind of prediction."""
    widths = {
        "LeafSoftmax": taxonomy.num_leaves,
        "ProjectedLeafSoftmax": taxonomy.num_leaves,
        "NodeSoftmax": taxonomy.num_nodes,
        "ListedNodes": taxonomy.num_nodes,
        "LevelSoftmax": level_width(taxonomy, tuple(range(1, taxonomy.num_levels + 1)), tied=False),
        "LevelTransition": transition_layout(taxonomy).width,
        "EmbeddedLevelSoftmax": level_width(taxonomy, tuple(range(1, taxonomy.num_levels + 1)), tied=False),
    }
    return widths.get(kind, taxonomy.num_nodes - 1)


def random_prediction(
    kind: str, taxonomy: Taxonomy, *batch: int, seed: int = 0, scale: float = 2.0, dtype: torch.dtype = torch.float64
) -> Prediction:
    """A prediction of a kind with normal scores."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(*batch, width(kind, taxonomy), generator=generator, dtype=torch.float64) * scale
    return KINDS[kind](taxonomy, logits.to(dtype))
