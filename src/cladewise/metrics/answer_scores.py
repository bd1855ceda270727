"""All metrics of a decision, one value per image."""

from __future__ import annotations

import functools

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions import Answer, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.metrics.accuracy import leaf_answers, sibling, top_k
from cladewise.metrics.distance import hd_at_k, hierarchical_distance, mistake_severity
from cladewise.metrics.information import (
    cpb,
    depth_scores,
    information_scores,
    over_specific,
    specificity,
    under_specific,
)
from cladewise.metrics.level_accuracy import full_path, level_correct, tice
from cladewise.ops import at_levels
from cladewise.taxonomy import Taxonomy

RANKING_LENGTH = 20
"""Number of ranked nodes that the metrics use: pass ``decision.ranking(prediction, RANKING_LENGTH)``."""


def answer_columns(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Names of the columns of :func:`score_answer`, in its order.

    Example:
        >>> answer_columns(Taxonomy.from_paths([("a",)], level_names=["kind"]))[:3]
        ('top1', 'top5', 'level_accuracy/kind')
    """
    levels = (f"level_accuracy/{name}" for name in taxonomy.level_names)
    by_path = (f"{unit}_{score}" for unit in ("info", "depth") for score in ("recall", "precision", "f1"))
    distances = ("severity", "hd@1", "hd@5", "hd@20")
    of_node = ("correct", "under_specific", "over_specific", "specificity", "cpb", "leaf_answers")
    return ("top1", "top5", *levels, *distances, "full_path", "tice", "sibling", *by_path, *of_node)


def score_answer(
    answer: Answer, ranking: Int[Tensor, "*batch rank"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> dict[str, Float[Tensor, "*batch"]]:
    """Per-image values of every metric of a decision, NaN where an image does not count.

    Each metric is the mean over its non-NaN values. The answer determines all but ``top5``, ``hd@5`` and ``hd@20``,
    which follow from the ranking. The mean of ``hd@1`` is the mean ``severity`` times the top-1 error. With a
    :class:`LevelNodes` answer each level is judged by its own node, and the finest node is the answer elsewhere.
    ``level_accuracy`` itself has no column: it is the mean of the levels' means.

    Args:
        answer: The answers of a decision, ``Nodes`` or ``LevelNodes``.
        ranking: Nodes of each image, best first: ``decision.ranking(prediction, RANKING_LENGTH)``.
        target: Node of each label; internal nodes allowed.
        taxonomy: The label tree.

    Returns:
        A tensor ``[*batch]`` under each name of :func:`answer_columns`, in that order.

    Raises:
        InputError: The answer is a set of labels, or the shapes do not match.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> answer = Nodes(torch.tensor([2, 3]), torch.zeros(2))
        >>> columns = score_answer(answer, torch.tensor([[2, 3], [3, 4]]), torch.tensor([2, 2]), t)
        >>> columns["top1"], columns["severity"], columns["hd@5"]
        (tensor([1., 0.]), tensor([nan, 1.]), tensor([0.5000, 1.5000]))
    """
    if isinstance(answer, Nodes):
        predicted, decided, single = answer.node, at_levels(answer.node, taxonomy), answer.node
    elif isinstance(answer, LevelNodes):
        predicted, decided, single = answer.node[..., -1], answer.node, None
    else:
        raise InputError("a decision that gives nodes or one node per level", type(answer).__name__)
    if not predicted.shape == target.shape == ranking.shape[:-1]:
        shapes = f"answer {list(predicted.shape)}, target {list(target.shape)}, ranking {list(ranking.shape)}"
        raise InputError("an answer and a target [*batch] with a ranking [*batch, rank]", shapes)

    distance = hierarchical_distance(predicted, target, taxonomy)
    correct = level_correct(decided, target, taxonomy, node=single)
    information, depth = (scores(predicted, target, taxonomy) for scores in (information_scores, depth_scores))
    mean_distance = functools.partial(hd_at_k, ranking, target, taxonomy=taxonomy)
    return {
        "top1": (distance == 0).float(),
        "top5": top_k(ranking, target, 5, taxonomy),
        **{f"level_accuracy/{name}": correct[..., level] for level, name in enumerate(taxonomy.level_names)},
        "severity": mistake_severity(distance),
        "hd@1": distance,
        "hd@5": mean_distance(5),
        "hd@20": mean_distance(RANKING_LENGTH),
        "full_path": full_path(correct),
        "tice": tice(decided, taxonomy),
        "sibling": sibling(predicted, target, taxonomy),
        "info_recall": information.recall.float(),
        "info_precision": information.precision.float(),
        "info_f1": information.f1.float(),
        "depth_recall": depth.recall.float(),
        "depth_precision": depth.precision.float(),
        "depth_f1": depth.f1.float(),
        "correct": information.correct.float(),
        "under_specific": under_specific(predicted, target, taxonomy),
        "over_specific": over_specific(predicted, target, taxonomy),
        "specificity": specificity(predicted, taxonomy),
        "cpb": cpb(predicted, target, taxonomy),
        "leaf_answers": leaf_answers(predicted, taxonomy),
    }
