"""Evaluation of a run on a split, by any inferences and decisions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from torch import Tensor

from cladewise.atomic import replacing
from cladewise.datasets import Dataset
from cladewise.decisions import Answer, Decision
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.drift import ScoreWatch
from cladewise.engine.answering.fitted_rules import Ready
from cladewise.engine.answering.frequencies import training_frequency
from cladewise.engine.answering.groups import DEFAULT, Grouping
from cladewise.engine.answering.outcomes import DecisionOutcomes, PredictionOutcomes, TrainingFrequency
from cladewise.engine.answering.readying import Readying
from cladewise.engine.answering.reconstructed import reconstruction_metrics
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.answering.scoring import scored
from cladewise.engine.rules import decision_of, handle_of, inference_of, only_allowed
from cladewise.engine.run import Run
from cladewise.errors import InputError, warn
from cladewise.inference import Inference
from cladewise.inference.columns import notes_on
from cladewise.parquet import write_parquet_parts
from cladewise.predictions import Pool, Prediction
from cladewise.records import Curves, Evaluation, Tree, write_evaluation
from cladewise.runtimes import using
from cladewise.statistics import FrequencyBounds, Interval
from cladewise.taxonomy import Taxonomy

ROWS_AT_ONCE = 1 << 18
"""Images of a part of the table of values per image."""

DecisionChoice = str | Decision | None
InferenceChoice = str | Inference | None
Result = TypeVar("Result")


def evaluate(
    run: Run | str | Path,
    *,
    split: str = "test",
    decision: DecisionChoice = None,
    inference: InferenceChoice = None,
    data: Dataset | None = None,
    fit_split: str | None = None,
    recall_at: Sequence[float] = (),
    few_below: int = 20,
    many_above: int = 100,
    tree: Tree = "true",
    allowed: str | Path | Sequence[str] | None = None,
    group_by: str | None = None,
    pool: Pool = DEFAULT,
    runtime: str | None = None,
    progress: bool = True,
    **parameters: Any,
) -> Evaluation:
    """Evaluate a run on a split and write the result into its folder, next to earlier evaluations.

    The head's scores are kept, so evaluating another decision or inference later needs neither images nor model.

    Args:
        run: A run, or its folder.
        split: Split of the data; several are joined with ``+``.
        decision: A rule, its name or its spec (``"greedy:threshold=0.5"``); the method's own by default.
        inference: A rule or its spec, several joined with ``+``; the method's own by default, ``"none"`` for none.
        data: Other data than the run's, with the same taxonomy.
        fit_split: Split to fit rules on that have parameters to learn, or ``5-fold`` for the training images by
            cross-validation; the rule's own by default.
        recall_at: Further shares of right answers, in [0, 1], at which to report recall: 0.99 gives ``r@99``.
        few_below: Number of training images below which a label counts for ``few_recall``.
        many_above: Number of training images above which a label counts for ``many_recall``.
        tree: ``"true"`` scores in the true tree, ``"own"`` in the altered one that the network was trained with.
        allowed: Labels that are possible, or a file with one per line: the subset inference, after the others.
        group_by: Images that show the same thing, to be answered as one: a column of the table that lists them,
            ``"folder"``, ``"path:REGEX"``, or a table with the columns ``path`` and ``group``. The inference is applied
            to each image; then the predictions of a group are pooled, on which decisions are fitted and evaluated.
        pool: The way of pooling, see :func:`cladewise.predictions.pooled`.
        runtime: Runtime of the image encoder, see :func:`cladewise.runtimes.compile`: ``auto``, ``torch``,
            ``onnxruntime`` or ``openvino``. Used only if images have to be encoded.
        progress: Show progress bars.
        **parameters: Parameters of a decision given by name: ``threshold=0.9``.

    Raises:
        InputError: There is no such split, no image of it can be read, or a rule does not exist or does not apply.
    """
    run = Run.open(run)
    rule = decision_of(decision, run.decision, **parameters)
    found = evaluate_all(
        run,
        split=split,
        decisions=[rule],
        inferences=[inference],
        data=data,
        fit_split=fit_split,
        recall_at=recall_at,
        few_below=few_below,
        many_above=many_above,
        tree=tree,
        allowed=allowed,
        group_by=group_by,
        pool=pool,
        runtime=runtime,
        progress=progress,
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
    recall_at: Sequence[float] = (),
    few_below: int = 20,
    many_above: int = 100,
    tree: Tree = "true",
    allowed: str | Path | Sequence[str] | None = None,
    group_by: str | None = None,
    pool: Pool = DEFAULT,
    runtime: str | None = None,
    progress: bool = True,
    impossible: list[str] | None = None,
) -> list[Evaluation]:
    """Evaluate every decision after every inference, loading scores and running each inference only once.

    Args:
        run: A run, or its folder.
        split: Split of the data; several are joined with ``+``.
        decisions: As for :func:`evaluate`.
        inferences: As for :func:`evaluate`.
        data: Other data than the run's, with the same taxonomy.
        fit_split: As for :func:`evaluate`.
        recall_at: As for :func:`evaluate`.
        few_below: As for :func:`evaluate`.
        many_above: As for :func:`evaluate`.
        tree: As for :func:`evaluate`.
        allowed: As for :func:`evaluate`.
        group_by: As for :func:`evaluate`.
        pool: As for :func:`evaluate`.
        runtime: As for :func:`evaluate`.
        progress: Show progress bars.
        impossible: A list that gets one line for each combination that does not apply to this head; without it, the
            first such combination is an error.

    Raises:
        InputError: As :func:`evaluate`.
    """
    run = Run.open(run).reopened()
    if run.carried is not None and not run.folder.carried_answers.is_file():
        advice = "Migrate it into a folder of its own: cladewise migrate."
        raise InputError("a run in the tree of its folder", "one that answers in another", advice=advice)
    answers_in = run.answer_tree(tree)
    for correct in recall_at:
        if not 0 <= correct <= 1:
            raise InputError("a correctness in [0, 1]", correct, advice="R@99 is 0.99.")
    bounds = FrequencyBounds(few_below, many_above)
    before = _distinct([only_allowed(inference_of(rule, run.inference), allowed) for rule in inferences])
    rules = _distinct([decision_of(rule, run.decision) for rule in decisions])
    if data is None:
        _tell_if_drawn_anew(run, split)
    with using(runtime):
        seen = scored(run, split, data, progress=progress)
        grouping = None if group_by is None else Grouping(group_by, pool)
        rules_of_run = Readying(run, answers_in, fit_split, grouping, progress)
        of_labels = reconstruction_metrics(run, answers_in.tree)
        frequency = training_frequency(run, answers_in, bounds)
        task = _Task(rules_of_run, split, seen, impossible, tuple(recall_at), of_labels=of_labels, frequency=frequency)
        return [score for rule in before for score in task.evaluate(rule, rules)]


def evaluate_metric(
    run: Run, metric: str, *, split: str, data: Dataset | None = None, bounds: FrequencyBounds | None = None
) -> float:
    """One metric of a run with its method's own rules in the true tree, without intervals and without writing a file.

    Args:
        run: The run.
        metric: Name of the metric.
        split: Split of the data.
        data: Other data than the run's, with the same taxonomy.
        bounds: Bounds of labels with many and few training images.

    Raises:
        InputError: There is no such metric.
    """
    rules = Readying(run, run.answer_tree())
    frequency = training_frequency(run, rules.tree, bounds or FrequencyBounds())
    task = _Task(rules, split, scored(run, split, data, progress=False), frequency=frequency)
    before = rules.ready(run.inference)
    result = task.outcomes(before, [rules.ready(run.decision, before.rule)])
    values = result.of_predictions[0].values(intervals=False) | result.of_decisions[0].values(intervals=False)
    if metric not in values:
        values |= reconstruction_metrics(run)
    if metric not in values:
        raise InputError(f"a metric: {', '.join(values)}", repr(metric))
    return values[metric].value


@dataclasses.dataclass(frozen=True)
class _Judged:
    """A decision with its outcomes, and those of the prediction that its own inferences make, if it has any."""

    rule: Ready[Decision]
    of_decision: DecisionOutcomes
    of_prediction: PredictionOutcomes
    watch: ScoreWatch

    @classmethod
    def of(
        cls,
        rule: Ready[Decision],
        taxonomy: Taxonomy,
        recall_at: Sequence[float],
        frequency: TrainingFrequency | None,
    ) -> _Judged:
        """A decision before the first image."""
        own = PredictionOutcomes(taxonomy, recall_at)
        return cls(rule, DecisionOutcomes(rule.rule.final, taxonomy, frequency), own, rule.watch())

    def add(self, prediction: Prediction, target: Tensor, bound: Decision) -> Answer:
        """Add a batch of images, and return their answers.

        Args:
            prediction: The predictions.
            target: The labels.
            bound: The rule, bound to further columns of these images if it needs any.

        Raises:
            InputError: The rule does not apply to this kind of prediction.
        """
        seen = bound.decided_on(prediction)
        answer = self.of_decision.add(seen, target, bound.final)
        if seen is not prediction:
            self.of_prediction.add(seen, target)
        self.watch.add(prediction, answer)
        return answer


@dataclasses.dataclass(frozen=True)
class _Outcomes:
    """The metrics of one pass over the images: of every decision that applied, and of what each decided on.

    Decisions without inferences of their own share the outcomes of the prediction.
    """

    of_predictions: list[PredictionOutcomes]
    of_decisions: list[DecisionOutcomes]
    decisions: list[Ready[Decision]]
    about: dict[str, str]
    drift: list[tuple[str, ...]]
    """For each decision, a sentence for each rule that was fitted on other scores than these."""


@dataclasses.dataclass(frozen=True)
class _Task:
    """The scores of a run on a split, to be evaluated by several rules."""

    rules: Readying
    split: str
    seen: Scored
    impossible: list[str] | None = None
    recall_at: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    of_labels: Mapping[str, Interval] = dataclasses.field(default_factory=dict[str, Interval])
    """Metrics of the run's label vectors, if it has any."""
    frequency: TrainingFrequency | None = None
    """How often the labels occur in training, if that is known."""

    @property
    def run(self) -> Run:
        """The run."""
        return self.rules.run

    @property
    def tree(self) -> AnswerTree:
        """The tree that it answers in."""
        return self.rules.tree

    @property
    def grouping(self) -> Grouping | None:
        """Groups of images that are answered as one."""
        return self.rules.grouping

    def evaluate(self, inference: Inference | None, decisions: Sequence[Decision]) -> list[Evaluation]:
        """Evaluate every decision after one inference, and write each evaluation into the run folder."""
        before = self.attempt(handle_of(inference), lambda: self.rules.ready(inference))
        if before is None:
            return []
        rules = [
            self.attempt(f"{before.handle}, {rule.handle}", functools.partial(self.rules.ready, rule, before.rule))
            for rule in decisions
        ]
        possible = [rule for rule in rules if rule is not None]
        ready_to_run = self.attempt(before.handle, lambda: self.noted(before))
        return [] if ready_to_run is None else ready_to_run[0].by_all(ready_to_run[1], possible)

    def noted(self, before: Ready[Any]) -> tuple[_Task, Ready[Any]]:
        """The task with what is to be said about its images, whose groups take their place after the inference."""
        notes = notes_on(before.rule, self.seen.columns_for(before.rule), self.run.own_taxonomy)
        seen, left, told = self.rules.in_groups(self.seen, before)
        return dataclasses.replace(self, seen=seen, notes=(*notes, *told)), left

    def by_all(self, before: Ready[Any], possible: Sequence[Ready[Decision]]) -> list[Evaluation]:
        """Evaluate decisions that are ready, and write each evaluation into the run folder."""
        done = self.attempt(before.handle, lambda: self.outcomes(before, possible))
        if done is None:
            return []
        distinct = {id(predicted): predicted for predicted in done.of_predictions}  # most decisions share one
        of = {key: (predicted.values(), predicted.curves()) for key, predicted in distinct.items()}
        written: list[Evaluation] = []
        found = zip(done.decisions, done.of_decisions, done.of_predictions, done.drift, strict=True)
        for rule, decided, predicted, drift in found:
            values, curves = of[id(predicted)]
            tables = self.tables(decided, predicted)
            every = {**decided.values(), **values, **self.of_labels}
            written.append(self.write(before, rule, decided, tables, every, curves, done.about, drift))
        return written

    def tables(self, decided: DecisionOutcomes, predicted: PredictionOutcomes) -> Iterator[pl.DataFrame]:
        """The values per image, for many images in parts."""
        for start in range(0, len(self.seen.paths), ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, len(self.seen.paths))
            paths = pl.Series("path", self.seen.paths[start:stop], dtype=pl.String)
            table = decided.rows(start, stop).hstack(predicted.rows(start, stop))
            if self.grouping is not None and self.seen.columns is not None:
                table = self.seen.columns[start:stop].select("images").hstack(table)
            yield table.insert_column(0, paths)

    def outcomes(self, before: Ready[Any], rules: Sequence[Ready[Decision]]) -> _Outcomes:
        """One pass over the images in parts: prediction, inference, conversion to the scoring tree, decisions."""
        infer: Inference | None = before.rule
        about: dict[str, str] = {}
        taxonomy = self.tree.taxonomy
        shared = PredictionOutcomes(taxonomy, self.recall_at)
        judged = [_Judged.of(rule, taxonomy, self.recall_at, self.frequency) for rule in rules]
        watch, start = before.watch(), 0
        for part, true in self.seen.parts():
            rows = slice(start, start + len(true))
            start = rows.stop
            bound: Inference | None = self.seen.bound(infer, rows)
            about = about or (bound.about(part) if bound is not None else {})
            inferred = self.tree.prediction(part if bound is None else bound(part))
            target = (
                true if self.tree.carried is not None else self.tree.nodes(true)
            )  # scores of a migrated run have them
            watch.add(part)
            shared.add(inferred, target)
            took = [
                self.attempt(
                    f"{before.handle}, {one.rule.handle}",
                    functools.partial(one.add, inferred, target, self.seen.bound(one.rule.rule, rows)),
                )
                for one in judged
            ]
            judged = [one for one, answer in zip(judged, took, strict=True) if answer is not None]
        seen = [shared if one.of_prediction.is_empty else one.of_prediction for one in judged]
        drift = [(*watch.warnings, *one.watch.warnings) for one in judged]
        return _Outcomes(seen, [one.of_decision for one in judged], [one.rule for one in judged], about, drift)

    def attempt(self, what: str, work: Callable[[], Result]) -> Result | None:
        """The result of the work; ``None`` after noting why, if it does not apply and that is allowed.

        Raises:
            InputError: The work does not apply, and that is not allowed.
        """
        try:
            return work()
        except InputError as error:
            if self.impossible is None:
                raise
            self.impossible.append(f"{what}: {error}")
            return None

    def write(
        self,
        before: Ready[Any],
        rule: Ready[Decision],
        decided: DecisionOutcomes,
        tables: Iterator[pl.DataFrame],
        values: dict[str, Interval],
        curves: Curves,
        about: dict[str, str],
        drift: Sequence[str],
    ) -> Evaluation:
        """Write one evaluation and its per-image values."""
        run, seen = self.run, self.seen
        fitted = [part for part in (before, rule) if part.split]
        promise = rule.rule.promise if rule.split else None  # a rule with given parameters promises nothing
        handles = (self.split, before.handle, rule.handle)
        evaluation = Evaluation(
            split=self.split,
            inference=before.handle,
            decision=rule.handle,
            tree=self.tree.tree,
            rules={"inference": before.spec, "decision": rule.spec},
            num_images=len(seen.paths),
            num_skipped=seen.num_skipped,
            fingerprint=self.tree.taxonomy.fingerprint,
            model=run.model_hash,
            data=seen.data,
            fitted={name: value for part in fitted for name, value in part.values.items()},
            fitted_on={part.handle: part.split for part in fitted},
            promise=promise,
            promises=() if promise is None else decided.promises,
            warnings=(
                *self.notes,
                *notes_on(rule.rule, seen.columns_for(rule.rule), self.tree.before.taxonomy),
                *(text for part in fitted for text in part.warnings),
                *_judged_on_own(fitted, self.split),
                *drift,
            ),
            metrics=values,
            curves=curves,
            about=about,
            frequencies={} if self.frequency is None else dataclasses.asdict(self.frequency.bounds),
            grouped_by="" if self.grouping is None else self.grouping.by,
            path=run.folder.evaluation(*handles, self.tree.tree),
        )
        with replacing(evaluation.outcomes) as temporary:
            write_parquet_parts(tables, temporary)
        write_evaluation(evaluation)
        return evaluation


def _judged_on_own(fitted: Sequence[Ready[Any]], split: str) -> list[str]:
    """A warning for each rule that is judged on images that it learnt from."""
    judged = set(split.split("+"))
    own = [part for part in fitted if not judged.isdisjoint(part.split.split("+"))]
    return [f"{part.handle} is judged on {split}, but learnt from {part.split}" for part in own]


def _tell_if_drawn_anew(run: Run, split: str) -> None:
    """Warn if the splits are random and differ from those used in training."""
    run = run.before_migration
    dataset = run.dataset_if_there
    if dataset is not None and "fractions" in dataset.source and run.is_trained_on_other(dataset):
        warn(
            f"images or labels of {dataset.name} have changed since training, so its random splits are different: "
            f"{split} may contain images that the run was trained on",
            at=str(run.path),
            advice="Retrain, or fix the splits, as folders or as the column split of a manifest.",
        )


def _distinct(rules: Sequence[Any]) -> list[Any]:
    """The rules without repeated handles."""
    return list({None if rule is None else rule.handle: rule for rule in rules}.values())
