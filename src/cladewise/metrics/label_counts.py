"""Micro and macro precision, recall and F1 of labels: what was said against what is so, label by label."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from cladewise.decisions import Answer, LabelSets, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.metrics.level_accuracy import check_levels
from cladewise.ops import at_levels, speaks
from cladewise.taxonomy import Taxonomy

AVERAGES = tuple(f"{average}_{score}" for average in ("micro", "macro") for score in ("precision", "recall", "f1"))
"""What :class:`LabelCounts` computes overall and by level."""


class LabelCounts(Metric):
    r"""Precision, recall and F1 of the labels at every level, over every image seen, on all processes.

    The labels of an image are the nodes that represent it at the levels. A node is said at the levels down to its own,
    a leaf at all; a :class:`LevelNodes` answer says one node a level, and :class:`LabelSets` whatever they hold. Levels
    that the image's label does not speak of are left out.

    .. math:: P = \frac{tp}{tp + fp}, \quad R = \frac{tp}{tp + fn}, \quad F_1 = \frac{2\,tp}{2\,tp + fp + fn}, \qquad
        0/0 = 0

    Micro averages pool the counts over the labels, macro averages are means over the labels of each label's own scores.
    With one node said a level, micro F1 is the mean of the level accuracies. A leaf above a level is a label of that
    level too.

    Args:
        taxonomy: The label tree.
        options: Options of :class:`torchmetrics.Metric`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> counts = LabelCounts(t)
        >>> counts.update(Nodes(torch.tensor([2, 3]), torch.zeros(2)), torch.tensor([2, 2]))
        >>> values = counts.compute()
        >>> values["micro_f1"].item(), values["micro_f1/species"].item()
        (0.75, 0.5)

    References:
        Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR Workshops 2020,
        arXiv:2004.03459.
    """

    is_differentiable = False
    full_state_update = False

    hit: Tensor
    said: Tensor
    true: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(**options)
        self.taxonomy = taxonomy
        for state in ("hit", "said", "true"):
            self.add_state(state, torch.zeros(len(self.nodes), dtype=torch.int64), dist_reduce_fx="sum")

    @cached_property
    def nodes(self) -> Int[np.ndarray, " label"]:
        """Node of every label, the labels of one level after another's."""
        levels = [self.taxonomy.level_nodes(k + 1) for k in range(self.taxonomy.num_levels)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *levels])

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        """Where the labels of each level start, and where the last level's end."""
        sizes = [len(self.taxonomy.level_nodes(k + 1)) for k in range(self.taxonomy.num_levels)]
        return (0, *np.cumsum(sizes).tolist())

    @property
    def true_positive(self) -> Int[Tensor, " label"]:
        """Images that have the label and were said to."""
        return self.hit

    @property
    def false_positive(self) -> Int[Tensor, " label"]:
        """Images that were said to have the label and do not."""
        return self.said - self.hit

    @property
    def false_negative(self) -> Int[Tensor, " label"]:
        """Images that have the label and were not said to."""
        return self.true - self.hit

    def update(self, answer: Answer, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch: what was decided, and the node of each label."""
        shape = answer.chosen.shape if isinstance(answer, LabelSets) else answer.node.shape
        if (shape if isinstance(answer, Nodes) else shape[:-1]) != target.shape:
            raise InputError("an answer and a target [*batch]", f"answer {list(shape)}, target {list(target.shape)}")
        wanted, counted = at_levels(target, self.taxonomy), speaks(target, self.taxonomy)
        if isinstance(answer, LabelSets):
            self._add_sets(answer.chosen, wanted, counted)
        elif isinstance(answer, LevelNodes):
            check_levels(answer.node, self.taxonomy)
            self._add_nodes(answer.node, torch.ones_like(counted), wanted, counted)
        else:
            self._add_nodes(at_levels(answer.node, self.taxonomy), speaks(answer.node, self.taxonomy), wanted, counted)

    def _add_nodes(self, decided: Tensor, told: Tensor, wanted: Tensor, counted: Tensor) -> None:
        nothing = self.taxonomy.num_nodes  # stands for what is silent; no label, so it is not counted
        decided = decided.masked_fill(~(told & counted), nothing)
        wanted = wanted.masked_fill(~counted, nothing)
        hit = decided.masked_fill(decided != wanted, nothing)
        for k, (start, end) in enumerate(pairwise(self.bounds)):
            self.said[start:end] += self._count(decided[..., k], start, end)
            self.true[start:end] += self._count(wanted[..., k], start, end)
            self.hit[start:end] += self._count(hit[..., k], start, end)

    def _add_sets(self, chosen: Tensor, wanted: Tensor, counted: Tensor) -> None:
        for k, (start, end) in enumerate(pairwise(self.bounds)):
            here = counted[..., k]
            right = wanted[..., k][here]
            sets = chosen[here]
            found = sets.gather(-1, right[:, None]).squeeze(-1)
            columns = torch.as_tensor(self.nodes[start:end], device=chosen.device)
            self.said[start:end] += sets.sum(0)[columns]
            self.true[start:end] += self._count(right, start, end)
            self.hit[start:end] += self._count(right[found], start, end)

    def _count(self, node: Tensor, start: int, end: int) -> Tensor:
        """How often each label of a level is among the nodes; what is no label of the level is not counted."""
        by_node = node.flatten().bincount(minlength=self.taxonomy.num_nodes)
        return by_node[torch.as_tensor(self.nodes[start:end], device=node.device)]

    def compute(self) -> dict[str, Tensor]:
        """Each of :data:`AVERAGES` over all labels under its name, and of every level under ``name/<level>``."""
        overall = dict(zip(AVERAGES, self._averages(slice(None)), strict=True))
        for level, (start, end) in zip(self.taxonomy.level_names, pairwise(self.bounds), strict=True):
            values = zip(AVERAGES, self._averages(slice(start, end)), strict=True)
            overall.update({f"{name}/{level}": value for name, value in values})
        return overall

    def _averages(self, labels: slice) -> list[Tensor]:
        counts = (self.hit[labels], self.said[labels], self.true[labels])
        micro = precision_recall_f1(*(count.sum() for count in counts))
        macro = precision_recall_f1(*counts)
        return [*micro, *(score.mean() for score in macro)]


def precision_recall_f1(
    hit: Int[Tensor, "*label"], said: Int[Tensor, "*label"], true: Int[Tensor, "*label"]
) -> tuple[Float[Tensor, "*label"], Float[Tensor, "*label"], Float[Tensor, "*label"]]:
    """Precision, recall and F1 from how often labels were said rightly, said, and true; 0/0 is 0.

    Example:
        >>> precision_recall_f1(torch.tensor(1), torch.tensor(2), torch.tensor(1))[0].item()
        0.5
    """
    hit = hit.double()
    return hit / said.clamp_min(1), hit / true.clamp_min(1), 2 * hit / (said + true).clamp_min(1)
