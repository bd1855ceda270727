"""The best boundaries again: every log-probability that occurs is tried, and labels are counted as sets."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from cladewise.taxonomy import Taxonomy
from reference.curves_twin import labels_of, levels, speaks, vocabulary


def f1_at(
    taxonomy: Taxonomy, log_prob: Sequence[Sequence[float]], target: Sequence[int], boundary: float, node: int | None
) -> Fraction:
    """F1 of the labels of one node, or of all labels pooled, exactly."""
    hit = said = true = 0
    for row, label in zip(log_prob, target, strict=True):
        told = {k for k in levels(taxonomy) if speaks(taxonomy, label, k)}
        asked = {(k, v) for k, v in vocabulary(taxonomy) if v and k in told and node in (None, v)}
        chosen = {(k, v) for k, v in asked if row[v] >= boundary}
        wanted = labels_of(taxonomy, label) & asked
        hit, said, true = hit + len(chosen & wanted), said + len(chosen), true + len(wanted)
    return Fraction(2 * hit, said + true) if said + true else Fraction(0)


def best_boundary(
    taxonomy: Taxonomy, log_prob: Sequence[Sequence[float]], target: Sequence[int], node: int | None = None
) -> float | None:
    """The lowest log-probability of a label that an image has at which F1 is as good as anywhere; none without such."""
    true = [(i, v) for i, label in enumerate(target) for _, v in labels_of(taxonomy, label) if v and node in (None, v)]
    if not true:
        return None
    most = max(f1_at(taxonomy, log_prob, target, x, node) for x in {x for row in log_prob for x in row})
    best = [x for x in (log_prob[i][v] for i, v in true) if f1_at(taxonomy, log_prob, target, x, node) == most]
    return min(best)
