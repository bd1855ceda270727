"""Scores of classes as a prediction over nodes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax, LevelSoftmax, NodeSigmoid, NodeSoftmax, Prediction
from cladewise.scores.classes import ELSEWHERE
from cladewise.scores.evidence import LEFT_OVER, Reading, all_leaves
from cladewise.scores.options import Over
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
Where = Callable[[int], str]
"""Place in the input of a row of a block, for messages."""


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The place of each class among the scores of a prediction.

    Attributes:
        taxonomy: The label tree.
        reading: The meaning of the scores.
        over: What competes: ``nodes`` also where leaves compete with something outside the tree.
        order: Classes in the order of their places, which is the order to read them in.
        place: Place of each class in that order, ascending.
        width: Number of places.
        levels: The levels that are scored, for ``levels``.
    """

    taxonomy: Taxonomy
    reading: Reading
    over: Over
    order: IntArray
    place: IntArray
    width: int
    levels: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every place has exactly one class."""
        return len(self.place) == self.width and bool((np.diff(self.place) > 0).all())

    def prediction(self, block: NDArray[Any], where: Where) -> Prediction:
        """The prediction for some rows.

        Args:
            block: Scores ``[row, class]``, the classes in the layout's order.
            where: Place of a row, for messages.

        Raises:
            InputError: A score is missing, infinite or no probability, or a row does not sum to what the first rows do.
        """
        scores = torch.from_numpy(np.ascontiguousarray(block))
        scores = scores if scores.dtype == torch.float64 else scores.float()
        self._check(scores, where)
        return getattr(self, f"_{self.over}")(scores, where)

    def _check(self, scores: Float[Tensor, "row class"], where: Where) -> None:
        """Check single scores, and the sums of probabilities that compete.

        A sum is finite exactly if no score is missing or infinite, which is found in one pass over the scores.
        """
        values = self.reading.values
        odd = torch.nonzero(~scores.sum(-1).isfinite()).squeeze(1)
        if len(odd):
            bad = ~scores[odd].isfinite()
            if values in ("logits", "log-probabilities"):  # -inf is a class that is impossible
                bad &= scores[odd] != -torch.inf
            number = bad.sum(-1)
            if bool(number.any()):
                first = int(torch.nonzero(number)[0])
                got = f"{int(number[first]):,} that are missing or infinite"
                raise InputError("a score for every class", got, at=where(int(odd[first])))
        if values == "logits":
            return
        top = {"probabilities": 1.0, "percentages": 100.0, "log-probabilities": 0.0}[values]
        room = (self.reading.slack if self.over != "independent" else 1e-6) * max(top, 1.0)
        wrong = scores.amax(-1) > top + room
        if values != "log-probabilities":
            wrong |= scores.amin(-1) < 0
        if bool(wrong.any()):
            row = int(torch.nonzero(wrong)[0])
            got = f"{float(scores[row].min()):.4g} to {float(scores[row].max()):.4g}"
            raise InputError(f"{values} in every row, as in the first rows", got, at=where(row))

    def _logs(self, scores: Tensor) -> Float[Tensor, "row class"]:
        """Logits as they are, or log-probabilities, in single precision."""
        if self.reading.values in ("logits", "log-probabilities"):
            return scores.float()
        logs = scores.log().float()
        return logs - math.log(100) if self.reading.values == "percentages" else logs

    def _probabilities(self, scores: Tensor) -> Float[Tensor, "row class"]:
        values = self.reading.values
        return scores.exp() if values == "log-probabilities" else scores / 100 if values == "percentages" else scores

    def _spread(self, logs: Float[Tensor, "row class"]) -> Float[Tensor, "row place"]:
        """The values at their places, classes of one place added up, and -inf at places without a class."""
        if self.is_whole:
            return logs
        place = torch.from_numpy(self.place)
        if bool((np.diff(self.place) > 0).all()):
            return logs.new_full((len(logs), self.width), -torch.inf).index_copy(-1, place, logs)
        return ops.grouped_logsumexp(logs, place, self.width)

    def _sums(self, scores: Tensor, where: Where) -> Float[Tensor, " row"]:
        """Sum of each row's probabilities, checked."""
        sums, slack = self._probabilities(scores).sum(-1), self.reading.slack
        wrong = sums > 1 + slack
        if self.reading.missing is None:
            wrong |= sums < 1 - slack
        elif self.reading.missing == "impossible":
            wrong |= sums <= 0
        if bool(wrong.any()):
            row = int(torch.nonzero(wrong)[0])
            raise InputError("probabilities that sum to 1", f"{float(sums[row]):.4g}", at=where(row), advice=LEFT_OVER)
        return sums

    def _leaves(self, scores: Tensor, where: Where) -> Prediction:
        if self.reading.values != "logits":
            self._sums(scores, where)
        logits = self._spread(self._logs(scores))
        _refuse_nothing(logits, where)
        return LeafSoftmax(self.taxonomy, logits)

    def _nodes(self, scores: Tensor, where: Where) -> Prediction:
        logs = self._spread(self._logs(scores))
        if self.reading.values != "logits":
            sums = self._sums(scores, where)
            if self.reading.missing == "elsewhere":
                rest = (1 - sums).clamp_min(0).log().float()
                logs[:, 0] = torch.logaddexp(logs[:, 0], rest)
        _refuse_nothing(logs, where)
        return NodeSoftmax(self.taxonomy, logs)

    def _levels(self, scores: Tensor, where: Where) -> Prediction:
        logits = self._spread(self._logs(scores))
        prediction = LevelSoftmax(self.taxonomy, logits, self.levels, tied=True)
        for level in prediction.by_level:
            given = logits[:, torch.searchsorted(prediction.scored_nodes, level.nodes)]
            sums = given.logsumexp(-1).exp()
            wrong = given.amax(-1) == -torch.inf
            if self.reading.values != "logits":
                wrong |= (sums - 1).abs() > self.reading.slack
            if bool(wrong.any()):
                row = int(torch.nonzero(wrong)[0])
                raise InputError("levels that each sum to 1", f"{float(sums[row]):.4g}", at=where(row))
        return prediction

    def _totals(self, scores: Tensor, where: Where) -> Prediction:
        """Own mass of every node: what it has more than its children together."""
        p = self._probabilities(scores).float()
        inside = self.place > 0
        full = p.new_zeros(len(p), self.width).index_add(
            -1, torch.from_numpy(self.place[inside]), p[:, torch.from_numpy(inside)]
        )
        full[:, 0] = 1
        index = ops.tree_index(self.taxonomy, "cpu")
        own = full - torch.zeros_like(full).index_add(-1, index.parents[1:], full[:, 1:])
        slack = self.reading.slack
        wrong = (own < -slack).any(-1)
        if self.reading.exact:
            wrong |= (own[:, index.inner_nodes] > slack).any(-1)
        if bool(wrong.any()):
            row = int(torch.nonzero(wrong)[0])
            want = "the sum of its children's" if self.reading.exact else "at least the sum of its children's"
            got = f"one that differs by {float(own[row, index.inner_nodes].abs().max()):.4g}"
            advice = 'Pass over="independent" if nodes and their parents were scored apart.'
            raise InputError(f"a total of every node that is {want}", got, at=where(row), advice=advice)
        if self.reading.exact:
            return LeafSoftmax(self.taxonomy, full[:, index.leaf_nodes].log())
        return NodeSoftmax(self.taxonomy, own.clamp_min(0).log())

    def _independent(self, scores: Tensor, where: Where) -> Prediction:
        """A sigmoid per node; a node without a score has the largest at or under it."""
        logits = scores.float() if self.reading.values == "logits" else log_odds(self._probabilities(scores))
        place = torch.from_numpy(self.place)
        full = logits.new_full((len(logits), self.width), -torch.inf)
        full = full.scatter_reduce(-1, place.expand(len(logits), -1), logits, "amax")
        scored = torch.zeros(self.width, dtype=torch.bool).index_fill_(0, place, True)
        if not bool(scored[1:].all()):
            full = torch.where(scored, full, ops.subtree_max(full, self.taxonomy))
        return NodeSigmoid(self.taxonomy, full[:, 1:])


