"""Slow, obvious twins of the losses that compare images of a batch, straight from the formulas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference.curves_twin import representative, speaks
from reference.trees import Array, path


def log_sum_exp(values: Sequence[float]) -> float:
    top = max(values)
    return top + float(np.log(np.sum(np.exp(np.array(values) - top))))


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def label(taxonomy: Taxonomy, node: int, level: int) -> int | None:
    """The node that represents another one at a level, if as a label it is that specific."""
    return representative(taxonomy, node, level) if speaks(taxonomy, node, level) else None


def of_anchors(rows: Array, labels: Sequence[int | None], temperature: float) -> list[float | None]:
    """Supervised contrast of each row; none where it has no positive."""
    z = unit(rows)
    found: list[float | None] = []
    for i, own in enumerate(labels):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if own is not None and labels[p] == own]
        if not positives:
            found.append(None)
            continue
        logits = {a: float(z[i] @ z[a]) / temperature for a in others}
        total = log_sum_exp(list(logits.values()))
        found.append(-float(np.mean([logits[p] - total for p in positives])))
    return found


def supcon(
    taxonomy: Taxonomy, rows: Array, nodes: Sequence[int], levels: Sequence[int], temperature: float, base: float
) -> list[float]:
    """Shares whose mean is the sum over the levels of the mean over the anchors."""
    total = np.zeros(len(nodes))
    for level in levels:
        each = of_anchors(rows, [label(taxonomy, v, level) for v in nodes], temperature)
        anchors = [i for i, value in enumerate(each) if value is not None]
        for i in anchors:
            value = each[i]
            assert value is not None
            total[i] += value * len(nodes) / len(anchors)
    return (temperature / base * total).tolist()


def hierarchical_contrast(
    taxonomy: Taxonomy,
    rows: Array,
    nodes: Sequence[int],
    levels: Sequence[int],
    *,
    penalty: bool,
    constraint: bool,
    temperature: float,
    views: int = 1,
) -> float:
    """From the finest level up, one image of each class going on with its views: the first by the names on its path."""

    def by_names(i: int) -> tuple[tuple[str, int], ...]:
        return tuple((str(taxonomy.names[v]), v) for v in path(taxonomy, nodes[i]))

    going: list[int] = []
    joined: set[int] = set()
    total, largest = 0.0, -np.inf
    for step, level in enumerate(sorted(levels, reverse=True), start=1):
        new = [i for i, v in enumerate(nodes) if i not in joined and label(taxonomy, v, level) is not None]
        joined |= set(new)
        going = sorted([*going, *new])
        labels = {i: label(taxonomy, nodes[i], level) for i in going}
        values = [v for v in of_anchors(rows[going], [labels[i] for i in going], temperature) if v is not None]
        value = float(np.mean(values)) if values else 0.0
        if constraint:
            value = largest = max(value, largest)
        total += (2 ** (1 / step) if penalty else 1.0) * value
        in_order = sorted(going, key=lambda i: (by_names(i), i))
        kept = [next(i for i in in_order if labels[i] == of) for of in set(labels.values())]
        going = [i + view for i in kept for view in range(views)]
    return total / (len(levels) + 1)


def himulcon_of_arrays(
    rows: Array, labels: Array, *, kind: str, temperature: float, base: float, penalty_base: float
) -> tuple[float, list[int]]:
    """The published algorithm on numbered labels, with the number of anchors at each level.

    Args:
        rows: Vectors, ``[image, view, dim]``.
        labels: Labels from the coarsest to the finest, and the number of the image as the last, ``[image, level + 1]``.
        kind: ``hmc`` weighs levels, ``hce`` bounds them below by finer ones, ``hmce`` does both.
        temperature: The temperature.
        base: What the temperature is divided by.
        penalty_base: Base of the weights of the levels.
    """
    total, bound, counts = 0.0, -np.inf, []
    columns = labels.shape[1]
    for step in range(1, columns):
        known = labels[:, : columns - step]
        views = rows.shape[1]
        anchors = unit(rows).transpose(1, 0, 2).reshape(-1, rows.shape[2])  # one view of all images, then the next
        positives = np.tile((known[:, None] == known[None]).all(-1), (views, views))
        np.fill_diagonal(positives, False)
        counts.append(len(anchors))
        scores = anchors @ anchors.T / temperature
        others = ~np.eye(len(anchors), dtype=bool)
        log_share = [
            [scores[i, j] - log_sum_exp(scores[i][others[i]].tolist()) for j in range(len(anchors))]
            for i in range(len(anchors))
        ]
        means = [np.mean(np.array(log_share[i])[positives[i]]) for i in range(len(anchors))]
        loss = -temperature / base * float(np.mean(means))
        loss = max(bound, loss) if kind in ("hce", "hmce") else loss
        bound = max(bound, loss)
        total += (penalty_base ** (1 / step) if kind in ("hmc", "hmce") else 1.0) * loss
        _, first = np.unique(known, axis=0, return_index=True)  # in the order of the labels, the first of equals
        rows, labels = rows[first], labels[first]
    return total / columns, counts


def image_text(
    taxonomy: Taxonomy, logits: Array, nodes: Sequence[int], levels: Sequence[int], *, targets: str, weight: float
) -> list[float]:
    """All pairs of images and texts of the batch, one after another."""
    total, start = np.zeros(len(nodes)), 0
    for level in levels:
        held = taxonomy.level_nodes(level).tolist()
        labels = [label(taxonomy, v, level) for v in nodes]
        batch = [i for i, own in enumerate(labels) if own is not None]
        scores = {(i, j): float(logits[i, start + held.index(labels[j])]) for i in batch for j in batch}
        for i in batch:
            equal = [j for j in batch if labels[j] == labels[i]]
            rivals = [j for j in batch if j == i or targets != "rivals" or j not in equal]
            positives = equal if targets == "multi" else [i]
            total[i] += log_sum_exp([scores[i, j] for j in rivals]) - float(np.mean([scores[i, p] for p in positives]))
            total[i] += log_sum_exp([scores[j, i] for j in rivals]) - float(np.mean([scores[p, i] for p in positives]))
        start += len(held)
    return (weight * total).tolist()
