"""All metrics of some images in one call: means over the images, as an evaluation reports them."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise import decisions
from cladewise.catalogue import from_spec
from cladewise.decisions import Answer, Decision, LabelSets, LevelNodes, Nodes, climbing_sequence, pareto_sequence
from cladewise.errors import InputError
from cladewise.metrics.answer_scores import RANKING_LENGTH, score_answer
from cladewise.metrics.hits import hit_at_k
from cladewise.metrics.label_counts import AVERAGES, label_scores
from cladewise.metrics.level_accuracy import weighted_level_accuracy
from cladewise.metrics.operating import operating_curve
from cladewise.metrics.ordered_preference import hops
from cladewise.metrics.prediction_scores import score_prediction
from cladewise.metrics.reliability import reliability_curves
from cladewise.metrics.set_scores import score_set
from cladewise.metrics.set_sizes import label_set_sizes
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

NEED_RANKING = ("top5", "hd@5", "hd@20")
"""Metrics that need a ranking of nodes, not only the answered one."""


def measure(
    given: Prediction | Answer | Int[Tensor, "*batch"] | Any,
    target: Int[Tensor, "*batch"] | Any,
    taxonomy: Taxonomy | None = None,
    *,
    decision: Decision | str = "leaf",
) -> dict[str, float]:
    """Every metric that applies, under its name in the documentation: means over the images.

    A prediction is decided first, and gets the metrics of its decision and those of the prediction itself (``ap``,
    ``r@95``, ``ece/<level>``, ``hit@5``, …). Nodes and answers get the metrics of a decision, except those that need a
    ranking. A :class:`~cladewise.decisions.LabelSets` answer gets the metrics of labels and of sets.

    Args:
        given: A prediction, the answer of a decision, or one node index per image.
        target: Node index of each image's label, a tensor or anything that becomes one; internal nodes allowed.
        taxonomy: The label tree; needed unless a prediction is given.
        decision: The rule that decides a prediction, or a text that names it: ``"majority"``,
            ``"threshold:threshold=0.8"``. A rule that learns must be fitted.

    Returns:
        A number under each name; NaN where no image counts.

    Raises:
        InputError: The shapes do not match, or nodes were given without a taxonomy, or it is a single root.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> values = measure([2, 3, 4], target=[2, 2, 4], taxonomy=t)
        >>> round(values["top1"], 3), values["level_accuracy/genus"], values["severity"]
        (0.667, 1.0, 1.0)
        >>> p = LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.1], [0.4, 0.5, 0.1], [0.2, 0.2, 0.6]]).log())
        >>> values = measure(p, target=[2, 2, 4], decision="majority")
        >>> round(values["top1"], 3), round(values["correct"], 3), round(values["ap"], 3)
        (0.667, 1.0, 0.79)
    """
    labels = torch.as_tensor(target)
    if isinstance(given, Prediction):
        rule = from_spec(decisions.available(), "decision", decision) if isinstance(decision, str) else decision
        labels, answer = labels.to(given.device), rule(given)
        ranking = None if isinstance(answer, LabelSets) else rule.ranking(given, RANKING_LENGTH, answer)
        return _of_answer(answer, labels, given.taxonomy, ranking) | _of_prediction(given, labels)
    if taxonomy is None:
        raise InputError("a taxonomy with nodes or answers", "none", advice="Pass taxonomy=.")
    if isinstance(given, Nodes | LevelNodes | LabelSets):
        return _of_answer(given, labels, taxonomy, None)
    nodes = torch.as_tensor(given)
    return _of_answer(Nodes(nodes, torch.zeros(nodes.shape)), labels, taxonomy, None)


def _of_answer(answer: Answer, target: Tensor, taxonomy: Taxonomy, ranking: Tensor | None) -> dict[str, float]:
    values: dict[str, float] = {}
    if isinstance(answer, LabelSets):
        values |= label_set_sizes(answer)
        values |= {name: x.double().nanmean().item() for name, x in score_set(answer, target, taxonomy).items()}
    else:
        node = answer.node if isinstance(answer, Nodes) else answer.node[..., -1]
        columns = score_answer(answer, node[..., None] if ranking is None else ranking, target, taxonomy)
        left_out = () if ranking is not None else NEED_RANKING
        values |= {name: column.double().nanmean().item() for name, column in columns.items() if name not in left_out}
        levels = torch.tensor([values[f"level_accuracy/{name}"] for name in taxonomy.level_names], dtype=torch.float64)
        values["level_accuracy"] = levels.nanmean().item()
        values["weighted_level_accuracy"] = weighted_level_accuracy(levels, taxonomy).item()
    by_label = label_scores(answer, target, taxonomy)
    return values | {name: by_label[name] for name in AVERAGES}


def _of_prediction(prediction: Prediction, target: Tensor) -> dict[str, float]:
    prediction, target, taxonomy = prediction.flat(), target.reshape(-1), prediction.taxonomy
    columns = {**score_prediction(prediction, target), **hops(prediction, target)}
    values = {name: x.double().nanmean().item() for name, x in columns.items()}
    sequence = pareto_sequence(prediction)
    curve = operating_curve(sequence, target, taxonomy)
    by_depth = operating_curve(sequence, target, taxonomy, measure="depth")
    values |= {"ap": curve.average_precision, "ac": curve.average_correct}
    values |= {"r@90": curve.recall_at(0.9), "r@95": curve.recall_at(0.95)}
    values |= {"depth_ap": by_depth.average_precision, "depth_ac": by_depth.average_correct}
    for name, answers in (("haurc", climbing_sequence(prediction)), ("haurc_threshold", sequence)):
        values[name] = operating_curve(answers, target, taxonomy, measure="specificity").risk_area
    for name, level in reliability_curves(prediction, target).items():
        values |= {f"ece/{name}": level.ece, f"mce/{name}": level.mce}
    hits = hit_at_k(prediction, target, ks=(1, 3, 5))
    return values | {name: value for name, value in hits.items() if "/" not in name}
