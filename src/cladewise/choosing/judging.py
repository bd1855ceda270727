"""Answers of many rules in one pass over the images, and the figures of each."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise.decisions import Decision, LevelNodes, Nodes
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.fitted_rules import Ready
from cladewise.engine.answering.scored_images import Scored
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.metrics import hierarchical_distance, truncate
from cladewise.ops import covers, is_ancestor
from cladewise.predictions import Prediction
from cladewise.records.rule_choice import CONFIDENCE, JudgedRule
from cladewise.statistics import clopper_pearson_interval, clopper_pearson_lower
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """The node that each rule answers for each image.

    Args:
        rules: The rules that apply.
        nodes: Their answers ``[rule, image]``, in 32 bits.
        target: Label of each image in the tree of the answers.
        left_out: Texts of the rules that do not apply, with the reason.
    """

    rules: tuple[Ready[Decision], ...]
    nodes: NDArray[np.int32]
    target: IntArray
    left_out: dict[str, InputError]

    def distinct(self) -> tuple[list[int], list[list[int]]]:
        """The first of the rules that promise the same and answer the same for every image, and the others of each."""
        same: dict[tuple[float | None, bytes], list[int]] = {}
        for place, (rule, row) in enumerate(zip(self.rules, self.nodes, strict=True)):
            same.setdefault((_promise(rule), row.tobytes()), []).append(place)
        return [places[0] for places in same.values()], [places[1:] for places in same.values()]


def answers_of(
    rules: Sequence[Ready[Decision]], seen: Scored, tree: AnswerTree, before: Inference | None = None
) -> Answers:
    """Apply all rules in one pass over the images. An answer per level counts by its finest node.

    Args:
        rules: The rules, fitted.
        seen: Scores and labels.
        tree: The tree to answer in.
        before: Inference before all of them, fitted.

    Raises:
        InputError: No rule applies.
    """
    possible = dict(enumerate(rules))
    left_out: dict[str, InputError] = {}
    parts: dict[int, list[NDArray[np.int32]]] = {place: [] for place in possible}
    targets: list[IntArray] = []
    for rows, prediction, target in _inferred(seen, tree, before):
        targets.append(target.cpu().numpy())
        for place, rule in list(possible.items()):
            try:
                parts[place].append(_nodes(seen.bound(rule.rule, rows), prediction))
            except InputError as error:
                left_out[rule.spec] = error
                del possible[place]
    if not possible:
        advice = "; ".join(f"{text}: {error}" for text, error in list(left_out.items())[:1])
        raise InputError("a rule that applies to these scores", "none", advice=advice)
    nodes = np.stack([np.concatenate(parts[place]) for place in possible])
    return Answers(tuple(possible.values()), nodes, np.concatenate(targets), left_out)


def _inferred(seen: Scored, tree: AnswerTree, before: Inference | None) -> Iterator[tuple[slice, Prediction, Tensor]]:
    """Rows of images, their predictions in the tree of the answers, and their labels, one part after another."""
    start = 0
    for part, true in seen.parts():
        rows = slice(start, start + len(true))
        start = rows.stop
        bound: Inference | None = seen.bound(before, rows)
        target = true if tree.carried is not None else tree.nodes(true)  # scores of a migrated run have them
        yield rows, tree.prediction(part if bound is None else bound(part)), target


def _nodes(rule: Decision, prediction: Prediction) -> NDArray[np.int32]:
    """The answered nodes.

    Raises:
        InputError: The rule does not apply to this prediction, or answers with sets.
    """
    answer = rule(prediction)
    if isinstance(answer, Nodes):
        return answer.node.int().cpu().numpy()
    if isinstance(answer, LevelNodes):
        return answer.node[..., -1].int().cpu().numpy()
    raise InputError("a rule that answers with one node", "one that answers with a set of labels")


def judged(
    rule: Ready[Decision],
    nodes: NDArray[np.int32],
    target: IntArray,
    taxonomy: Taxonomy,
    *,
    num_rules: int = 1,
) -> JudgedRule:
    """The figures of a rule on labelled images.

    Args:
        rule: The rule.
        nodes: Its answer for each image.
        target: Label of each image, at any node.
        taxonomy: The tree.
        num_rules: Number of rules among which one is chosen, for which :attr:`JudgedRule.assured` allows.
    """
    answered, label = torch.from_numpy(nodes.astype(np.int64)), torch.from_numpy(target)
    right = is_right(nodes, target, taxonomy)
    distance = hierarchical_distance(answered, label, taxonomy).double().numpy()
    level, num_levels, count = taxonomy.level[nodes], taxonomy.num_levels + 1, len(nodes)
    num_right = int(right.sum())
    low, high = clopper_pearson_interval(num_right, count, confidence=CONFIDENCE)
    return JudgedRule(
        rule=rule.spec,
        name=rule.rule.name,
        about=first_sentence(rule.rule.final),
        right=num_right,
        low=low,
        high=high,
        assured=clopper_pearson_lower(num_right, count, confidence=1 - (1 - CONFIDENCE) / num_rules),
        information=float(_information(taxonomy)[nodes].mean()),
        depth=float(taxonomy.depth[nodes].mean()),
        leaves=float(taxonomy.is_leaf[nodes].mean()),
        answers=tuple(np.bincount(level, minlength=num_levels).tolist()),
        wrong=tuple(np.bincount(level[~right], minlength=num_levels).tolist()),
        severity=float(distance[~right].mean()) if num_right < count else math.nan,
        distance=float(distance.mean()),
        promise=_promise(rule),
        confidence=None if _promise(rule) is None else getattr(rule.rule.final, "confidence", None),
        kept=None if _promise(rule) is None else int(is_ancestor(answered, label, taxonomy).sum()),
        fitted_on=rule.split,
        warnings=rule.warnings,
    )


def is_right(nodes: NDArray[Any], target: IntArray, taxonomy: Taxonomy) -> NDArray[np.bool_]:
    """Whether each label is at or under the answer, or at an internal node above it.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> is_right(np.array([1, 2, 3, 2]), np.array([2, 2, 2, 1]), t).tolist()
        [True, True, False, True]
    """
    answered, label = torch.from_numpy(nodes.astype(np.int64)), torch.from_numpy(target)
    return covers(truncate(answered, label, taxonomy), label, taxonomy).numpy()


def _information(taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Information of every node in bits, through any parents."""
    return np.log2(taxonomy.num_leaves / taxonomy.num_leaves_covered)


