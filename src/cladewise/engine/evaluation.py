"""Evaluation: a run and a split to scores, and everything that a report reads."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cladewise.atomic import replacing, write_text
from cladewise.datasets import Dataset
from cladewise.decisions import Decision
from cladewise.engine.fitted import Learnt, ready
from cladewise.engine.outcomes import DecisionOutcomes, PredictionOutcomes
from cladewise.engine.rules import decision_of, handle_of, inference_of, spec_of
from cladewise.engine.run import Run
from cladewise.engine.scoring import Scored, scored
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.records import SCHEMA_VERSION
from cladewise.statistics import Interval

DecisionChoice = str | Decision | None
InferenceChoice = str | Inference | None


@dataclasses.dataclass(frozen=True)
class Scores:
    """Metrics of one evaluation, each with its 95% bootstrap interval, NaN where none is made.

    ``scores["hd@1"]`` is an interval, ``scores.top1`` its value.
    """

    metrics: Mapping[str, Interval]
    num_images: int
    num_skipped: int
    path: Path
    inference: str = "none"
    decision: str = ""
    warnings: tuple[str, ...] = ()

    def __getitem__(self, metric: str) -> Interval:
        return self.metrics[metric]

    def __getattr__(self, metric: str) -> float:
        if metric.startswith("_") or metric not in self.metrics:
            raise AttributeError(f"no metric {metric!r}; there are {', '.join(self.metrics)}")
        return self.metrics[metric].value


def evaluate(
    run: Run | str | Path,
    *,
    split: str = "test",
    decision: DecisionChoice = None,
    inference: InferenceChoice = None,
    data: Dataset | None = None,
    fit_split: str | None = None,
    progress: bool = True,
    **parameters: Any,
) -> Scores:
    """Evaluate a run on a split and write the result into its folder, beside earlier evaluations.

    The head's scores are kept, so another decision or inference later needs neither images nor model.

    Args:
        run: A run, or its folder.
        split: Split of the data; several are joined with ``+``.
        decision: A rule, its name or its spec (``"greedy:threshold=0.5"``); the method's own by default.
        inference: A rule or its spec, several joined with ``+``; the method's own by default, ``"none"`` for none.
        data: Other data than the run's, with the same taxonomy.
        fit_split: Split that a rule learns from which has something to learn; the rule's own by default.
        progress: Show progress bars.
        parameters: Parameters of a decision given by name: ``threshold=0.9``.

    Raises:
        InputError: There is no such split, no image of it can be read, or a rule does not exist or does not apply.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    rule = decision_of(decision, run.method.decision(), **parameters)
    found = evaluate_all(
        run, split=split, decisions=[rule], inferences=[inference], data=data, fit_split=fit_split, progress=progress
    )
    return found[0]