def layout_of(taxonomy: Taxonomy, nodes: IntArray, reading: Reading, *, at: str) -> Layout:
    """The places of classes for a meaning of their scores.

    Args:
        taxonomy: The label tree.
        nodes: Node of each class.
        reading: The meaning of the scores.
        at: The file, for messages.

    Raises:
        InputError: The classes do not fit the meaning: inner nodes where leaves compete, or nodes without a class.
    """
    over, inside = reading.over, nodes[nodes != ELSEWHERE]
    if over == "leaves" and not all_leaves(nodes, taxonomy):
        first = taxonomy.path_name(int(inside[~taxonomy.is_leaf[inside]][0])) or "the root"
        raise InputError("leaves alone to compete", f"{first!r}, an inner node", at=at, advice='Pass over="nodes".')
    if over == "leaves" and (len(inside) < len(nodes) or reading.missing == "elsewhere"):
        over = "nodes"
    if over == "totals" and len(np.unique(inside[inside > 0])) < taxonomy.num_nodes - 1:
        lacking = np.setdiff1d(np.arange(1, taxonomy.num_nodes), inside)
        got = f"{lacking.size:,} without, such as {taxonomy.path_name(int(lacking[0]))!r}"
        raise InputError("a score for every node", got, at=at, advice='Pass over="nodes" or over="independent".')
    kept = np.arange(len(nodes)) if over == "nodes" else np.flatnonzero(nodes != ELSEWHERE)
    levels: tuple[int, ...] = ()
    if over == "levels":
        distinct = np.unique(inside)
        levels = _levels_of(taxonomy, distinct, at=at)
        place, width = np.searchsorted(distinct, nodes[kept]), len(distinct)
    elif over == "leaves":
        place, width = taxonomy.leaf_start[nodes[kept]], taxonomy.num_leaves
    else:
        place, width = np.maximum(nodes[kept], 0), taxonomy.num_nodes
    order = np.argsort(place, kind="stable")
    return Layout(taxonomy, reading, over, kept[order], place[order], width, levels)


