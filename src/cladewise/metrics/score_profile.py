"""The distribution of unlabelled scores, and whether it is that of other scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.decisions import Answer, Nodes
from cladewise.errors import InputError
from cladewise.metrics.sums import Sums
from cladewise.ops import log_odds, tree_index
from cladewise.predictions import Prediction
from cladewise.statistics import Difference, ks_difference, shares_difference
from cladewise.statistics.two_samples import mean_place
from cladewise.taxonomy import Taxonomy

BINS = 512
LOWEST, HIGHEST = -9.0, 16.6
"""Range of the log-odds of confidences that is divided into the bins, each 5% of the odds wide."""
MOST_CLASSES = 256
"""Largest number of nodes of the level whose shares are counted."""
UNLIKELY = 1e-3
"""Largest p-value of a difference that is told."""
SMALLEST = 0.1
"""Smallest size of a difference that is told, so that a million images do not make every trifle one."""


@dataclasses.dataclass(frozen=True, eq=False)
class ScoreProfile(Sums):
    """How sure scores are of each level, which classes they name and how specific the answers are; no labels.

    A few thousand numbers, whatever the number of images.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> logits = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
        >>> usual = ScoreProfile.of(LeafSoftmax(t, 4 * logits[:250]))
        >>> usual.drift(ScoreProfile.of(LeafSoftmax(t, 4 * logits[250:])), t).is_there
        False
        >>> usual.drift(ScoreProfile.of(LeafSoftmax(t, logits[250:])), t).text
        'less certain of genus (KS 0.56); less certain of species (KS 0.61)'
    """

    confidence: Int[Tensor, "level bin"]
    """Images by the log-odds of the most probable node of each level."""
    classes: Int[Tensor, " class"]
    """Images by the most probable leaf's node at the finest level of at most 256 nodes."""
    depths: Int[Tensor, " depth"]
    """Images by the level of their answer, 0 for the root; all 0 if answers are not single nodes."""

    @classmethod
    def of(cls, prediction: Prediction, answer: Answer | None = None) -> ScoreProfile:
        """The profile of a batch, with the answers of a decision if there is one."""
        prediction, taxonomy = prediction.flat(), prediction.taxonomy
        index = tree_index(taxonomy, prediction.device)
        confidence = torch.zeros(taxonomy.num_levels, BINS, dtype=torch.int64)
        for k in range(taxonomy.num_levels):
            best = log_odds(prediction.level_log_prob(k + 1).log_prob.amax(-1).double())
            place = (best.clamp(LOWEST, HIGHEST) - LOWEST) * (BINS / (HIGHEST - LOWEST))
            confidence[k] = torch.bincount(place.long().clamp_max(BINS - 1).cpu(), minlength=BINS)
        nodes, groups = _counted_nodes(taxonomy)
        of_class = torch.as_tensor(groups)[prediction.best_leaf().node.cpu()]
        depths = torch.zeros(taxonomy.num_levels + 1, dtype=torch.int64)
        if isinstance(answer, Nodes):
            depths = torch.bincount(index.level[answer.node.reshape(-1)].cpu(), minlength=len(depths))
        return cls(confidence, torch.bincount(of_class, minlength=len(nodes)), depths)

    @property
    def num_images(self) -> int:
        """Number of images."""
        return int(self.classes.sum())

    def tensors(self) -> dict[str, Tensor]:
        """The counts by name, for storage."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The reverse of :meth:`tensors`."""
        return cls(**{field.name: tensors[field.name] for field in dataclasses.fields(cls)})

    def drift(self, now: ScoreProfile, taxonomy: Taxonomy) -> ScoreDrift:
        """How other scores over the same tree differ from these.

        Raises:
            InputError: The scores are over another tree.
        """
        if any(a.shape != b.shape for a, b in zip(self.tensors().values(), now.tensors().values(), strict=True)):
            raise InputError("scores over the same tree", "others")
        found: dict[str, Difference] = {}
        surer: dict[str, bool] = {}
        for name, before, after in zip(
            taxonomy.level_names, self.confidence.numpy(), now.confidence.numpy(), strict=True
        ):
            found[name] = ks_difference(before, after)
            surer[name] = mean_place(after) > mean_place(before)
        classes = shares_difference(self.classes.numpy(), now.classes.numpy())
        depths = shares_difference(self.depths.numpy(), now.depths.numpy())
        return ScoreDrift(found, surer, classes, depths, self.num_images, now.num_images)


@dataclasses.dataclass(frozen=True)
class ScoreDrift:
    """Differences between two distributions of scores.

    Args:
        confidence: Kolmogorov-Smirnov test of the confidence at each level.
        surer: Whether the later scores are surer of each level on average.
        classes: Chi-square test of the shares of classes.
        depths: Chi-square test of the shares of levels of answers.
        num_before: Number of images of the earlier scores.
        num_now: Number of images of the later scores.
    """

    confidence: Mapping[str, Difference]
    surer: Mapping[str, bool]
    classes: Difference
    depths: Difference
    num_before: int
    num_now: int

    @property
    def is_there(self) -> bool:
        """Whether any difference is both unlikely by chance (p < 0.001) and of a size that matters (0.1)."""
        return bool(self.text)

    @property
    def text(self) -> str:
        """The differences that matter, in words; empty if there are none."""
        told = [
            f"{'more' if self.surer[name] else 'less'} certain of {name} (KS {one.size:.2f})"
            for name, one in self.confidence.items()
            if _matters(one)
        ]
        if _matters(self.classes):
            told.append(f"other shares of classes ({self.classes.size:.0%} of images)")
        if _matters(self.depths):
            told.append(f"answers at other levels ({self.depths.size:.0%} of images)")
        return "; ".join(told)


def _matters(one: Difference) -> bool:
    return one.p_value < UNLIKELY and one.size >= SMALLEST


def _counted_nodes(taxonomy: Taxonomy) -> tuple[Int[np.ndarray, " class"], Int[np.ndarray, " node"]]:
    """The nodes whose shares are counted, and the position among them of each node's ancestor."""
    for level in range(taxonomy.num_levels, 0, -1):
        nodes = taxonomy.level_nodes(level)
        if len(nodes) <= MOST_CLASSES:
            return nodes, np.searchsorted(nodes, taxonomy.at_level(level)).clip(0, len(nodes) - 1)
    return np.zeros(1, dtype=np.int64), np.zeros(taxonomy.num_nodes, dtype=np.int64)
