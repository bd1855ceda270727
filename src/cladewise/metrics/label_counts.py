"""Precision, recall and F1 of labels, micro- and macro-averaged: predicted labels against true ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions import Answer, LabelSets, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.metrics.level_accuracy import check_levels
from cladewise.metrics.sums import Sums
from cladewise.ops import at_levels, speaks
from cladewise.taxonomy import Taxonomy

AVERAGES = tuple(f"{average}_{score}" for average in ("micro", "macro") for score in ("precision", "recall", "f1"))
"""Names of the values of :func:`label_scores`, computed over all labels and per level."""


def label_scores(answer: Answer, target: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> dict[str, float]:
    r"""Precision, recall and F1 of the labels at every level.

    The labels of an image are the nodes that represent it at the levels. An answered node predicts the labels of the
    levels down to its own, a leaf those of all levels; a :class:`~cladewise.decisions.LevelNodes` answer predicts one
    label per level, and :class:`~cladewise.decisions.LabelSets` whatever they hold. Levels finer than an image's label
    do not count.

    .. math:: P = \frac{tp}{tp + fp}, \quad R = \frac{tp}{tp + fn}, \quad F_1 = \frac{2\,tp}{2\,tp + fp + fn}, \qquad
        0/0 = 0

    Micro averages pool the counts over the labels; macro averages are means over the labels of each label's own scores.
    With one predicted node per level, micro F1 is the mean of the level accuracies. A leaf above a level is a label of
    that level too.

    Args:
        answer: The answers of a decision.
        target: Node of each label; internal nodes allowed.
        taxonomy: The label tree.

    Returns:
        Each of :data:`AVERAGES` over all labels under its name, and per level under ``name/<level>``.

    Raises:
        InputError: The shapes do not match.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> values = label_scores(Nodes(torch.tensor([2, 3]), torch.zeros(2)), torch.tensor([2, 2]), t)
        >>> values["micro_f1"], values["micro_f1/species"]
        (0.75, 0.5)

    References:
        Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR Workshops 2020,
        arXiv:2004.03459.
    """
    values = LabelSums.of(answer, target, taxonomy).values(taxonomy)
    return {name: value.item() for name, value in values.items()}


def label_nodes(taxonomy: Taxonomy) -> Int[np.ndarray, " label"]:
    """Node of every label, one level after another."""
    levels = [taxonomy.level_nodes(level) for level in range(1, taxonomy.num_levels + 1)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *levels])


def label_bounds(taxonomy: Taxonomy) -> tuple[int, ...]:
    """Position of each level's first label among :func:`label_nodes`, and the number of labels."""
    sizes = [len(taxonomy.level_nodes(level)) for level in range(1, taxonomy.num_levels + 1)]
    return (0, *np.cumsum(sizes).tolist())


@dataclasses.dataclass(frozen=True, eq=False)
class LabelSums(Sums):
    """Numbers of images for which each label is predicted and true, predicted, and true; in order of the levels."""

    hit: Int[Tensor, " label"]
    said: Int[Tensor, " label"]
    true: Int[Tensor, " label"]

    @classmethod
    def of(cls, answer: Answer, target: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> LabelSums:
        """The sums over a batch.

        Raises:
            InputError: The shapes do not match.
        """
        shape = answer.chosen.shape if isinstance(answer, LabelSets) else answer.node.shape
        if (shape if isinstance(answer, Nodes) else shape[:-1]) != target.shape:
            raise InputError("an answer and a target [*batch]", f"answer {list(shape)}, target {list(target.shape)}")
        wanted, counted = at_levels(target, taxonomy), speaks(target, taxonomy)
        if isinstance(answer, LabelSets):
            return _of_sets(answer.chosen, wanted, counted, taxonomy)
        if isinstance(answer, LevelNodes):
            check_levels(answer.node, taxonomy)
            return _of_nodes(answer.node, torch.ones_like(counted), wanted, counted, taxonomy)
        return _of_nodes(at_levels(answer.node, taxonomy), speaks(answer.node, taxonomy), wanted, counted, taxonomy)

    def values(self, taxonomy: Taxonomy) -> dict[str, Float[Tensor, ""]]:
        """Each of :data:`AVERAGES` over all labels under its name, and per level under ``name/<level>``."""
        overall = dict(zip(AVERAGES, self._averages(slice(None)), strict=True))
        for level, (start, end) in zip(taxonomy.level_names, pairwise(label_bounds(taxonomy)), strict=True):
            values = zip(AVERAGES, self._averages(slice(start, end)), strict=True)
            overall.update({f"{name}/{level}": value for name, value in values})
        return overall

    def _averages(self, labels: slice) -> list[Tensor]:
        counts = (self.hit[labels], self.said[labels], self.true[labels])
        micro = precision_recall_f1(*(count.sum() for count in counts))
        macro = precision_recall_f1(*counts)
        return [*micro, *(score.mean() for score in macro)]


def _of_nodes(decided: Tensor, told: Tensor, wanted: Tensor, counted: Tensor, taxonomy: Taxonomy) -> LabelSums:
    nothing = taxonomy.num_nodes  # stands for levels without a prediction; not a label, so it is not counted
    decided = decided.masked_fill(~(told & counted), nothing)
    wanted = wanted.masked_fill(~counted, nothing)
    hit = decided.masked_fill(decided != wanted, nothing)
    return LabelSums(*(_per_label(nodes.unbind(-1), taxonomy) for nodes in (hit, decided, wanted)))


def _of_sets(chosen: Tensor, wanted: Tensor, counted: Tensor, taxonomy: Taxonomy) -> LabelSums:
    hit, said, true = list[Tensor](), [chosen.new_zeros(0, dtype=torch.int64)], list[Tensor]()
    for k in range(taxonomy.num_levels):
        here = counted[..., k]
        right, sets = wanted[..., k][here], chosen[here]
        hit.append(right[sets.gather(-1, right[:, None]).squeeze(-1)])
        said.append(sets.sum(0)[torch.tensor(taxonomy.level_nodes(k + 1), device=chosen.device)])
        true.append(right)
    return LabelSums(_per_label(hit, taxonomy), torch.cat(said), _per_label(true, taxonomy))


def _per_label(nodes_of_level: Sequence[Tensor], taxonomy: Taxonomy) -> Int[Tensor, " label"]:
    """How often each label of a level is among that level's nodes; other nodes are not counted."""
    counts: list[Tensor] = []
    for k, nodes in enumerate(nodes_of_level):
        labels = torch.tensor(taxonomy.level_nodes(k + 1), device=nodes.device)
        counts.append(nodes.flatten().bincount(minlength=taxonomy.num_nodes)[labels])
    return torch.cat(counts) if counts else torch.zeros(0, dtype=torch.int64)


def precision_recall_f1(
    hit: Int[Tensor, "*label"], said: Int[Tensor, "*label"], true: Int[Tensor, "*label"]
) -> tuple[Float[Tensor, "*label"], Float[Tensor, "*label"], Float[Tensor, "*label"]]:
    """Precision, recall and F1 from the numbers of true positives, predictions and true labels; 0/0 is 0.

    Example:
        >>> precision_recall_f1(torch.tensor(1), torch.tensor(2), torch.tensor(1))[0].item()
        0.5
    """
    hit = hit.double()
    return hit / said.clamp_min(1), hit / true.clamp_min(1), 2 * hit / (said + true).clamp_min(1)
