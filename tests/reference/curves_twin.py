"""Operating points and curves, calibration and label counts again: one image at a time, from their definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cladewise.taxonomy import Taxonomy
from reference.metrics_twin import children, information, num_leaves_under, path_scores, representative

Points = list[tuple[int, float]]


def pareto(taxonomy: Taxonomy, p: Sequence[float], minimum: float | None = None) -> Points:
    """Nodes and probabilities, or their logarithms, of one image: a full sort, and a running extreme."""
    eligible = [v for v in range(taxonomy.num_nodes) if len(children(taxonomy, v)) != 1]
    eligible = [v for v in eligible if minimum is None or p[v] > minimum]
    found, fewest = Points(), taxonomy.num_nodes + 1
    for v in sorted(eligible, key=lambda v: (-p[v], num_leaves_under(taxonomy, v), v)):
        if num_leaves_under(taxonomy, v) < fewest:
            found.append((v, p[v]))
            fewest = num_leaves_under(taxonomy, v)
    return found or [(0, p[0])]


def at_threshold(points: Points, threshold: float) -> int:
    """The last of the points that is as probable as the threshold, else the first."""
    reached = [v for v, p in points if p >= threshold]
    return reached[-1] if reached else points[0][0]


def curve(
    taxonomy: Taxonomy,
    images: Sequence[Points],
    targets: Sequence[int],
    weight: Callable[[Taxonomy, int], float] = information,
) -> list[tuple[float, float, float, float]]:
    """Threshold, recall, precision and correctness: every image is decided anew at every threshold.

    What recall and precision count a node's path by is its weight.
    """
    later = {p for points in images for _, p in points[1:]}
    rows: list[tuple[float, float, float, float]] = []
    for threshold in (2.0, *sorted(later, reverse=True)):
        scores = [
            path_scores(taxonomy, weight, at_threshold(points, threshold), target)
            for points, target in zip(images, targets, strict=True)
        ]
        recall, precision, _, correct = (sum(column) / len(images) for column in zip(*scores, strict=True))
        rows.append((threshold, recall, precision, correct))
    return rows


def envelope_area(a: Sequence[float], b: Sequence[float]) -> float:
    """Area under the largest ``b`` of the points whose ``a`` is at least x."""
    area, before = 0.0, 0.0
    for x in sorted(set(a)):
        area += (x - before) * max(b_i for a_i, b_i in zip(a, b, strict=True) if a_i >= x)
        before = x
    return area


def recall_at(recall: Sequence[float], correct: Sequence[float], at_least: float) -> float:
    return max((r for r, c in zip(recall, correct, strict=True) if c >= at_least), default=0.0)


# ---------------------------------------------------------------- calibration


def calibration(confidence: Sequence[float], right: Sequence[bool], bins: int) -> tuple[float, float]:
    """Expected and maximum calibration error."""
    expected, largest = 0.0, 0.0
    for b in range(bins):
        inside = [i for i, c in enumerate(confidence) if b < c * bins <= b + 1 or (b == 0 and c == 0)]
        if inside:
            accuracy = sum(right[i] for i in inside) / len(inside)
            gap = abs(accuracy - sum(confidence[i] for i in inside) / len(inside))
            expected += gap * len(inside) / len(confidence)
            largest = max(largest, gap)
    return expected, largest


# ---------------------------------------------------------------- label sets

Labels = set[tuple[int, int]]


def speaks(taxonomy: Taxonomy, node: int, level: int) -> bool:
    return not children(taxonomy, node) or level <= taxonomy.level[node]


def levels(taxonomy: Taxonomy) -> range:
    return range(1, taxonomy.num_levels + 1)


def vocabulary(taxonomy: Taxonomy) -> list[tuple[int, int]]:
    """Every label: a level, and a node of it."""
    return [(k, int(v)) for k in levels(taxonomy) for v in taxonomy.level_nodes(k)]


def labels_of(taxonomy: Taxonomy, node: int) -> Labels:
    """The labels of a node: its representative at each level it speaks of."""
    return {(k, representative(taxonomy, node, k)) for k in levels(taxonomy) if speaks(taxonomy, node, k)}


def averages(vocabulary: Iterable[tuple[int, int]], said: Sequence[Labels], true: Sequence[Labels]) -> dict[str, float]:
    """Micro and macro precision, recall and F1 over some labels."""

    def scores(tp: int, fp: int, fn: int) -> tuple[float, float, float]:
        return (
            tp / (tp + fp) if tp + fp else 0.0,
            tp / (tp + fn) if tp + fn else 0.0,
            2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0,
        )

    counts = [
        (
            sum(label in s and label in t for s, t in zip(said, true, strict=True)),
            sum(label in s and label not in t for s, t in zip(said, true, strict=True)),
            sum(label not in s and label in t for s, t in zip(said, true, strict=True)),
        )
        for label in vocabulary
    ]
    pooled = scores(*(sum(column) for column in zip(*counts, strict=True)))
    single = [scores(*count) for count in counts]
    means = [sum(column) / len(single) for column in zip(*single, strict=True)]
    names = ("precision", "recall", "f1")
    micro = {f"micro_{name}": value for name, value in zip(names, pooled, strict=True)}
    return micro | {f"macro_{name}": value for name, value in zip(names, means, strict=True)}
