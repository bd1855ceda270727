"""From features to the table of a part: head, inference, decision, columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.backbones import Towers
from cladewise.decisions import Answer, Decision
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.drift import ScoreWatch
from cladewise.engine.answering.forward import NOT_FINITE, has_scores
from cladewise.engine.answering.groups import Grouping, Groups
from cladewise.engine.answering.prediction_table import answer_table, top_columns, whole_table
from cladewise.engine.run import Run
from cladewise.errors import warn
from cladewise.inference import Inference
from cladewise.inference.columns import bound_to, needs_columns, notes_on
from cladewise.predictions import Prediction, pooled, storage
from cladewise.sources import Row
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.arrays import StrArray

IntArray = NDArray[np.int64]
Rule = TypeVar("Rule")

CELLS_AT_ONCE = 1 << 23
"""Number of (image, node) cells that are worked on at a time, 32 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class Answered:
    """Answers of some rows of a part.

    Args:
        rows: Their positions in the part.
        table: The columns of their answers.
        scores: The settled prediction, if scores are kept.
    """

    rows: IntArray
    table: pl.DataFrame
    scores: Prediction | None


@dataclasses.dataclass(frozen=True)
class Answerer:
    """Answers for features, or for scores that were kept.

    Args:
        run: The run.
        inference: Its inference, fitted.
        decision: Its decision, fitted.
        tree: The tree that answers are in.
        top: Number of best nodes to list per image.
        keep_scores: Whether to keep the scores.
        names: Language of the names in the table; blank for the nodes' own.
        grouping: Rows that show the same thing and get one answer.
        watches: Comparisons of the scores with those that the inference and the decision were fitted on.
    """

    run: Run
    inference: Inference | None
    decision: Decision
    tree: AnswerTree
    top: int = 0
    keep_scores: bool = False
    names: str = ""
    grouping: Grouping | None = None
    watches: tuple[ScoreWatch, ScoreWatch] | None = None

    @cached_property
    def shown_names(self) -> StrArray | None:
        """The name of every node in the language; ``None`` for their own.

        Raises:
            InputError: The tree has no names in the language.
        """
        return self.tree.taxonomy.names_in(self.names) if self.names else None

    @property
    def rows_at_once(self) -> int:
        """Rows to answer together, so that memory does not grow with the tree."""
        return max(1, min(2048, CELLS_AT_ONCE // self.run.own_taxonomy.num_nodes))

    def score(self, features: Float[Tensor, "image feature"]) -> Prediction:
        """The settled prediction of the head for the encoder's features, over the network's own tree."""
        classifier = self.run.classifier
        given = features.to(next(classifier.head.parameters()).device)
        with torch.inference_mode():
            return (classifier.head(given) if classifier.end_to_end else classifier(given)).settled().to("cpu")

    def answer(self, rows: IntArray, scores: Prediction, columns: pl.DataFrame | None = None) -> Answered:
        """Answers from scores; rows whose scores are not finite have none.

        Args:
            rows: The rows of the scores.
            scores: The scores.
            columns: Further columns of all rows of the part, from which those of ``rows`` are taken.
        """
        good = has_scores(scores).cpu()
        if not bool(good.all()):
            scores, rows = scores[good], rows[good.numpy()]
        inferred = self.inferred(rows, scores, columns)
        rule = _bound(self.decision, rows, columns, self.tree.before.taxonomy)
        return Answered(rows, self.table(inferred, rule), scores if self.keep_scores else None)

    @property
    def needs_columns(self) -> bool:
        """Whether the inference or the decision needs further columns of the images."""
        return needs_columns(self.inference) or needs_columns(self.decision)

    def table(self, own: Prediction, rule: Decision) -> pl.DataFrame:
        """The answers from predictions after the inference, over the network's own tree.

        Args:
            own: The predictions.
            rule: The decision, bound to the columns of the same rows if it needs any.
        """
        with torch.inference_mode():
            answer, seen, inferred = self.decided(own, rule)
            if self.watches is not None:
                self.watches[1].add(inferred, answer)
            table = answer_table(answer, seen, self.shown_names)
            return table.hstack(top_columns(seen, self.top, self.shown_names)) if self.top else table

    def decided(self, own: Prediction, rule: Decision) -> tuple[Answer, Prediction, Prediction]:
        """The answer of a decision, the prediction that it decides on, and that one before inferences of its own.

        Args:
            own: Predictions after the inference, over the network's own tree.
            rule: The decision, bound to the columns of the same rows if it needs any.
        """
        inferred = self.tree.prediction(own)
        seen = rule.decided_on(inferred)
        return rule.final(seen), seen, inferred

    def inferred(self, rows: IntArray, scores: Prediction, columns: pl.DataFrame | None = None) -> Prediction:
        """Predictions after the inference, from finite scores; arguments as for :meth:`answer`."""
        if self.watches is not None:
            self.watches[0].add(scores)
        infer = _bound(self.inference, rows, columns, scores.taxonomy)
        with torch.inference_mode():
            return scores if infer is None else infer(scores)

    def answer_groups(
        self, scores: Iterable[tuple[IntArray, Prediction]], names: list[str], columns: pl.DataFrame
    ) -> tuple[Groups, Answered]:
        """One answer per group of the rows of a part.

        Args:
            scores: Rows, and their scores.
            names: Name of every row.
            columns: Further columns of every row.

        Returns:
            The groups of all rows, and answers whose rows are those groups that have an image with finite scores.
        """
        assert self.grouping is not None
        groups = self.grouping.of(names, columns, some=False)
        kept, parts = list[IntArray](), list[Prediction]()
        for rows, part in scores:
            good = has_scores(part).cpu()
            kept.append(rows[good.numpy()])
            parts.append(self.inferred(kept[-1], part[good], columns).settled())
        if not kept or not sum(map(len, kept)):
            return groups, self.nothing()
        found, group = np.unique(groups.group[np.concatenate(kept)], return_inverse=True)
        pool = self.grouping.pool
        own = pooled(storage.concatenate(parts), torch.from_numpy(group.reshape(-1)), len(found), pool)
        return groups, Answered(found, self.table(own, self.decision), None)

    @property
    def drift(self) -> tuple[str, ...]:
        """A sentence for each rule that was fitted on other scores than those answered so far in this process."""
        return tuple(text for watch in self.watches or () for text in watch.warnings)

    def nothing(self) -> Answered:
        """The answers of no rows, for the types of the columns."""
        encoder = self.run.classifier.encoder
        towers = (len(encoder.backbones),) if isinstance(encoder, Towers) else ()
        empty = torch.zeros(0, *towers, self.run.backbone.num_features)
        infer = None if needs_columns(self.inference) else self.inference
        rule = self.decision.final if needs_columns(self.decision) else self.decision
        without = dataclasses.replace(self, inference=infer, decision=rule)
        return without.answer(np.zeros(0, dtype=np.int64), self.score(empty))


def _bound(rule: Rule, rows: IntArray, columns: pl.DataFrame | None, taxonomy: Taxonomy) -> Rule:
    """A rule bound to the columns of some rows if it needs any, after warnings about images that it leaves alone."""
    if not needs_columns(rule):
        return rule
    there = None if columns is None else columns[rows]
    for text in notes_on(rule, there, taxonomy):
        warn(text)
    return bound_to(rule, there)


def part_table(
    names: list[str],
    errors: list[str | None],
    passed: pl.DataFrame,
    answered: Iterable[Answered],
) -> pl.DataFrame:
    """One row per input row: its name, the columns passed through, its answer or its error."""
    found = list(answered)
    rows = np.concatenate([part.rows for part in found])
    told: list[str | None] = [error or NOT_FINITE for error in errors]
    for row in rows.tolist():
        told[row] = None
    table = whole_table(names, told, rows, pl.concat([part.table for part in found]))
    return pl.DataFrame([table["path"], *passed, *table.drop("path")])


def passed_columns(rows: list[Row], types: dict[str, Any], renamed: dict[str, str]) -> pl.DataFrame:
    """The columns of input rows that are passed through, under their names in the output."""
    return pl.DataFrame(
        {
            renamed[name]: pl.Series(renamed[name], [row.columns.get(name) for row in rows], dtype=kind)
            for name, kind in types.items()
        }
    )


def kept_scores(answered: Iterable[Answered], model: str) -> bytes:
    """Scores of a part, with the rows that they belong to."""
    found = list(answered)
    prediction = storage.concatenate([part.scores for part in found if part.scores is not None])
    rows = torch.from_numpy(np.concatenate([part.rows for part in found]))
    return storage.to_bytes(prediction, extra={"row": rows}, about={"model": model})


def batched(rows: IntArray, values: Tensor, size: int) -> Iterator[tuple[IntArray, Tensor]]:
    """Rows and their values in slices of a size."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size], values[start : start + size]
