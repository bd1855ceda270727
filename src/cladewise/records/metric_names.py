"""Titles, directions and descriptions of the metrics, as printed in tables and reports. No torch."""

from __future__ import annotations

import dataclasses
import re

from cladewise.errors import InputError

LEVEL_PREFIX = "level_accuracy/"

COUNT_PREFIXES = ("micro_", "macro_", "hit@", "many_recall", "medium_recall", "few_recall")
"""Prefixes of metrics that are computed from counts, overall and per level."""

SET_COVERAGE = "set_coverage"
"""Metric of sets of labels, overall and per level: ``set_coverage/<level>``."""


@dataclasses.dataclass(frozen=True)
class MetricText:
    """How a metric is presented: its title, direction and description, and whether it is a share of the images.

    ``higher_is_better`` is ``None`` for a metric that is only descriptive.
    """

    title: str
    higher_is_better: bool | None
    description: str
    is_share: bool = True


def _recall_at(percent: str) -> MetricText:
    return MetricText(f"R@{percent}", True, f"Highest information recall with at least {percent}% correct answers.")


def _hit_at(k: str) -> MetricText:
    best = "the most probable node" if k == "1" else f"among the {k} most probable nodes"
    return MetricText(f"Hit@{k}", True, f"Share of the labels at all levels that are {best} of their level.")


def _hops_at(k: str) -> MetricText:
    title = f"HOPS@{k}" if k else "HOPS"
    ranked = f"of the {k} most probable leaves" if k else "of all leaves"
    return MetricText(
        title, True, f"Agreement of the order {ranked} with the tree's order of them for the label.", False
    )


def _labels(short: str, what: str) -> MetricText:
    return MetricText(f"Labels, {short}", None, f"{what} number of predicted labels per image.", False)


CALIBRATION_TEXTS: dict[str, MetricText] = {
    "ece": MetricText(
        "ECE", False, "Expected gap between confidence and accuracy at all levels, over bins of confidence."
    ),
    "mce": MetricText(
        "MCE", False, "Largest gap between confidence and accuracy at all levels, over bins of confidence."
    ),
}
"""Metrics that exist only per level: ``ece/<level>``."""

RECONSTRUCTION_TEXTS: dict[str, MetricText] = {
    "reconstruction_tpr": MetricText("TPR", True, "Share of the tree's edges between labels that energies recover."),
    "reconstruction_tnr": MetricText("TNR", True, "Share of the other pairs of labels that energies reject."),
    "reconstruction_f1": MetricText("Full F1", True, "Best F1 of the tree's edges among all ordered pairs of labels."),
    "direct_tpr": MetricText("TPR, direct edges", True, "TPR if only the edges to parents count as edges."),
    "direct_tnr": MetricText("TNR, direct edges", True, "TNR if only the edges to parents count as edges."),
    "direct_f1": MetricText("Full F1, direct edges", True, "Full F1 if only the edges to parents count as edges."),
}
"""Metrics of label vectors, by the reconstruction of the tree from their energies; see
:func:`cladewise.embeddings.reconstruction`."""