def evaluate_all(
    run: Run | str | Path,
    *,
    split: str = "test",
    decisions: Sequence[DecisionChoice] = (None,),
    inferences: Sequence[InferenceChoice] = (None,),
    data: Dataset | None = None,
    fit_split: str | None = None,
    progress: bool = True,
    impossible: list[str] | None = None,
) -> list[Scores]:
    """Evaluate every decision after every inference, with scores loaded once and each inference made once.

    Args:
        run: A run, or its folder.
        split: Split of the data; several are joined with ``+``.
        decisions: As for :func:`evaluate`.
        inferences: As for :func:`evaluate`.
        data: Other data than the run's, with the same taxonomy.
        fit_split: As for :func:`evaluate`.
        progress: Show progress bars.
        impossible: A list to add a line to for each combination that this head cannot have; without one the first such
            is an error.

    Raises:
        InputError: As :func:`evaluate`.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    before = _distinct([inference_of(rule, run.method.inference()) for rule in inferences])
    rules = _distinct([decision_of(rule, run.method.decision()) for rule in decisions])
    seen = scored(run, split, data, progress=progress)
    found: list[Scores] = []
    for infer in before:
        done = _Evaluation(run, seen, split, infer, fit_split, tolerant=impossible is not None, progress=progress)
        found += done.of(rules)
        if impossible is not None:
            impossible += done.impossible
    return found


def measure(run: Run, metric: str, *, split: str, data: Dataset | None = None) -> float:
    """One metric of a run with its method's own inference and decision, without intervals and without a record.

    Raises:
        InputError: There is no such metric.
    """
    seen = scored(run, split, data, progress=False)
    evaluation = _Evaluation(run, seen, split, run.method.inference(), None, progress=False)
    _, values = evaluation.outcomes([run.method.decision()], intervals=False)[0]
    if metric not in values:
        raise InputError(f"a metric: {', '.join(values)}", repr(metric))
    return values[metric].value


class _Evaluation:
    """All decisions after one inference: one pass over the images."""

    def __init__(
        self,
        run: Run,
        seen: Scored,
        split: str,
        inference: Inference | None,
        fit_split: str | None,
        *,
        tolerant: bool = False,
        progress: bool,
    ) -> None:
        self.run, self.seen, self.split, self.fit_split, self.progress = run, seen, split, fit_split, progress
        self.tolerant, self.impossible = tolerant, list[str]()
        self.named = inference
        self.curves: dict[str, Any] = {}
        self.about: dict[str, str] = {}
        self.learnt: dict[str, Learnt] = {}

    def of(self, rules: Sequence[Decision]) -> list[Scores]:
        """Evaluate the decisions and write what came of them."""
        done = self.outcomes(rules, intervals=True)
        return [self._write(rule, *of_rule) for rule, of_rule in zip(self.possible, done, strict=True)]

    def outcomes(self, rules: Sequence[Decision], *, intervals: bool) -> list[tuple[pl.DataFrame, dict[str, Interval]]]:
        """Columns and metrics of every decision that is possible here."""
        taxonomy = self.run.taxonomy
        self.possible = list(rules)
        try:
            infer = self._ready(self.named, None, "inference")
            gathered = [DecisionOutcomes(self._ready(rule, infer, "decision"), taxonomy) for rule in rules]
            of_prediction = PredictionOutcomes(taxonomy)
            for part, target in self.seen.parts():
                if infer is not None and not self.about:
                    self.about = infer.about(part)
                inferred = part if infer is None else infer(part)
                of_prediction.add(inferred, target)
                gathered = [rule for rule in gathered if self._took(rule, inferred, target)]
        except InputError as error:
            if not self.tolerant:
                raise
            self.impossible.append(f"{handle_of(self.named)}: {error}")
            self.possible = []
            return []
        columns, values, self.curves = of_prediction.finish(intervals=intervals)
        results: list[tuple[pl.DataFrame, dict[str, Interval]]] = []
        for rule in gathered:
            frame, decided = rule.finish(intervals=intervals)
            paths = pl.Series("path", self.seen.paths, dtype=pl.String)
            results.append((frame.insert_column(0, paths).hstack(columns), decided | values))
        return results

    def _ready(self, rule: Any, before: Inference | None, what: str) -> Any:
        made, self.learnt[what if rule is None else rule.handle] = ready(
            self.run, rule, before=before, split=self.fit_split, progress=self.progress
        )
        return made

    def _took(self, rule: DecisionOutcomes, part: Any, target: Any) -> bool:
        try:
            rule.add(part, target)
        except InputError as error:
            if not self.tolerant:
                raise
            self.impossible.append(f"{handle_of(self.named)}, {rule.decision.handle}: {error}")
            self.possible = [other for other in self.possible if other.handle != rule.decision.handle]
            return False
        return True

    def _write(self, rule: Decision, columns: pl.DataFrame, values: dict[str, Interval]) -> Scores:
        run, seen, parts = self.run, self.seen, (self.named, rule)
        learnt = {part.handle: self.learnt[part.handle] for part in parts if part is not None}
        learnt = {handle: what for handle, what in learnt.items() if what.split}
        warnings = tuple(what.warning for what in learnt.values() if what.warning)
        # a split that somebody chose makes another evaluation
        ends = [
            "" if part is None or part.handle not in learnt or not self.fit_split else f"@{self.fit_split}"
            for part in parts
        ]
        handles = (self.split, handle_of(self.named) + ends[0], rule.handle + ends[1])
        summary: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "split": handles[0],
            "inference": handles[1],
            "decision": handles[2],
            "rules": {"inference": spec_of(self.named), "decision": spec_of(rule)},
            "num_images": len(seen.paths),
            "num_skipped": seen.num_skipped,
            "fingerprint": run.taxonomy.fingerprint,
            "model": run.model_hash,
            "metrics": {k: {f: _finite(v) for f, v in dataclasses.asdict(i).items()} for k, i in values.items()},
            "curves": self.curves,
        }
        if self.about:
            summary["about"] = self.about
        if learnt:
            summary["fitted"] = {k: v for what in learnt.values() for k, v in what.values.items()}
            summary["fitted_on"] = {handle: what.split for handle, what in learnt.items()}
        if warnings:
            summary["warnings"] = list(warnings)
        path = run.folder.evaluation(*handles)
        with replacing(run.folder.outcomes(*handles)) as temporary:
            columns.write_parquet(temporary)
        write_text(path, json.dumps(summary, indent=1) + "\n")
        return Scores(values, len(seen.paths), seen.num_skipped, path, handles[1], handles[2], warnings)


def _distinct(rules: Sequence[Any]) -> list[Any]:
    """Each rule once, by its handle."""
    return list({None if rule is None else rule.handle: rule for rule in rules}.values())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN
