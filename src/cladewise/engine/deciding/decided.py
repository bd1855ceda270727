"""Answers for somebody's scores."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cladewise.atomic import replacing
from cladewise.decisions import Decision, Nodes
from cladewise.engine.answering.evaluation import evaluate_all
from cladewise.engine.answering.fitted_rules import Ready, Rule, ready
from cladewise.engine.answering.grouped_scores import grouped
from cladewise.engine.answering.groups import DEFAULT, Grouping
from cladewise.engine.answering.prediction_table import answer_table, names_beside, top_columns, whole_table
from cladewise.engine.answering.recorded_scores import ScoresOfRows, tracked
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.deciding.folder import scores_folder
from cladewise.engine.deciding.inputs import Opened
from cladewise.engine.deciding.splits import Splits
from cladewise.engine.rules import decision_of, handle_of, inference_of, spec_of
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.inference.columns import bound_to, needs_columns, notes_on
from cladewise.parquet import write_parquet_parts
from cladewise.predictions import Fittable, Prediction
from cladewise.records import Evaluation
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

ROWS_AT_ONCE = 1 << 16
"""Rows of a table that are handed on together."""


@dataclasses.dataclass(frozen=True)
class Decided:
    """Answers for the rows of somebody's scores, computed part by part whenever they are asked for.

    Tables and arrays have one row per row of the scores, in their order.

    Args:
        given: The scores, and how they are opened again.
        splits: Splits of the rows with labels.
        rules: The decisions that were asked for; the first is used unless another is given.
        inference_choice: The inference that comes before every decision, or its spec; ``None`` for none.
        seed: Seed of the splits.
        name: Name of the run in reports.
        root: Folder that the names of rows are relative to, if they are paths of images.
        path: The run folder; ``None`` for a temporary one, made when it is needed.
        fitted_on: Another run whose rows rules are fitted on instead of these.
        fit_split: Split that rules are fitted on, unless it is the rule's own.
        progress: Show progress bars.
        warnings: Warnings from fitting rules.
        grouping: Rows that are answered as one; tables then have one row per group.
    """

    given: Opened
    splits: Splits
    rules: tuple[Decision, ...]
    inference_choice: str | Inference | None
    seed: int
    name: str
    root: Path | None
    path: Path | None
    fitted_on: Run | None
    fit_split: str | None
    progress: bool
    warnings: list[str] = dataclasses.field(default_factory=list[str])
    grouping: Grouping | None = None

    @property
    def default(self) -> Decision:
        """The decision to use unless another is given."""
        return self.rules[0]

    @property
    def taxonomy(self) -> Taxonomy:
        """The label tree."""
        return self.given.scores.taxonomy

    @property
    def keys(self) -> pl.Series:
        """Name of each row: the path of its image, or its number."""
        return self.given.scores.keys

    @property
    def columns(self) -> pl.DataFrame:
        """Further columns of the rows, such as labels."""
        return self.given.scores.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the scores and labels were read."""
        return (*self.given.scores.notes, *([self.splits.note] if self.splits.note else []), *self._context_notes)

    @cached_property
    def _context_notes(self) -> tuple[str, ...]:
        """Notes about the columns and groups of the rows."""
        rules = (inference_of(self.inference_choice, None), *self.rules)
        told = tuple(text for rule in rules for text in notes_on(rule, self.columns, self.taxonomy))
        return told if self.grouping is None else (*told, *self._groups[1])

    @cached_property
    def _groups(self) -> tuple[Scored, tuple[str, ...]]:
        """The groups as rows, after the inference of each of their rows."""
        assert self.grouping is not None
        index, scores = torch.arange(self.num_rows), ScoresOfRows(self.given.scores)
        rows = Scored(scores, torch.zeros_like(index), index, self.keys.to_list(), 0, read_columns=lambda: self.columns)
        return grouped(rows, self.grouping, self.taxonomy, self.inference.rule)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self.given.scores.num_rows

    @cached_property
    def run(self) -> Run:
        """The rows as a run folder, which can be evaluated and compared; temporary unless ``out`` was given."""
        if self.path is not None:
            return self._written(self.path)
        vars(self)["_temporary"] = tempfile.TemporaryDirectory(prefix="cladewise-")
        return self._written(Path(vars(self)["_temporary"].name) / self.name)

    @cached_property
    def inference(self) -> Ready[Inference | None]:
        """The inference that comes before every decision, fitted if it has something to learn."""
        return self._ready(inference_of(self.inference_choice, None))

    def parts(self) -> Iterator[tuple[slice, Prediction]]:
        """Rows and their predictions after the inference, one part after another."""
        if self.grouping is not None:
            start = 0
            for part, _ in self._groups[0].parts():
                yield slice(start, start := start + part.batch_shape[0]), part
            return
        for rows, part in tracked(self.given.scores, "deciding", shown=self.progress):
            infer = self._bound(self.inference.rule, rows)
            with torch.inference_mode():
                yield rows, part if infer is None else infer(part)

    def _bound(self, rule: Rule, rows: slice) -> Rule:
        """A rule bound to the columns of some rows, if it needs any."""
        return bound_to(rule, self.columns[rows]) if needs_columns(rule) else rule

    def tables(
        self, decision: str | Decision | None = None, *, names: str | None = None, top: int = 0, **parameters: Any
    ) -> Iterator[pl.DataFrame]:
        """The table of :meth:`to_frame` in parts of some ten thousand rows.

        Raises:
            InputError: There is no such rule, it cannot be fitted, or the taxonomy has no names in the language.
        """
        made = self.rule(decision, **parameters)
        rule, watch = made.rule, made.watch()
        shown = None if names is None else self.taxonomy.names_in(names)
        kept: list[pl.DataFrame] = []
        first = count = 0
        for rows, part in self.parts():
            with torch.inference_mode():
                bound = self._bound(rule, rows)
                seen = bound.decided_on(part)
                answer = bound.final(seen)
                watch.add(part, answer)
                table = answer_table(answer, seen, shown)
                kept.append(table.hstack(top_columns(seen, top, shown)) if top else table)
            count += rows.stop - rows.start
            if count >= ROWS_AT_ONCE:
                yield self._whole(slice(first, first + count), pl.concat(kept))
                first, count, kept = first + count, 0, []
        if kept:
            yield self._whole(slice(first, first + count), pl.concat(kept))
        self.warnings.extend(text for text in watch.warnings if text not in self.warnings)

    def to_frame(
        self, decision: str | Decision | None = None, *, names: str | None = None, top: int = 0, **parameters: Any
    ) -> pl.DataFrame:
        """One row per row of the scores: its name, its further columns, and its answer.

        The columns are those of :meth:`Predicted.to_frame <cladewise.engine.Predicted.to_frame>`.

        Args:
            decision: A rule, its name or its spec; that of :func:`decide` by default.
            names: Language of names, see :meth:`Taxonomy.names_in <cladewise.taxonomy.Taxonomy.names_in>`.
            top: Number of most probable nodes to list per row, as ``top_labels`` and ``top_probabilities``.
            **parameters: Parameters of a decision given by name.

        Raises:
            InputError: There is no such rule, it cannot be fitted, or the taxonomy has no names in the language.
        """
        return pl.concat(self.tables(decision, names=names, top=top, **parameters))

    def write_answers(self, decision: str | Decision | None = None, *, names: str | None = None, top: int = 0) -> Path:
        """Write the table of :meth:`to_frame` into the run folder, as ``answers/<inference>-<decision>.parquet``.

        Raises:
            InputError: As :meth:`to_frame`.
        """
        made = self.rule(decision)
        before = self.inference.handle
        handle = before if self.grouping is None else self.grouping.handle_after(before)
        file = self.run.folder.answers(handle, made.handle)
        with replacing(file) as temporary:
            write_parquet_parts(self.tables(decision, names=names, top=top), temporary)
        return file

    def node(self, decision: str | Decision | None = None, **parameters: Any) -> IntArray:
        """Node of each row by a rule that gives one.

        Raises:
            InputError: The rule may give several nodes per row.
        """
        rule, nodes = self.rule(decision, **parameters).rule, list[IntArray]()
        for rows, part in self.parts():
            answer = self._bound(rule, rows)(part)
            if not isinstance(answer, Nodes):
                raise InputError("a decision with one node per row", type(answer).__name__, advice="Use to_frame().")
            nodes.append(answer.node.cpu().numpy())
        return np.concatenate(nodes) if nodes else np.zeros(0, dtype=np.int64)

    def evaluate(
        self,
        decision: str | Decision | None = None,
        *,
        split: str | None = None,
        recall_at: Sequence[float] = (),
        **parameters: Any,
    ) -> Evaluation:
        """Evaluate a rule on the rows with labels; see :func:`cladewise.evaluate`.

        Args:
            decision: A rule, its name or its spec; that of :func:`decide` by default.
            split: Split of the rows; by default ``test``, those that no rule was fitted on.
            recall_at: Further shares of right answers, in [0, 1], at which to report recall.
            **parameters: Parameters of a decision given by name.

        Raises:
            InputError: No row has a label, or there is no such split or rule.
        """
        return self.evaluate_all([decision_of(decision, self.default, **parameters)], split=split, recall_at=recall_at)[
            0
        ]

    def evaluate_all(
        self,
        decisions: Sequence[str | Decision | None] | None = None,
        *,
        split: str | None = None,
        recall_at: Sequence[float] = (),
        impossible: list[str] | None = None,
    ) -> list[Evaluation]:
        """Evaluate several rules in one pass, by default all that were asked for.

        See :func:`cladewise.engine.evaluate_all`.

        Raises:
            InputError: As :meth:`evaluate`.
        """
        if not self.splits.judged:
            raise InputError("labels of some rows to evaluate by", "none", advice="Give labels=.")
        return evaluate_all(
            self.run,
            split=split or self.splits.judged,
            decisions=[self._to_judge(rule) for rule in decisions or self.rules],
            inferences=[self.inference.rule if self.fitted_on else self.inference_choice],
            fit_split=self.fit_split,
            recall_at=recall_at,
            group_by=None if self.grouping is None else self.grouping.by,
            pool=DEFAULT if self.grouping is None else self.grouping.pool,
            progress=self.progress,
            impossible=impossible,
        )

    def rule(self, decision: str | Decision | None = None, **parameters: Any) -> Ready[Decision]:
        """A decision as it is applied, fitted if it has something to learn.

        Raises:
            InputError: There is no such rule, or no rows with labels to fit it on.
        """
        rule = decision_of(decision, self.default, **parameters)
        if self.grouping is not None:
            self.grouping.check_decision(rule)
        return self._ready(rule, self.inference.rule)

    def _to_judge(self, decision: str | Decision | None) -> Decision:
        """A decision to evaluate, which the evaluation fits itself unless another run does."""
        return self.rule(decision).rule if self.fitted_on else decision_of(decision, self.default)

    def _ready(self, rule: Rule, before: Inference | None = None) -> Ready[Rule]:
        if not isinstance(rule, Fittable) or rule.is_fitted:
            return Ready(rule, handle_of(rule), spec_of(rule))
        if self.fitted_on is None and not self.splits.fit and self.fit_split is None:
            raise InputError(
                f"labelled rows that {handle_of(rule)} can learn from",
                "none",
                advice="Give labels= of some rows, with a split val or a fit_share=0.5 of them for it, or fitted_on=.",
            )
        run = self.fitted_on or self.run
        made = ready(
            run, cast("Rule", rule), before=before, split=self.fit_split, grouping=self.grouping, progress=self.progress
        )
        self.warnings.extend(text for text in made.warnings if text not in self.warnings)
        return made

    def _whole(self, rows: slice, table: pl.DataFrame) -> pl.DataFrame:
        """One row per row of the scores, with its name, its further columns and its answer."""
        columns: pl.DataFrame = self.columns
        paths = self.keys[rows].to_list()
        if self.grouping is not None:
            groups = self._groups[0]
            columns, paths = pl.DataFrame() if groups.columns is None else groups.columns, list(groups.paths[rows])
        whole = whole_table(paths, [None] * len(paths), np.arange(len(paths)), table)
        passed = columns[rows].rename(names_beside(columns.columns, whole.columns))
        return pl.DataFrame([whole["path"], *passed, *whole.drop("path")])

    def _written(self, path: Path) -> Run:
        return scores_folder(
            path,
            self.given,
            self.splits,
            name=self.name,
            root=self.root,
            seed=self.seed,
            progress=self.progress,
        )
