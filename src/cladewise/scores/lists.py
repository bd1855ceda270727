"""Lists of classes as predictions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions import ListedNodes, NodeSigmoid, Prediction
from cladewise.scores.classes import ELSEWHERE
from cladewise.scores.evidence import SLACK, in_probabilities
from cladewise.scores.layouts import log_odds
from cladewise.scores.options import Over, ScoreOptions, Values
from cladewise.scores.scores import CELLS_AT_ONCE, Scores
from cladewise.scores.tables import FloatArray, IntArray, ListedTable, WideTable
from cladewise.taxonomy import Taxonomy

_STATE = (
    'Pass values="probabilities", "percentages" or "log-probabilities"; or over="independent" for logits of sigmoids.'
)


@dataclasses.dataclass(frozen=True, eq=False)
class Entries:
    """Nodes of rows with a value each, in compressed rows.

    Attributes:
        taxonomy: The label tree.
        start: Position of each row's first entry; one more than rows.
        node: Node of each entry, all different in a row; the root for classes outside of the tree.
        value: Log-probability of each entry, or its logit if the classes are independent.
        over: What competes: ``nodes`` or ``independent``.
        at_inner_nodes: Whether the classifier has classes at inner nodes.
    """

    taxonomy: Taxonomy
    start: IntArray
    node: IntArray
    value: NDArray[np.float32]
    over: Over
    at_inner_nodes: bool

    @property
    def longest(self) -> int:
        """Number of entries of the longest list."""
        return int(np.diff(self.start).max(initial=0))

    def prediction(self, first: int, stop: int) -> Prediction:
        """The prediction for a range of rows."""
        begin, end = int(self.start[first]), int(self.start[stop])
        length = np.diff(self.start[first : stop + 1])
        row = np.repeat(np.arange(stop - first), length)
        node = torch.from_numpy(self.node[begin:end])
        value = torch.from_numpy(self.value[begin:end])
        if self.over == "independent":
            return self._sigmoids(torch.from_numpy(row), node, value, stop - first)
        column = np.arange(end - begin) - np.repeat(self.start[first:stop] - begin, length)
        nodes = torch.full((stop - first, self.longest), -1)
        log_mass = torch.full((stop - first, self.longest), -torch.inf)
        nodes[row, column] = node
        log_mass[row, column] = value
        return ListedNodes(self.taxonomy, nodes, log_mass, self.at_inner_nodes)

    def _sigmoids(self, row: torch.Tensor, node: torch.Tensor, value: torch.Tensor, height: int) -> Prediction:
        """Independent classes: an unlisted leaf is impossible, an unlisted inner node as probable as the best below."""
        full = torch.full((height, self.taxonomy.num_nodes), -torch.inf)
        full[row, node] = value
        listed = torch.zeros_like(full, dtype=torch.bool)
        listed[row, node] = True
        return NodeSigmoid(self.taxonomy, torch.where(listed, full, ops.subtree_max(full, self.taxonomy))[:, 1:])


@dataclasses.dataclass(frozen=True, eq=False)
class ListedScores(Scores):
    """A list of classes per row."""

    source: str
    entries: Entries

    @property
    def _source(self) -> str:
        return self.source

    @property
    def bytes_per_row(self) -> int:
        return 4 * self.taxonomy.num_nodes if self.entries.over == "independent" else 12 * self.entries.longest

    def parts(self, rows_at_once: int | None = None) -> Iterator[tuple[slice, Prediction]]:
        size = rows_at_once or max(1, CELLS_AT_ONCE // self.taxonomy.num_nodes)
        for first in range(0, self.num_rows, size):
            stop = min(first + size, self.num_rows)
            yield slice(first, stop), self.entries.prediction(first, stop)


@dataclasses.dataclass(frozen=True)
class CompleteLists(WideTable):
    """Lists that name every class in every row, as a table in memory."""

    scores: FloatArray

    @property
    def num_rows(self) -> int:
        return len(self.scores)

    def blocks(self, columns: IntArray) -> Iterator[FloatArray]:
        yield self.scores[:, columns]


def complete(table: ListedTable, nodes: IntArray, taxonomy: Taxonomy, options: ScoreOptions) -> CompleteLists | None:
    """The lists as a wide table, if every row names every class and they are all that the classifier has.

    They are if they sum to 1, or, for logits, if they are all leaves. A list of the best classes of a single image also
    names every class that the file has.
    """
    size = table.num_rows * len(table.classes)
    if len(table.score) != size or size == 0 or _repeated(table) is not None:
        return None
    scores = np.empty((table.num_rows, len(table.classes)))
    scores[table.row, table.class_of] = table.score
    leaves = np.isin(taxonomy.leaf_nodes, nodes).all()
    values = options.values or table.values
    if values == "logits" or (values is None and (scores.min() < 0 or scores.max() > 1 + SLACK)):
        whole = leaves
    else:
        sums = in_probabilities(scores, values or "probabilities").sum(1)
        whole = bool((np.abs(sums - 1) <= SLACK).all())
    return CompleteLists(table.source, table.classes, table.rows, table.key, scores) if whole else None


def entries_of(
    table: ListedTable, nodes: IntArray, taxonomy: Taxonomy, options: ScoreOptions
) -> tuple[Entries, tuple[str, ...]]:
    """The lists as nodes with a value each, and what was recognised about them.

    Raises:
        InputError: The meaning of the scores is unclear, or a row names a class twice.
    """
    again = _repeated(table)
    if again is not None:
        entry = again
        got = f"{table.classes[table.class_of[entry]].text!r} twice"
        raise InputError("every class once in a list", got, at=_at(table, entry))
    wrong = np.flatnonzero(~np.isfinite(table.score))
    if wrong.size:
        raise InputError("scores that are numbers", str(table.score[wrong[0]]), at=_at(table, int(wrong[0])))
    values, over, notes = _meaning(table, options)
    if values == "logits":
        value = table.score
    else:
        p = in_probabilities(table.score, values)
        odd = np.flatnonzero((p < 0) | (p > 1 + SLACK))
        if odd.size:
            got = f"{table.score[odd[0]]:.6g}"
            raise InputError(f"{values}", got, at=_at(table, int(odd[0])), advice=_STATE)
        with np.errstate(divide="ignore"):
            value = log_odds(torch.from_numpy(p)).numpy() if over == "independent" else np.log(np.minimum(p, 1))
    node, row = nodes[table.class_of], table.row
    if over == "independent":
        inside = node > 0
        row, node, value = row[inside], node[inside], value[inside]
    node = np.maximum(node, 0)
    if len(np.unique(np.maximum(nodes, 0))) < len(nodes):  # otherwise different classes are different nodes
        row, node, value = _one_each(row, node, value, taxonomy.num_nodes, over)
    start = np.searchsorted(row, np.arange(table.num_rows + 1))
    used = nodes[nodes != ELSEWHERE]
    inner = bool((~taxonomy.is_leaf[used[used > 0]]).any())
    return Entries(taxonomy, start, node, value.astype(np.float32), over, inner), notes


def _meaning(table: ListedTable, options: ScoreOptions) -> tuple[Values, Over, tuple[str, ...]]:
    """Scale of the scores and what competes."""
    values, over = options.values or table.values, options.over or table.over
    if over not in (None, "nodes", "leaves", "independent"):
        raise InputError('over to be "leaves", "nodes" or "independent" for lists', repr(over), at=table.source)
    low, high = (float(table.score.min()), float(table.score.max())) if table.score.size else (0.0, 0.0)
    said = f"scores from {low:.4g} to {high:.4g}"
    if values == "logits" and over != "independent":
        got = "logits of the best classes, which lack the others to compete with"
        raise InputError("probabilities in lists", got, at=table.source, advice="Write all classes, or probabilities.")
    if values is None:
        if low < 0 or high > 1 + SLACK:
            raise InputError("scores whose scale is clear", said, at=table.source, advice=_STATE)
        values = "probabilities"
    notes: list[str] = [] if options.values or table.values else [f"Lists of {said} are read as probabilities."]
    if over is None:
        sums = np.bincount(table.row, in_probabilities(table.score, values), table.num_rows)
        over = "nodes" if sums.max(initial=0) <= 1 + SLACK else "independent"
        if over == "independent":
            notes.append(f"The classes are independent, as lists that sum to {sums.max():.4g} show.")
        else:
            rest = 1 - sums
            notes.append(
                f"The lists leave out {100 * rest.mean():.3g}% of the probability on average, which stays at the root "
                f"(at most {100 * rest.max(initial=0):.3g}%)."
            )
    elif over == "independent":
        notes.append("The classes are independent; those that a list leaves out are impossible.")
    return values, "independent" if over == "independent" else "nodes", tuple(notes)


def _one_each(
    row: IntArray, node: IntArray, value: FloatArray, num_nodes: int, over: Over
) -> tuple[IntArray, IntArray, FloatArray]:
    """One entry per row and node: probabilities added up, or the largest logit of independent classes."""
    pair = row * num_nodes + node
    distinct, place = np.unique(pair, return_inverse=True)
    if len(distinct) == len(pair):
        return row, node, value
    if over == "independent":
        merged = np.full(len(distinct), -np.inf)
        np.maximum.at(merged, place, value)
    else:
        with np.errstate(divide="ignore"):
            merged = np.log(np.minimum(np.bincount(place, np.exp(value)), 1))
    return distinct // num_nodes, distinct % num_nodes, merged


def _repeated(table: ListedTable) -> int | None:
    """An entry whose class is in its row's list before."""
    pair = table.row * max(1, len(table.classes)) + table.class_of
    ordered = np.sort(pair)  # takes less memory than the order, which is wanted only for the message
    if (ordered[1:] != ordered[:-1]).all():
        return None
    order = np.argsort(pair, kind="stable")
    again = np.flatnonzero(pair[order][1:] == pair[order][:-1])
    return int(order[again[0] + 1]) if again.size else None


def _at(table: ListedTable, entry: int) -> str:
    row = int(table.row[entry])
    name = f" ({table.rows[table.key][row]})" if table.key else ""
    return f"{table.source}, list {row + 1:,}{name}"
