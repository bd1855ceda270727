"""The metrics again, one image at a time, on sets and lists; slow, obvious, and without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cladewise.taxonomy import Taxonomy

NAN = math.nan


def ancestors(taxonomy: Taxonomy, node: int) -> list[int]:
    """From the node up to the root, both included."""
    chain = [node]
    while chain[-1] != 0:
        chain.append(int(taxonomy.parents[chain[-1]]))
    return chain


def children(taxonomy: Taxonomy, node: int) -> list[int]:
    return [v for v in range(1, taxonomy.num_nodes) if taxonomy.parents[v] == node]


def height(taxonomy: Taxonomy, node: int) -> int:
    return max((1 + height(taxonomy, c) for c in children(taxonomy, node)), default=0)


def num_leaves_under(taxonomy: Taxonomy, node: int) -> int:
    below = children(taxonomy, node)
    return sum(num_leaves_under(taxonomy, c) for c in below) if below else 1


def is_right(taxonomy: Taxonomy, predicted: int, target: int) -> bool:
    return target in ancestors(taxonomy, predicted)


def distance(taxonomy: Taxonomy, predicted: int, target: int) -> float:
    if is_right(taxonomy, predicted, target):
        return 0.0
    above = set(ancestors(taxonomy, predicted))
    return float(height(taxonomy, next(v for v in ancestors(taxonomy, target) if v in above)))


def information(taxonomy: Taxonomy, node: int) -> float:
    return math.log2(num_leaves_under(taxonomy, 0) / num_leaves_under(taxonomy, node))


def depth(taxonomy: Taxonomy, node: int) -> float:
    return len(ancestors(taxonomy, node)) - 1.0


def path_scores(
    taxonomy: Taxonomy, weight: Callable[[Taxonomy, int], float], predicted: int, target: int
) -> tuple[float, float, float, float]:
    """Recall, precision, F1 and correctness, with information or depth as the weight."""
    if is_right(taxonomy, predicted, target):
        predicted = target
    meeting = next(v for v in ancestors(taxonomy, target) if v in ancestors(taxonomy, predicted))
    shared, wanted, said = (weight(taxonomy, v) for v in (meeting, target, predicted))
    recall = shared / wanted if wanted else 1.0
    precision = shared / said if said else 1.0
    f1 = 2 / (1 / recall + 1 / precision) if recall and precision else 0.0
    return recall, precision, f1, float(meeting in (target, predicted))


def cpb(taxonomy: Taxonomy, predicted: int, target: int) -> float:
    if is_right(taxonomy, predicted, target):
        predicted = target
    if predicted not in ancestors(taxonomy, target):
        return 0.0
    under, total = num_leaves_under(taxonomy, predicted), num_leaves_under(taxonomy, 0)
    return 1.0 if under == 1 else (total - under) / total


def representative(taxonomy: Taxonomy, node: int, level: int) -> int:
    return next(v for v in ancestors(taxonomy, node) if taxonomy.level[v] <= level)


def evaluate(taxonomy: Taxonomy, decided: int | Sequence[int], ranking: Sequence[int], target: int) -> dict[str, float]:
    """The metrics of one image, under their names. ``decided`` is a node, or a node for each level."""
    levels = range(1, taxonomy.num_levels + 1)
    if isinstance(decided, int):
        node, at_level = decided, [representative(taxonomy, decided, k) for k in levels]
    else:
        node, at_level = decided[-1], list(decided)
    far = distance(taxonomy, node, target)
    values = {
        "top1": float(is_right(taxonomy, node, target)),
        "top5": float(any(is_right(taxonomy, v, target) for v in ranking[:5])),
    }
    speaks = [k for k in levels if k <= taxonomy.level[target] or not children(taxonomy, target)]
    for k in levels:
        right = float(at_level[k - 1] == representative(taxonomy, target, k))
        values[f"level_accuracy/{taxonomy.level_names[k - 1]}"] = right if k in speaks else NAN
    values["severity"] = far if far else NAN
    values["hd@1"] = far
    for k in (5, 20):
        distances = [distance(taxonomy, v, target) for v in ranking[:k]]
        values[f"hd@{k}"] = sum(distances) / len(distances)
    right_levels = [at_level[k - 1] == representative(taxonomy, target, k) for k in speaks]
    values["full_path"] = float(all(right_levels)) if speaks else NAN
    values["tice"] = float(at_level != [representative(taxonomy, at_level[-1], k) for k in levels])
    together = node != 0 and target != 0 and taxonomy.parents[node] == taxonomy.parents[target]
    values["sibling"] = float(is_right(taxonomy, node, target) or bool(together))
    for unit, weight in (("info", information), ("depth", depth)):
        recall, precision, f1, correct = path_scores(taxonomy, weight, node, target)
        values |= {f"{unit}_recall": recall, f"{unit}_precision": precision, f"{unit}_f1": f1, "correct": correct}
    leaves = num_leaves_under(taxonomy, 0)
    on_path = not values["top1"] and node in ancestors(taxonomy, target)
    shared = next(v for v in ancestors(taxonomy, node) if v in ancestors(taxonomy, target))
    values["under_specific"] = float(on_path)
    values["over_specific"] = float(not values["correct"] and num_leaves_under(taxonomy, shared) < leaves)
    values["specificity"] = 1 - math.log(num_leaves_under(taxonomy, node)) / math.log(leaves) if leaves > 1 else 1.0
    values["cpb"] = cpb(taxonomy, node, target)
    values["leaf_answers"] = float(not children(taxonomy, node))
    return values
