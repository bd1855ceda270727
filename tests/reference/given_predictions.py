"""Predictions for the tests of rules: random ones of every kind, and log-probabilities as they are told."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import torch
from torch import Tensor

from cladewise.predictions import (
    Coherence,
    ConditionalSigmoid,
    EmbeddedLevelSoftmax,
    LeafSoftmax,
    LevelEnergies,
    LevelSoftmax,
    LevelTransition,
    NodeSigmoid,
    NodeSoftmax,
    PathSumSigmoid,
    PathSumSoftmax,
    Prediction,
    ProjectedLeafSoftmax,
    SiblingSoftmax,
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


KINDS: dict[str, type[Prediction]] = {
    kind.__name__: kind
    for kind in (
        LeafSoftmax,
        NodeSoftmax,
        SiblingSoftmax,
        ConditionalSigmoid,
        NodeSigmoid,
        PathSumSoftmax,
        PathSumSigmoid,
        LevelSoftmax,
        LevelEnergies,
        LevelTransition,
        EmbeddedLevelSoftmax,
        ProjectedLeafSoftmax,
    )
}


def built_in_kinds() -> dict[str, type[Prediction]]:
    """The library's own kinds of prediction, without those that tests define."""
    return {name: kind for name, kind in storage.kinds().items() if kind.__module__.startswith("cladewise.")}


def width(kind: str, taxonomy: Taxonomy) -> int:
    """Number of scores of a kind of prediction."""
    widths = {
        "LeafSoftmax": taxonomy.num_leaves,
        "ProjectedLeafSoftmax": taxonomy.num_leaves,
        "NodeSoftmax": taxonomy.num_nodes,
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
    return KINDS[kind](taxonomy, logits.to(dtype))  # type: ignore[call-arg]