def _promise(rule: Ready[Decision]) -> float | None:
    """The promised share of right answers; a rule with given parameters promises nothing."""
    return rule.rule.promise if rule.split else None


def first_sentence(rule: Any) -> str:
    """The first line of the rule's documentation as plain text.

    Example:
        >>> from cladewise.decisions import Majority
        >>> first_sentence(Majority())
        'The most informative node that is more probable than not.'
    """
    text = " ".join((inspect.getdoc(type(rule)) or "").split("\n\n")[0].split())
    return _ROLE.sub(lambda found: found[1].rpartition(".")[2], text).replace("``", "")


_ROLE = re.compile(r":\w+:`~?([^`]+)`")
"""A reference to another part of the documentation."""


def with_beaten(rules: Sequence[JudgedRule]) -> list[JudgedRule]:
    """The rules, the most specific first, each with one that beats it in both correctness and specificity, if any does.

    A rule beats another if it is at least as good in both and better in one. The one named is the most often right of
    those that no other beats. Rules fitted on the images that they are judged on beat none.
    """
    best: JudgedRule | None = None
    found: list[JudgedRule] = []
    for rule in sorted(rules, key=lambda rule: (-rule.information, -rule.right)):
        is_beaten = best is not None and _beats(best, rule)
        found.append(dataclasses.replace(rule, beaten_by=best.rule if best is not None and is_beaten else ""))
        if not (is_beaten or rule.is_seen):
            best = rule
    return found


def _beats(one: JudgedRule, other: JudgedRule) -> bool:
    mine, theirs = (one.right, one.information), (other.right, other.information)
    return all(a >= b for a, b in zip(mine, theirs, strict=True)) and mine != theirs