def coverage_note(taxonomy: Taxonomy, nodes: IntArray, over: Over) -> tuple[str, ...]:
    """A sentence on the leaves that no class stands for, and one on those that only an inner class stands for."""
    inside = np.zeros(taxonomy.num_nodes, dtype=np.int64)
    inside[nodes[nodes > 0]] = 1
    lacking = taxonomy.leaf_nodes[inside[taxonomy.leaf_nodes] == 0]
    above = np.array([bool(inside[list(taxonomy.path(node)[1:])].any()) for node in lacking.tolist()], dtype=bool)
    notes: list[str] = []
    for found, what in ((lacking[~above], "impossible"), (lacking[above], "told apart by no class")):
        if found.size:
            first = ", ".join(repr(taxonomy.path_name(node)) for node in found[:3].tolist())
            more = ", ..." if found.size > 3 else ""
            notes.append(
                f"{found.size:,} of {taxonomy.num_leaves:,} leaves have no score and are {what}: {first}{more}."
            )
    return tuple(notes)


def log_odds(p: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Logits of probabilities, finite except for probability 0.

    Example:
        >>> log_odds(torch.tensor([0.0, 0.5, 1.0]))
        tensor([  -inf,      0.,  10000.])
    """
    p = p.double()
    return (p.log() - torch.log1p(-p)).clamp(-1e4, 1e4).masked_fill(p == 0, -torch.inf).float()


def _levels_of(taxonomy: Taxonomy, nodes: IntArray, *, at: str) -> tuple[int, ...]:
    """The levels whose nodes are all scored, the finest among them, with every scored node in one of them."""
    scored = np.zeros(taxonomy.num_nodes, dtype=bool)
    scored[nodes] = True
    levels = tuple(k for k in range(1, taxonomy.num_levels + 1) if scored[taxonomy.level_nodes(k)].all())
    held = np.concatenate([np.zeros(0, np.int64), *(taxonomy.level_nodes(k) for k in levels)])
    stray = np.setdiff1d(nodes, held)
    if not levels or levels[-1] != taxonomy.num_levels or stray.size:
        lacking = np.flatnonzero(taxonomy.is_leaf & ~scored)
        got = (
            f"none for {taxonomy.path_name(int(lacking[0]))!r}"
            if lacking.size
            else (f"some of the level of {taxonomy.path_name(int(stray[0]))!r} alone")
        )
        raise InputError("scores for all classes of a level, and for all leaves", got, at=at)
    return levels


def _refuse_nothing(logits: Float[Tensor, "row place"], where: Where) -> None:
    """Refuse rows without any possible class."""
    wrong = logits.amax(-1) == -torch.inf
    if bool(wrong.any()):
        raise InputError("a possible class in every row", "none", at=where(int(torch.nonzero(wrong)[0])))
