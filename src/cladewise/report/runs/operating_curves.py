"""Operating curves: correctness against specificity as the threshold on the probability falls."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from cladewise.records import CurvePoints
from cladewise.report.runs.lines import Line
from cladewise.report.runs.run import FloatArray

GRID = 200
"""Points of a curve after averaging."""


@dataclasses.dataclass(frozen=True)
class CurveMeasure:
    """A quantity plotted against the information recall: its name in files, and its axis title, heading and caption."""

    name: str
    axis: str
    title: str
    reading: str


CORRECT = CurveMeasure(
    "correct",
    "correct answers, %",
    "Correct against information recall",
    "The share of answers that are right (the label itself or a node above it) at each specificity. A line that stays"
    " high for longer gives more specific answers before it makes mistakes.",
)
PRECISION = CurveMeasure(
    "precision",
    "information precision, %",
    "Information precision against recall",
    "The share of the information in the answers that is true. A wrong species of the right genus is still credited for"
    " the genus, so this falls more slowly than correctness.",
)
MEASURES = (CORRECT, PRECISION)


@dataclasses.dataclass(frozen=True)
class Curve:
    """Operating points ``[point]`` of one run, from answers at the root to answers at the leaves.

    ``threshold`` is the probability above which a node is answered; 1 for the point where every answer is the root.
    """

    seed: int
    threshold: FloatArray
    recall: FloatArray
    precision: FloatArray
    correct: FloatArray

    def at_threshold(self, thresholds: FloatArray) -> dict[str, FloatArray]:
        """Recall, precision and correctness ``[threshold]`` at the last point that reaches each threshold."""
        last = np.searchsorted(-self.threshold, -thresholds, side="right") - 1
        last = np.maximum(last, 0)
        return {name: getattr(self, name)[last] for name in ("recall", "precision", "correct")}


@dataclasses.dataclass(frozen=True)
class MeanCurve:
    """The curves of a line's runs, averaged at equal recall.

    ``mean`` and ``sd`` are ``[point]`` by name of the measure; ``sd`` is NaN for a single run. The range of recall is
    the one that all runs cover.
    """

    line: Line
    curves: tuple[Curve, ...]
    recall: FloatArray
    threshold: FloatArray
    mean: Mapping[str, FloatArray]
    sd: Mapping[str, FloatArray]


def read_curve(points: CurvePoints, seed: int) -> Curve:
    """The operating curve of an evaluation.

    Example:
        >>> points = CurvePoints(threshold=(np.nan, 0.5), recall=(0, 0.9), precision=(1, 0.9), correct=(1, 0.8))
        >>> read_curve(points, seed=0).at_threshold(np.array([0.6, 0.5]))["recall"].tolist()
        [0.0, 0.9]
    """
    threshold, recall, precision, correct = (
        np.asarray(column, dtype=np.float64)
        for column in (points.threshold, points.recall, points.precision, points.correct)
    )
    threshold = np.where(np.isnan(threshold), 1.0, threshold)
    return Curve(seed, threshold, recall, precision, correct)


def mean_curves(lines: Sequence[Line]) -> list[MeanCurve]:
    """The mean curve of every line that has operating points."""
    found = [(line, tuple(read_curve(c, run.seed) for run, c in line.operating_curves())) for line in lines]
    return [_mean_curve(line, curves) for line, curves in found if curves]


def _mean_curve(line: Line, curves: tuple[Curve, ...]) -> MeanCurve:
    recall, mean, sd = average(curves)
    return MeanCurve(line, curves, recall, mean["threshold"], mean, sd)


def average(curves: Sequence[Curve]) -> tuple[FloatArray, dict[str, FloatArray], dict[str, FloatArray]]:
    """Recall ``[point]``, and mean and deviation of the other columns there; deviations of a single curve are NaN.

    Example:
        >>> flat = np.array([1.0, 1.0])
        >>> curves = [Curve(0, np.array([1.0, 0.1]), np.array([0.0, end]), flat, flat) for end in (0.8, 0.6)]
        >>> recall, mean, _ = average(curves)
        >>> float(recall[-1]), round(float(mean["threshold"][-1]), 4)
        (0.6, 0.2125)
    """
    start = max(float(curve.recall.min()) for curve in curves)
    end = min(float(curve.recall.max()) for curve in curves)
    recall = np.linspace(start, max(start, end), GRID)
    values = {
        name: np.stack([_at_recall(curve, name, recall) for curve in curves])
        for name in ("threshold", *(measure.name for measure in MEASURES))
    }
    mean = {name: array.mean(axis=0) for name, array in values.items()}
    sd = {
        name: array.std(axis=0, ddof=1) if len(curves) > 1 else np.full(GRID, np.nan) for name, array in values.items()
    }
    return recall, mean, sd


def _at_recall(curve: Curve, name: str, recall: FloatArray) -> FloatArray:
    """Values where the curve first reaches each recall, interpolated linearly.

    Recall can decrease when an answer jumps to another branch; such points are skipped.
    """
    reached = np.maximum.accumulate(curve.recall)
    forward = np.flatnonzero(np.diff(reached, prepend=-np.inf) > 0)
    return np.interp(recall, reached[forward], getattr(curve, name)[forward])
