"""Hypernym prediction: telling held-out ancestor-descendant pairs from other pairs."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor

from cladewise.embeddings.hypernym_edges import EdgeSplits, HypernymEdges
from cladewise.embeddings.label_geometry import Geometry
from cladewise.embeddings.negatives import NegativeSampler
from cladewise.embeddings.thresholds import BestThreshold, EdgeScores, scores_at
from cladewise.taxonomy import Taxonomy

PER_SIDE = 5
"""Negative edges with another parent, and as many with another child, for each edge of val and test."""


@dataclasses.dataclass(frozen=True)
class HypernymScores:
    """Scores on val and test at the threshold that is best on val."""

    val: EdgeScores
    test: EdgeScores


class _Pairs(NamedTuple):
    general: Tensor
    special: Tensor

    def energies(self, geometry: Geometry, vectors: Tensor) -> Tensor:
        return geometry.energy(vectors[self.general - 1], vectors[self.special - 1])


class HypernymTask:
    """The edges of val and test, each with ten negative ones, drawn once.

    Five have another parent and five another child, drawn uniformly from labels that form no edge of the closure.

    Args:
        taxonomy: The label tree.
        splits: Its edges.
        seed: Seed of the negative edges.
        device: Device of the vectors.

    References: Ganea et al., ICML 2018, section 5. Dhall et al., CVPR Workshops 2020, section 4.2.2; their code draws
        the negative edges of val and test one level at a time if those of training are.
    """

    def __init__(
        self, taxonomy: Taxonomy, splits: EdgeSplits, *, seed: int = 0, device: torch.device | str = "cpu"
    ) -> None:
        draw = NegativeSampler(taxonomy, "uniform", device=device)
        generator = torch.Generator().manual_seed(seed)
        self._val, self._test = (_with_others(edges, draw, generator) for edges in (splits.val, splits.test))

    @property
    def has_edges(self) -> bool:
        """Whether there are edges to choose a threshold on."""
        return bool(len(self._val[0].general))

    @torch.no_grad()
    def scores(self, geometry: Geometry, vectors: Tensor) -> HypernymScores:
        """Choose the threshold on val and score both splits at it."""
        (val, val_others), (test, test_others) = (
            tuple(pairs.energies(geometry, vectors) for pairs in split) for split in (self._val, self._test)
        )
        best = BestThreshold(val)
        best.add(val_others)
        chosen = best.scores()
        return HypernymScores(chosen, scores_at(chosen.threshold, test, test_others))


def _with_others(edges: HypernymEdges, draw: NegativeSampler, generator: torch.Generator) -> tuple[_Pairs, _Pairs]:
    general, special = (torch.tensor(nodes, device=draw.index.device) for nodes in (edges.general, edges.special))
    others = draw(general, special, PER_SIDE, generator)
    return _Pairs(general, special), _Pairs(others.general[others.valid], others.special[others.valid])