METRIC_TEXTS: dict[str, MetricText] = {
    "top1": MetricText("Top-1", True, "The predicted node is the label, or below an internal label."),
    "top5": MetricText("Top-5", True, "The label is the predicted node or among the four next best."),
    "level_accuracy": MetricText("Level accuracy", True, "Mean accuracy over the levels, all weighted equally."),
    "severity": MetricText(
        "Severity", False, "Height of the lowest common ancestor with the label, over mistakes only.", is_share=False
    ),
    "hd@1": MetricText(
        "HD@1", False, "Height of the predicted node's lowest common ancestor with the label; 0 if right.", False
    ),
    "hd@5": MetricText(
        "HD@5",
        False,
        "Mean hierarchical distance of the top five of the ranking.",
        is_share=False,
    ),
    "hd@20": MetricText(
        "HD@20",
        False,
        "Mean hierarchical distance of the top twenty of the ranking.",
        is_share=False,
    ),
    "full_path": MetricText("Full path", True, "The prediction is right at every level that the label determines."),
    "tice": MetricText("TICE", False, "The nodes predicted at the levels are not on one path."),
    "sibling": MetricText("Sibling", True, "The predicted node is the label or has the same parent."),
    "weighted_level_accuracy": MetricText(
        "Weighted level accuracy", True, "Mean accuracy over the levels, weighted by their numbers of nodes."
    ),
    "info_recall": MetricText("Info recall", True, "Share of the label's information that the predicted node gives."),
    "info_precision": MetricText("Info precision", True, "Share of the predicted node's information that is true."),
    "info_f1": MetricText("Info F1", True, "Harmonic mean of information recall and precision, per image."),
    "depth_recall": MetricText(
        "Depth recall", True, "Share of the label's path that the predicted node is right about."
    ),
    "depth_precision": MetricText("Depth precision", True, "Share of the predicted node's path that is right."),
    "depth_f1": MetricText("Depth F1", True, "Harmonic mean of depth recall and precision, per image."),
    "correct": MetricText("Correct", True, "The predicted node is the label or above it, or below an internal label."),
    "under_specific": MetricText("Too coarse", None, "The predicted node is right, but above the label."),
    "over_specific": MetricText(
        "Too fine", False, "The predicted node is wrong, but an ancestor of it that says something is right."
    ),
    "specificity": MetricText(
        "Specificity", True, "Information of the answer, right or not: 0 for the root, 1 for a leaf."
    ),
    "cpb": MetricText(
        "CPB", True, "Correctly predicted bits: 1 minus the share of leaves under the node, if it is right."
    ),
    "leaf_answers": MetricText("Leaf answers", None, "The predicted node is a leaf, right or wrong."),
    "ap": MetricText("AP", True, "Area under information precision against information recall over all thresholds."),
    "ac": MetricText("AC", True, "Area under correctness against information recall over all thresholds."),
    "depth_ap": MetricText("Depth AP", True, "AP with depth in edges instead of information."),
    "depth_ac": MetricText("Depth AC", True, "AC with depth in edges instead of information."),
    "haurc": MetricText(
        "hAURC", False, "Area under the share of wrong answers by specificity, climbing from the most probable leaf."
    ),
    "haurc_threshold": MetricText(
        "hAURC, threshold", False, "hAURC of the most informative node above a threshold instead of climbing."
    ),
    "r@90": _recall_at("90"),
    "r@95": _recall_at("95"),
    "majority_f1": MetricText("M-F1", True, "Information F1 of the most informative node above a probability of 0.5."),
    "majority_depth_f1": MetricText("M-F1, depth", True, "M-F1 with depth in edges instead of information."),
    "leaf_depth_f1": MetricText("L-F1, depth", True, "L-F1 with depth in edges instead of information."),
    "leaf_f1": MetricText("L-F1", True, "Information F1 of the most probable leaf."),
    "leaf_top1": MetricText("L-Top1", True, "The most probable leaf is the label, or below an internal label."),
    "micro_precision": MetricText("m-P", True, "Share of the predicted labels at all levels that are true."),
    "micro_recall": MetricText("m-R", True, "Share of the true labels at all levels that are predicted."),
    "micro_f1": MetricText("m-F1", True, "Harmonic mean of precision and recall of the labels at all levels, pooled."),
    "macro_precision": MetricText("Ma-P", True, "Mean over the labels at all levels of each label's precision."),
    "macro_recall": MetricText("Ma-R", True, "Mean over the labels at all levels of each label's recall."),
    "macro_f1": MetricText("Ma-F1", True, "Mean over the labels at all levels of each label's F1."),
    "many_recall": MetricText(
        "Many", True, "Mean recall of the labels at all levels that have many training images, over 100 by default."
    ),
    "medium_recall": MetricText(
        "Medium", True, "Mean recall of the labels at all levels that have a medium number of training images."
    ),
    "few_recall": MetricText(
        "Few", True, "Mean recall of the labels at all levels that have few training images, below 20 by default."
    ),
    "set_coverage": MetricText("Coverage", True, "The label is at or under a node of the predicted set."),
    "set_nodes": MetricText(
        "Nodes in the set",
        None,
        "Number of nodes of the predicted set, not counting their ancestors.",
        False,
    ),
    "set_leaves": MetricText(
        "Leaves in the set", False, "Number of leaves under the nodes of the predicted set.", False
    ),
    "labels_min": _labels("min", "Smallest"),
    "labels_max": _labels("max", "Largest"),
    "labels_mean": _labels("mean", "Mean"),
    "labels_sd": _labels("sd", "Standard deviation of the"),
    "hops": _hops_at(""),
    "hops@5": _hops_at("5"),
    "hops@20": _hops_at("20"),
    "hit@1": _hit_at("1"),
    "hit@3": _hit_at("3"),
    "hit@5": _hit_at("5"),
}
"""Metrics in table order; :func:`metric_text` also covers metrics of single levels, any R@X, hit@k and hops@k."""


def metric_text(name: str) -> MetricText:
    """Title, direction and description of a metric, including metrics of single levels, any R@X, hit@k and hops@k.

    Raises:
        InputError: There is no such metric; the message lists all metrics.

    Example:
        >>> metric_text("level_accuracy/genus").title, metric_text("ece/genus").title, metric_text("r@99.5").title
        ('Accuracy at genus', 'ECE at genus', 'R@99.5')
        >>> metric_text("severity").higher_is_better
        False
    """
    whole, slash, level = name.partition("/")
    if slash and level:
        if whole == "level_accuracy":
            return MetricText(f"Accuracy at {level}", True, f"The representatives at the level {level} are the same.")
        if whole == SET_COVERAGE:
            return MetricText(f"Coverage at {level}", True, f"The predicted set covers the label's node at {level}.")
        if whole in CALIBRATION_TEXTS or whole.startswith(COUNT_PREFIXES):
            text = CALIBRATION_TEXTS.get(whole) or metric_text(whole)
            description = text.description.replace("all levels", f"the level {level}")
            return dataclasses.replace(text, title=f"{text.title} at {level}", description=description)
    elif found := re.fullmatch(r"(r|hit)@(\d+(?:\.\d+)?)", name):
        return _recall_at(found[2]) if found[1] == "r" else _hit_at(found[2])
    elif found := re.fullmatch(r"hops@([1-9]\d*)", name):
        return _hops_at(found[1])
    elif name in RECONSTRUCTION_TEXTS:
        return RECONSTRUCTION_TEXTS[name]
    if slash or name not in METRIC_TEXTS:
        by_level = ", ".join(f"{prefix}/<level>" for prefix in ("level_accuracy", SET_COVERAGE, *CALIBRATION_TEXTS))
        names = ", ".join((*METRIC_TEXTS, *RECONSTRUCTION_TEXTS))
        raise InputError(f"a metric: {names}, {by_level}, r@<percent>, hops@<k>, hit@<k>", repr(name))
    return METRIC_TEXTS[name]
