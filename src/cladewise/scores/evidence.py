"""Recognition of what numbers mean, from the first rows: their scale, and what competes with what."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cladewise import ops
from cladewise.errors import InputError
from cladewise.scores.classes import ELSEWHERE
from cladewise.scores.options import Missing, Over, ScoreOptions, Values
from cladewise.taxonomy import Taxonomy

FloatArray = NDArray[Any]
IntArray = NDArray[np.int64]
SLACK = 5e-3
"""Error of a sum of probabilities in half precision, with a margin."""
MOST_SLACK = 0.5
EXACT = 1e-4
"""Difference of an unrounded total from the sum of its parts that is an error, and no mass of the node itself."""
LEFT_OVER = (
    'Pass missing="impossible" to scale them to 1, missing="elsewhere" to leave the rest at the root, '
    'or over="independent".'
)


@dataclasses.dataclass(frozen=True)
class Reading:
    """The meaning of the numbers.

    Attributes:
        values: Their scale.
        over: What competes.
        missing: What a row's probabilities lack to 1; None if they lack nothing.
        slack: Largest difference of a sum of probabilities from 1 by rounding.
        exact: Whether totals of parents are the sums of their children's.
        notes: What was recognised and why, as sentences.
    """

    values: Values
    over: Over
    missing: Missing | None = None
    slack: float = SLACK
    exact: bool = False
    notes: tuple[str, ...] = ()


def recognise(sample: FloatArray, nodes: IntArray, taxonomy: Taxonomy, options: ScoreOptions, *, at: str) -> Reading:
    """The meaning of scores by their first rows, as far as the options do not state it.

    Args:
        sample: The first rows ``[row, class]``.
        nodes: Node of each class.
        taxonomy: The label tree.
        options: What is stated.
        at: The file, for messages.

    Raises:
        InputError: The scores could be several things, with what they look like and how to state what they are.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> sample = np.array([[0.5, 0.25, 0.25]])
        >>> recognise(sample, np.array([2, 3, 4]), t, ScoreOptions(), at="").over
        'leaves'
    """
    kept = _without_gaps(sample, options.values)
    if not np.isfinite(kept).any():
        raise InputError("scores in the first rows", "none without gaps", at=at)
    values = options.values or _scale(kept, nodes, taxonomy, at)
    told = () if options.values else (f"Scores from {kept.min():.4g} to {kept.max():.4g} are read as {values}.",)
    if values == "logits":
        return _of_logits(nodes, taxonomy, options, told, at)
    return _of_probabilities(in_probabilities(kept, values), values, nodes, taxonomy, options, told, at)


def in_probabilities(scores: FloatArray, values: Values) -> NDArray[np.float64]:
    """Scores that are not logits as probabilities."""
    plain = scores.astype(np.float64)
    return np.exp(plain) if values == "log-probabilities" else plain / 100 if values == "percentages" else plain


def _without_gaps(sample: FloatArray, values: Values | None) -> FloatArray:
    """The rows with a score for every class; as a logit or log-probability, -inf is an impossible class."""
    there = np.isfinite(sample)
    if values in (None, "logits", "log-probabilities"):
        there |= np.isneginf(sample)
    return sample[there.all(1)]


def _scale(sample: FloatArray, nodes: IntArray, taxonomy: Taxonomy, at: str) -> Values:
    low, high = float(sample.min()), float(sample.max())
    saw = f"scores from {low:.4g} to {high:.4g}"
    if low >= 0 and high <= 1 + SLACK:
        return "probabilities"
    if low >= 0 and high <= 100 * (1 + SLACK) and _is_whole(sample.astype(np.float64) / 100, nodes, taxonomy):
        return "percentages"
    if low >= 0:
        raise _unclear(f"{saw}, which could be logits or percentages", at)
    if high <= SLACK:
        if _is_whole(np.exp(sample.astype(np.float64)), nodes, taxonomy):
            return "log-probabilities"
        raise _unclear(f"{saw}, which could be logits or logs of independent probabilities", at)
    if max(-low, high) <= 1:
        raise _unclear(f"{saw}, which could be logits, or similarities that lack their scale", at)
    return "logits"


def _unclear(saw: str, at: str) -> InputError:
    advice = 'State what they are: values="logits", "probabilities", "log-probabilities" or "percentages".'
    return InputError("scores whose scale is clear", saw, at=at, advice=advice)


def _is_whole(p: NDArray[np.float64], nodes: IntArray, taxonomy: Taxonomy) -> bool:
    """Whether probabilities add up in one of the known ways."""
    slack, _ = _rounding(p)
    if bool((np.abs(p.sum(1) - 1) <= slack).all()):
        return True
    sums = _Sums(p, nodes, taxonomy, slack)
    return sums.are_totals or bool(sums.levels)


def _of_logits(nodes: IntArray, taxonomy: Taxonomy, options: ScoreOptions, told: tuple[str, ...], at: str) -> Reading:
    if options.over:
        return Reading("logits", options.over, notes=told)
    if not all_leaves(nodes, taxonomy):
        raise InputError(
            "over to say which classes compete",
            "logits of leaves and of inner nodes",
            at=at,
            advice='Pass over="nodes" for one softmax over all, over="levels" for one per level, '
            'over="independent" for sigmoids.',
        )
    note = 'The logits compete in one softmax (over="independent" for sigmoids).'
    return Reading("logits", "leaves", notes=(*told, note))


def all_leaves(nodes: IntArray, taxonomy: Taxonomy) -> bool:
    """Whether all classes in the tree are leaves."""
    return bool(taxonomy.is_leaf[nodes[nodes != ELSEWHERE]].all())


def _of_probabilities(
    p: NDArray[np.float64],
    values: Values,
    nodes: IntArray,
    taxonomy: Taxonomy,
    options: ScoreOptions,
    told: tuple[str, ...],
    at: str,
) -> Reading:
    slack, decimals = _rounding(p)
    sums = p.sum(1)
    low, high = float(sums.min()), float(sums.max())
    said = f"rows that sum to {_range(low, high)}"
    exclusive: Over = "leaves" if all_leaves(nodes, taxonomy) else "nodes"
    if options.over in ("leaves", "nodes") or (options.over is None and max(1 - low, high - 1) <= slack):
        over = options.over or exclusive
        off = decimals and max(1 - low, high - 1) > 1e-4
        notes = (f"Probabilities rounded to {decimals} decimals ({said}) are scaled to 1.",) if off else ()
        lacks = low < 1 - slack
        if lacks and options.missing is None:
            raise InputError("probabilities that sum to 1", said, at=at, advice=LEFT_OVER)
        if lacks:
            notes = (*notes, _left_over(options.missing, said))
        return Reading(
            values, over, options.missing if lacks or options.missing else None, slack, notes=(*told, *notes)
        )
    if options.over == "independent":
        return Reading(values, "independent", slack=slack, notes=told)
    found = _Sums(p, nodes, taxonomy, slack)
    if options.over == "totals" or (options.over is None and found.are_totals):
        exact = found.are_exact
        note = (
            "Scores at all nodes, each parent's " + ("the sum" if exact else "at least the sum") + " of its children's."
        )
        return Reading(values, "totals", slack=slack, exact=exact, notes=(*told, note))
    if options.over == "levels" or (options.over is None and found.levels):
        note = f"The scores of each level sum to 1: levels {', '.join(map(str, found.levels))}."
        return Reading(values, "levels", slack=slack, notes=(*told, note) if not options.over else told)
    if high <= 1 + slack:
        if options.missing is None:
            raise InputError("probabilities that sum to 1", said, at=at, advice=LEFT_OVER)
        return Reading(values, exclusive, options.missing, slack, notes=(*told, _left_over(options.missing, said)))
    note = f"The classes are independent, as the {said} show; a node without a score has that of its best descendant."
    return Reading(values, "independent", slack=slack, notes=(*told, note))


def _left_over(missing: Missing | None, said: str) -> str:
    rest = "is left at the root" if missing == "elsewhere" else "counts as impossible"
    return f"What the {said} lack to 1 {rest}."


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}"


def _rounding(p: NDArray[np.float64]) -> tuple[float, int]:
    """Largest error of a sum by rounding, and the decimals that the values are rounded to; 0 for unrounded ones."""
    for decimals in (1, 2, 3, 4, 5):
        scaled = p * 10**decimals
        if bool((np.abs(scaled - np.round(scaled)) <= 1e-6 * 10**decimals).all()):
            sure = bool(((p == 0) | (p == 1)).all())  # one-hot
            return (SLACK, 0) if sure else (min(MOST_SLACK, SLACK + p.shape[1] * 0.5 * 10.0**-decimals), decimals)
    return SLACK, 0


class _Sums:
    """How the probabilities of parents and of levels add up."""

    def __init__(self, p: NDArray[np.float64], nodes: IntArray, taxonomy: Taxonomy, slack: float) -> None:
        self._taxonomy, self._slack = taxonomy, slack
        inside = nodes != ELSEWHERE
        self._full = np.zeros((len(p), taxonomy.num_nodes))
        np.add.at(self._full.T, nodes[inside], p[:, inside].T)
        self._has = np.zeros(taxonomy.num_nodes, dtype=bool)
        self._has[nodes[inside]] = True
        self._away = p[:, ~inside].sum(1)
        below = self._has[1:].all() and taxonomy.num_nodes > 1
        self._gap = None if not below else self._gaps()

    def _gaps(self) -> NDArray[np.float64]:
        """Excess of each inner node over its children together, with 1 at the root."""
        full = torch.from_numpy(self._full.copy())
        full[:, 0] = 1 - torch.from_numpy(self._away)
        index = ops.tree_index(self._taxonomy, "cpu")
        children = torch.zeros_like(full).index_add(-1, index.parents[1:], full[:, 1:])
        return (full - children)[:, index.inner_nodes].numpy()

    @property
    def are_totals(self) -> bool:
        """Whether every node is at least as probable as its children together."""
        return self._gap is not None and bool((self._gap >= -self._slack).all())

    @property
    def are_exact(self) -> bool:
        """Whether every inner node is as probable as its children together."""
        return self._gap is not None and bool((np.abs(self._gap) <= self._slack - SLACK + EXACT).all())

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that are scored, if each sums to 1, every score belongs to one, and the finest is among them."""
        taxonomy = self._taxonomy
        scored = [k for k in range(1, taxonomy.num_levels + 1) if self._has[taxonomy.level_nodes(k)].all()]
        if not scored or scored[-1] != taxonomy.num_levels or self._away.any():
            return ()
        held = np.unique(np.concatenate([taxonomy.level_nodes(k) for k in scored]))
        if not np.array_equal(held, np.flatnonzero(self._has)):
            return ()
        sums = [self._full[:, taxonomy.level_nodes(k)].sum(1) for k in scored]
        return tuple(scored) if all((np.abs(s - 1) <= self._slack).all() for s in sums) else ()
