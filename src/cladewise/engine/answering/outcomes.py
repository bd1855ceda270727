"""Metrics of predictions and of decisions on labelled images, accumulated batch by batch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise import metrics
from cladewise.decisions import Answer, Decision, LabelSets, LevelNodes, Nodes
from cladewise.decisions.climbing import climbing_sequence
from cladewise.decisions.pareto import ParetoSequence, pareto_sequence
from cladewise.errors import InputError
from cladewise.predictions import Prediction
from cladewise.records import Curves, PromiseKept
from cladewise.statistics import FrequencyBounds, Interval, mean_intervals
from cladewise.taxonomy import Taxonomy

CORRECTNESS = (0.9, 0.95)
"""Shares of right answers at which recall is always reported: ``r@90`` and ``r@95``."""
HITS = (1, 3, 5)
"""Values of k of ``hit@k``."""
BINS = 15
"""Number of bins of confidence of a reliability curve."""
CURVE_POINTS = 500
"""Largest number of points of the operating curve in an evaluation."""

RISK_POINTS = 200
"""Largest number of points of each risk–coverage curve in an evaluation."""

Series = dict[str, NDArray[Any]]
Sum = TypeVar("Sum", bound=metrics.Sums)


@dataclasses.dataclass(frozen=True)
class TrainingFrequency:
    """Number of training images labelled with each node itself, and the bounds of labels with many and few."""

    num_images: NDArray[np.int64]
    bounds: FrequencyBounds


class PredictionOutcomes:
    """Metrics of predictions that do not depend on the decision; computed once for all decisions.

    Per image only its values, its few operating points and its label are kept, a few hundred bytes.

    Args:
        taxonomy: The label tree.
        recall_at: Further shares of right answers at which recall is reported.
    """

    def __init__(self, taxonomy: Taxonomy, recall_at: Sequence[float] = ()) -> None:
        self.taxonomy = taxonomy
        self._recall_at = sorted({*CORRECTNESS, *recall_at})
        self._columns, self._targets = _Columns(), _Columns()
        self._sequences: list[ParetoSequence] = []
        self._climbs: list[ParetoSequence] = []
        self._reliability: metrics.ReliabilitySums | None = None
        self._hits: metrics.HitSums | None = None

    def add(self, part: Prediction, target: Tensor) -> None:
        """Add a batch of images."""
        self._columns.add({**metrics.score_prediction(part, target), **metrics.hops(part, target)})
        self._targets.add({"target": target})
        self._sequences.append(pareto_sequence(part).compact())
        self._climbs.append(climbing_sequence(part).compact())
        self._reliability = _added(self._reliability, metrics.ReliabilitySums.of(part, target, BINS))
        self._hits = _added(self._hits, metrics.HitSums.of(part, target, HITS))

    @property
    def is_empty(self) -> bool:
        """Whether no batch has been added."""
        return self._reliability is None

    def rows(self, start: int, stop: int) -> pl.DataFrame:
        """One row per image, of some images one after another."""
        return pl.DataFrame({**self._columns.doubles(start, stop), **_sequence_columns(self._sequence[start:stop])})

    def values(self, *, intervals: bool = True) -> dict[str, Interval]:
        """The metrics."""
        values = _means(self._columns.joined, intervals=intervals)
        if intervals:
            found = metrics.curve_intervals(self._sequence, self._target, self.taxonomy, recall_at=self._recall_at)
            values |= found
        else:
            curve = self._curve()
            values |= {"ap": self._bare(curve.average_precision), "ac": self._bare(curve.average_correct)}
            values |= {metrics.percent_name(x): self._bare(curve.recall_at(x)) for x in self._recall_at}
        by_depth = metrics.operating_curve(self._sequence, self._target, self.taxonomy, measure="depth")
        values["depth_ap"] = self._bare(by_depth.average_precision)
        values["depth_ac"] = self._bare(by_depth.average_correct)
        for name, answers in (("haurc", self._climb), ("haurc_threshold", self._sequence)):
            if intervals:
                values[name] = metrics.risk_interval(answers, self._target, self.taxonomy)
            else:
                values[name] = self._bare(self._risk(answers).risk_area)
        for name, level in self._calibration.items():
            values |= {f"ece/{name}": self._bare(level.ece), f"mce/{name}": self._bare(level.mce)}
        hits = _some(self._hits).values(self.taxonomy, HITS)
        return values | {f"hit@{k}": self._bare(float(hits[f"hit@{k}"])) for k in HITS}

    def curves(self) -> Curves:
        """The operating and risk–coverage curves, thinned, and the calibration bins of every level."""
        by_rule = {"climbing": self._risk(self._climb), "threshold": self._risk(self._sequence)}
        return Curves.from_dict(
            {
                "operating": self._curve().thinned(CURVE_POINTS).to_dict(),
                "reliability": {name: level.to_dict() for name, level in self._calibration.items()},
                "risk": {rule: _risk_points(curve.thinned(RISK_POINTS)) for rule, curve in by_rule.items()},
            }
        )

    @cached_property
    def _sequence(self) -> ParetoSequence:
        joined = ParetoSequence.cat(self._sequences)
        self._sequences.clear()
        return joined

    @cached_property
    def _climb(self) -> ParetoSequence:
        joined = ParetoSequence.cat(self._climbs)
        self._climbs.clear()
        return joined

    @property
    def _target(self) -> Tensor:
        return torch.from_numpy(self._targets.joined["target"])

    def _curve(self) -> metrics.OperatingCurve:
        return metrics.operating_curve(self._sequence, self._target, self.taxonomy)

    def _risk(self, answers: ParetoSequence) -> metrics.OperatingCurve:
        return metrics.operating_curve(answers, self._target, self.taxonomy, measure="specificity")

    @cached_property
    def _calibration(self) -> dict[str, metrics.ReliabilityCurve]:
        return _some(self._reliability).curves(self.taxonomy)

    def _bare(self, value: float) -> Interval:
        """A value without an interval."""
        return Interval(value, math.nan, math.nan, self._sequence.num_images)


class DecisionOutcomes:
    """The answers of a decision and their metrics.

    Args:
        decision: The decision, fitted.
        taxonomy: The label tree.
        frequency: How often the labels occur in training; ``None`` if that is unknown.
    """

    def __init__(self, decision: Decision, taxonomy: Taxonomy, frequency: TrainingFrequency | None = None) -> None:
        self.decision, self.taxonomy, self.frequency = decision, taxonomy, frequency
        self.num_images = 0
        """Number of images so far."""
        self._promises = decision.promises(taxonomy)
        self._kept = torch.zeros(len(self._promises), 2, dtype=torch.int64)
        self._answers, self._columns = _Columns(), _Columns()
        self._labels: list[_Lists] = []
        self._counts: metrics.LabelSums | None = None
        self._sizes: metrics.SizeSums | None = None

    def add(self, part: Prediction, target: Tensor, decision: Decision | None = None) -> Answer:
        """Add a batch of images, and return their answers.

        Args:
            part: The predictions.
            target: The labels.
            decision: The decision bound to further columns of these images, if it needs any.

        Raises:
            InputError: The decision does not apply to this kind of prediction.
        """
        answer = (decision or self.decision)(part)
        if isinstance(answer, LabelSets):  # no single node can be right
            self._answers.add({"target": target})
            self._labels.append(_Lists.of(answer.chosen))
            self._columns.add(metrics.score_set(answer, target, self.taxonomy))
            sizes = metrics.SizeSums.of(answer)
        else:
            self._answers.add(_answer_columns(answer, target, self.taxonomy))
            sizes = None
        self._counts = _added(self._counts, metrics.LabelSums.of(answer, target, self.taxonomy))
        if sizes is not None:
            self._sizes = _added(self._sizes, sizes)
        else:
            ranking = self.decision.ranking(part, metrics.RANKING_LENGTH, answer)
            self._columns.add(metrics.score_answer(answer, ranking, target, self.taxonomy))
            if self._promises and isinstance(answer, Nodes):
                self._kept += self.decision.kept(part, answer, target).cpu()
        self.num_images += len(target)
        return answer

    @property
    def promises(self) -> tuple[PromiseKept, ...]:
        """The promises of the decision about some image, and how many images they were kept for."""
        pairs = zip(self._promises, self._kept.tolist(), strict=True)
        return tuple(PromiseKept(one.name, one.share, right, images) for one, (right, images) in pairs if images)

    def rows(self, start: int, stop: int) -> pl.DataFrame:
        """One row per image, of some images one after another."""
        columns: dict[str, Any] = {name: values[start:stop] for name, values in self._answers.joined.items()}
        if self._sizes is not None:
            columns["labels"] = self._joined_labels.series(start, stop)
        elif "confidence" in columns:
            columns["confidence"] = columns["confidence"].astype(np.float64)
        return pl.DataFrame({**columns, **self._columns.doubles(start, stop)})

    def values(self, *, intervals: bool = True) -> dict[str, Interval]:
        """The metrics; ``level_accuracy`` is the mean over the levels of their accuracies."""
        values: dict[str, Interval] = {}
        if self._sizes is not None:
            values = _means(self._columns.joined, intervals=intervals)
        else:
            columns = self._columns.joined
            levels = [f"level_accuracy/{name}" for name in self.taxonomy.level_names]
            series = {**columns, "level_accuracy": [columns[name] for name in levels]}
            means = _means(series, intervals=intervals)
            accuracies = torch.tensor([means[name].value for name in levels], dtype=torch.float64)
            weighted = float(metrics.weighted_level_accuracy(accuracies, self.taxonomy))
            means["weighted_level_accuracy"] = Interval(weighted, math.nan, math.nan, means["level_accuracy"].count)
            first = list(columns).index(levels[0])  # the means over the levels are listed before them
            order = [*columns]
            order[first:first] = ["level_accuracy", "weighted_level_accuracy"]
            values = {name: means[name] for name in order}
        counts = _some(self._counts).values(self.taxonomy)
        by_level = [f"{name}/{level}" for name in metrics.AVERAGES for level in self.taxonomy.level_names]
        names = [*metrics.AVERAGES, *by_level]
        if self._sizes is not None:
            counts |= self._sizes.values()
            names += metrics.SIZES
        values |= {name: Interval(float(counts[name]), math.nan, math.nan, self.num_images) for name in names}
        return values | self._by_frequency()

    def _by_frequency(self) -> dict[str, Interval]:
        """Recall of labels with many, medium and few training images; the counts are those of labels."""
        if self.frequency is None:
            return {}
        known = self.frequency
        found = metrics.recall_by_frequency(_some(self._counts), known.num_images, self.taxonomy, known.bounds)
        return {name: Interval(group.value, math.nan, math.nan, group.num_labels) for name, group in found.items()}

    @cached_property
    def _joined_labels(self) -> _Lists:
        joined = _Lists.cat(self._labels)
        self._labels.clear()
        return joined


class _Columns:
    """Values per image by name, in the precision in which they come, joined when all are there."""

    def __init__(self) -> None:
        self._parts: list[dict[str, Any]] = []

    def add(self, values: Mapping[str, Tensor | NDArray[Any]]) -> None:
        """Add a batch of images."""
        self._parts.append({k: v.cpu().numpy() if isinstance(v, Tensor) else v for k, v in values.items()})

    @cached_property
    def joined(self) -> Series:
        """All values, and no longer the batches."""
        names = list(self._parts[0]) if self._parts else []
        joined = {name: np.concatenate([part.pop(name) for part in self._parts]) for name in names}
        self._parts.clear()
        return joined

    def doubles(self, start: int, stop: int) -> Series:
        """Values of some images in double precision."""
        return {name: values[start:stop].astype(np.float64) for name, values in self.joined.items()}


@dataclasses.dataclass(frozen=True)
class _Lists:
    """A list of nodes per image, without a Python object for each."""

    values: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, chosen: Tensor) -> _Lists:
        """The nodes at which rows are true."""
        lengths = chosen.sum(-1).cpu().numpy()
        nodes = chosen.nonzero()[:, 1].int().cpu().numpy()
        return cls(nodes, np.concatenate([np.zeros(1, np.int64), lengths.cumsum()]))

    @classmethod
    def cat(cls, parts: Sequence[_Lists]) -> _Lists:
        """The images of several, one after another."""
        lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.offsets) for part in parts)])
        return cls(np.concatenate([part.values for part in parts]), lengths.cumsum())

    def series(self, start: int, stop: int) -> pl.Series:
        """The lists of some images as a column."""
        offsets = self.offsets[start : stop + 1]
        return _lists(self.values[offsets[0] : offsets[-1]].astype(np.int64), offsets - offsets[0])


def _answer_columns(answer: Nodes | LevelNodes, target: Tensor, taxonomy: Taxonomy) -> dict[str, NDArray[Any]]:
    """Answers and labels, one value per image."""
    if isinstance(answer, Nodes):
        predicted, confidence = answer.node, answer.log_prob
        extra = {} if answer.new is None else {"new": answer.new}
    else:
        predicted, confidence = answer.node[:, -1], answer.log_prob[:, -1]
        extra = {f"predicted_{name}": answer.node[:, k] for k, name in enumerate(taxonomy.level_names)}
    tensors = {"target": target, "predicted": predicted, **extra}
    columns = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    columns["lca"] = taxonomy.meet(columns["target"], columns["predicted"])
    columns["confidence"] = confidence.cpu().numpy()
    return columns


def _risk_points(curve: metrics.OperatingCurve) -> dict[str, list[float | None]]:
    """A curve of specificities as coverage and risk, as stored in an evaluation."""
    points = curve.to_dict()
    risk = [None if x is None else 1 - x for x in points["correct"]]
    return {"threshold": points["threshold"], "coverage": points["recall"], "risk": risk}


def _sequence_columns(sequence: ParetoSequence) -> dict[str, pl.Series]:
    """The operating points of each image as two list columns."""
    offsets = sequence.offsets.cpu().numpy()
    return {
        "operating_nodes": _lists(sequence.node.long().cpu().numpy(), offsets),
        "operating_log_probs": _lists(sequence.log_prob.float().cpu().numpy(), offsets),
    }


def _lists(values: NDArray[Any], offsets: NDArray[np.int64]) -> pl.Series:
    """One list per row, built from flat values without a Python object per value."""
    import pyarrow as pa

    return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values)))


def _added(sums: Sum | None, more: Sum) -> Sum:
    return more if sums is None else sums + more


def _some(sums: Sum | None) -> Sum:
    """The sums, of which there are some as soon as there was a batch."""
    if sums is None:
        raise InputError("at least one batch of images", "none")
    return sums


def _means(columns: Mapping[str, NDArray[Any] | list[NDArray[Any]]], *, intervals: bool) -> dict[str, Interval]:
    if intervals:
        return mean_intervals(columns)
    return {name: _plain_mean(values if isinstance(values, list) else [values]) for name, values in columns.items()}


def _plain_mean(series: Sequence[NDArray[Any]]) -> Interval:
    """Mean over the series of their means over the images that count, as in :func:`mean_intervals`."""
    rows = [row.astype(np.float64) for row in series]
    means = [row[~np.isnan(row)].mean() for row in rows if not np.isnan(row).all()]
    counted = np.zeros(len(rows[0]), dtype=np.bool_)
    for row in rows:
        counted |= ~np.isnan(row)
    return Interval(float(np.mean(means)) if means else math.nan, math.nan, math.nan, int(counted.sum()))
