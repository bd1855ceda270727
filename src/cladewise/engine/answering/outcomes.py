"""Metrics of predictions and of decisions on labelled images, accumulated batch by batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise import metrics
from cladewise.decisions import Answer, Decision, LabelSets, Nodes
from cladewise.decisions.pareto import ParetoSequence, pareto_sequence
from cladewise.predictions import Prediction
from cladewise.records import Curves
from cladewise.statistics import Interval, mean_intervals
from cladewise.taxonomy import Taxonomy

CORRECTNESS = (0.9, 0.95)
"""Shares of right answers at which recall is always reported: ``r@90`` and ``r@95``."""
HITS = (1, 3, 5)
"""Values of k of ``hit@k``."""
BINS = 15
"""Number of bins of confidence of a reliability curve."""
CURVE_POINTS = 500
"""Largest number of points of the operating curve in an evaluation."""

Series = dict[str, NDArray[np.float64]]


class PredictionOutcomes:
    """Metrics of predictions that do not depend on the decision; computed once for all decisions.

    Args:
        taxonomy: The label tree.
        recall_at: Further shares of right answers at which recall is reported.
    """

    def __init__(self, taxonomy: Taxonomy, recall_at: Sequence[float] = ()) -> None:
        self.taxonomy = taxonomy
        self._recall_at = sorted({*CORRECTNESS, *recall_at})
        self._columns: list[dict[str, Tensor]] = []
        self._sequences: list[ParetoSequence] = []
        self._targets: list[Tensor] = []
        self._reliability: list[metrics.ReliabilitySums] = []
        self._hits: list[metrics.HitSums] = []

    def add(self, part: Prediction, target: Tensor) -> None:
        """Add a batch of images."""
        self._columns.append(metrics.score_prediction(part, target))
        self._sequences.append(pareto_sequence(part))
        self._targets.append(target)
        self._reliability.append(metrics.ReliabilitySums.of(part, target, BINS))
        self._hits.append(metrics.HitSums.of(part, target, HITS))

    def columns(self) -> pl.DataFrame:
        """One row per image."""
        return pl.DataFrame({**self._joined, **_sequence_columns(self._sequence)})

    def values(self, *, intervals: bool = True) -> dict[str, Interval]:
        """The metrics."""
        target = torch.cat(self._targets)
        values = _means(self._joined, intervals=intervals)
        if intervals:
            values |= metrics.curve_intervals(self._sequence, target, self.taxonomy, recall_at=self._recall_at)
        else:
            curve = self._curve
            values |= {"ap": self._bare(curve.average_precision), "ac": self._bare(curve.average_correct)}
            values |= {metrics.percent_name(x): self._bare(curve.recall_at(x)) for x in self._recall_at}
        by_depth = metrics.operating_curve(self._sequence, target, self.taxonomy, measure="depth")
        values["depth_ap"] = self._bare(by_depth.average_precision)
        values["depth_ac"] = self._bare(by_depth.average_correct)
        for name, level in self._calibration.items():
            values |= {f"ece/{name}": self._bare(level.ece), f"mce/{name}": self._bare(level.mce)}
        hits = metrics.total(self._hits).values(self.taxonomy, HITS)
        return values | {f"hit@{k}": self._bare(float(hits[f"hit@{k}"])) for k in HITS}

    def curves(self) -> Curves:
        """The operating curve, thinned, and the calibration bins of every level."""
        return Curves.from_dict(
            {
                "operating": self._curve.thinned(CURVE_POINTS).to_dict(),
                "reliability": {name: level.to_dict() for name, level in self._calibration.items()},
            }
        )

    @cached_property
    def _sequence(self) -> ParetoSequence:
        return ParetoSequence.cat(self._sequences)

    @cached_property
    def _curve(self) -> metrics.OperatingCurve:
        return metrics.operating_curve(self._sequence, torch.cat(self._targets), self.taxonomy)

    @cached_property
    def _calibration(self) -> dict[str, metrics.ReliabilityCurve]:
        return metrics.total(self._reliability).curves(self.taxonomy)

    @cached_property
    def _joined(self) -> Series:
        return _joined(self._columns)

    def _bare(self, value: float) -> Interval:
        """A value without an interval."""
        return Interval(value, math.nan, math.nan, self._sequence.num_images)


class DecisionOutcomes:
    """The answers of a decision and their metrics.

    Args:
        decision: The decision, fitted.
        taxonomy: The label tree.
    """

    def __init__(self, decision: Decision, taxonomy: Taxonomy) -> None:
        self.decision, self.taxonomy = decision, taxonomy
        self._frames: list[pl.DataFrame] = []
        self._columns: list[dict[str, Tensor]] = []
        self._counts: list[metrics.LabelSums] = []
        self._sizes: list[metrics.SizeSums] = []

    def add(self, part: Prediction, target: Tensor) -> Answer:
        """Add a batch of images, and return their answers.

        Raises:
            InputError: The decision does not apply to this kind of prediction.
        """
        answer = self.decision(part)
        self._frames.append(_answer_columns(answer, target, self.taxonomy))
        self._counts.append(metrics.LabelSums.of(answer, target, self.taxonomy))
        if isinstance(answer, LabelSets):  # only counts of labels are defined for them
            self._sizes.append(metrics.SizeSums.of(answer))
        else:
            ranking = self.decision.ranking(part, metrics.RANKING_LENGTH, answer)
            self._columns.append(metrics.score_answer(answer, ranking, target, self.taxonomy))
        return answer

    def frame(self) -> pl.DataFrame:
        """One row per image."""
        return pl.concat(self._frames).with_columns(**{k: pl.Series(v) for k, v in _joined(self._columns).items()})

    def values(self, *, intervals: bool = True) -> dict[str, Interval]:
        """The metrics; ``level_accuracy`` is the mean over the levels of their accuracies."""
        values: dict[str, Interval] = {}
        if self._columns:
            columns = _joined(self._columns)
            levels = [f"level_accuracy/{name}" for name in self.taxonomy.level_names]
            series = columns | {"level_accuracy": np.stack([columns[name] for name in levels])}
            means = _means(series, intervals=intervals)
            accuracies = torch.tensor([means[name].value for name in levels], dtype=torch.float64)
            weighted = float(metrics.weighted_level_accuracy(accuracies, self.taxonomy))
            means["weighted_level_accuracy"] = Interval(weighted, math.nan, math.nan, means["level_accuracy"].count)
            first = list(columns).index(levels[0])  # the means over the levels are listed before them
            order = [*columns]
            order[first:first] = ["level_accuracy", "weighted_level_accuracy"]
            values = {name: means[name] for name in order}
        counts = metrics.total(self._counts).values(self.taxonomy)
        num_images = sum(map(len, self._frames))
        by_level = [f"{name}/{level}" for name in metrics.AVERAGES for level in self.taxonomy.level_names]
        names = [*metrics.AVERAGES, *by_level]
        if not self._columns:
            counts |= metrics.total(self._sizes).values()
            names += metrics.SIZES
        return values | {name: Interval(float(counts[name]), math.nan, math.nan, num_images) for name in names}


def _answer_columns(answer: Answer, target: Tensor, taxonomy: Taxonomy) -> pl.DataFrame:
    """Answers and labels, one row per image."""
    if isinstance(answer, LabelSets):
        sets = [row.nonzero().squeeze(-1).tolist() for row in answer.chosen]
        return pl.DataFrame({"target": target.cpu().numpy(), "labels": pl.Series(sets, dtype=pl.List(pl.Int64))})
    if isinstance(answer, Nodes):
        predicted, confidence, extra = answer.node, answer.log_prob, {}
    else:
        predicted, confidence = answer.node[:, -1], answer.log_prob[:, -1]
        extra = {f"predicted_{name}": answer.node[:, k] for k, name in enumerate(taxonomy.level_names)}
    tensors = {"target": target, "predicted": predicted, **extra}
    columns: dict[str, Any] = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    columns["lca"] = taxonomy.lca(columns["target"], columns["predicted"])
    columns["confidence"] = confidence.double().cpu().numpy()
    return pl.DataFrame(columns)


def _sequence_columns(sequence: ParetoSequence) -> dict[str, pl.Series]:
    """The operating points of each image as two list columns."""
    offsets = sequence.offsets.cpu().numpy()
    return {
        "operating_nodes": _lists(sequence.node.cpu().numpy(), offsets),
        "operating_log_probs": _lists(sequence.log_prob.float().cpu().numpy(), offsets),
    }


def _lists(values: NDArray[Any], offsets: NDArray[np.int64]) -> pl.Series:
    """One list per row, built from flat values without a Python object per value."""
    import pyarrow as pa

    return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values)))


def _joined(parts: list[dict[str, Tensor]]) -> Series:
    if not parts:
        return {}
    return {name: torch.cat([part[name] for part in parts]).double().cpu().numpy() for name in parts[0]}


def _means(columns: Series, *, intervals: bool) -> dict[str, Interval]:
    if intervals:
        return mean_intervals(columns)
    return {name: _plain_mean(values) for name, values in columns.items()}


def _plain_mean(values: NDArray[np.float64]) -> Interval:
    """Mean over the series of their means over the images that count, as in :func:`mean_intervals`."""
    series = np.atleast_2d(values)
    means = [row[~np.isnan(row)].mean() for row in series if not np.isnan(row).all()]
    count = int((~np.isnan(series)).any(0).sum())
    return Interval(float(np.mean(means)) if means else math.nan, math.nan, math.nan, count)
