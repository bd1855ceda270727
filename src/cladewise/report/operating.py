"""Operating curves: what is gained in specificity and lost in correctness as the threshold falls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.drawing.palette import faded
from cladewise.records import CurvePoints
from cladewise.report.charts import Chart, blank_figure, plain, thin
from cladewise.report.lines import Line
from cladewise.report.run import FloatArray

GRID = 200
"""Points of a line after averaging."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """A quantity that is drawn against the information recall: its name in the files, and words for it."""

    name: str
    axis: str
    title: str
    reading: str


CORRECT = Measure(
    "correct",
    "correct answers, %",
    "Correct against information recall",
    "How many answers are right (the label itself or a node above it) when answers are this specific. A line that stays"
    " high for longer can say more before it starts to be wrong.",
)
PRECISION = Measure(
    "precision",
    "information precision, %",
    "Information precision against recall",
    "Which part of what the answers claim is true. A wrong species of the right genus still earns the genus, so this"
    " falls more slowly than correctness.",
)
MEASURES = (CORRECT, PRECISION)


@dataclasses.dataclass(frozen=True)
class Curve:
    """One run's operating points ``[point]`` from the root down to the leaves.

    ``threshold`` is the probability above which a node is answered; 1 for the point that answers the root alone.
    """

    seed: int
    threshold: FloatArray
    recall: FloatArray
    precision: FloatArray
    correct: FloatArray

    def at_threshold(self, thresholds: FloatArray) -> dict[str, FloatArray]:
        """Recall, precision and correctness ``[threshold]``: the last point that no threshold is above."""
        last = np.searchsorted(-self.threshold, -thresholds, side="right") - 1
        last = np.maximum(last, 0)
        return {name: getattr(self, name)[last] for name in ("recall", "precision", "correct")}


@dataclasses.dataclass(frozen=True)
class MeanCurve:
    """The runs of a line, averaged at equal recall.

    ``mean`` and ``sd`` are ``[point]`` by measure; ``sd`` is NaN for a single run. The recall goes as far as all runs
    go.
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
    return MeanCurve(line, curves, recall, mean["threshold"], mean, sd)


def _at_recall(curve: Curve, name: str, recall: FloatArray) -> FloatArray:
    """Values where the curve first reaches each recall, between its points on straight lines.

    Recall may step back where the answers hop to another branch; those points are passed over.
    """
    reached = np.maximum.accumulate(curve.recall)
    forward = np.flatnonzero(np.diff(reached, prepend=-np.inf) > 0)
    return np.interp(recall, reached[forward], getattr(curve, name)[forward])


def operating_charts(curves: Sequence[MeanCurve]) -> list[Chart]:
    """A chart a measure, with a line and its band for each mean curve and a marker that the slider moves."""
    return [_chart(measure, curves) for measure in MEASURES] if curves else []


def _chart(measure: Measure, curves: Sequence[MeanCurve]) -> Chart:
    figure = blank_figure(hovermode="closest", hoverdistance=30)
    for curve in curves:
        for trace in (_band(measure, curve), _mean(measure, curve)):
            figure.add_trace(trace)
    figure.add_trace(
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            marker={"size": 13, "line": {"width": 2.5, "color": "#ffffff"}, "color": "#66706b"},
            hoverinfo="skip",
            meta={"role": "point", "measure": measure.name},
        )
    )
    figure.update_xaxes(title={"text": "information recall, %"}, range=[0, 101], nticks=6)
    figure.update_yaxes(title={"text": measure.axis}, range=[lowest(measure, curves), 101], nticks=6)
    summary = f"{measure.title}, {len(curves)} line{'s' if len(curves) > 1 else ''}."
    return Chart(f"operating-{measure.name}", figure, 380, summary)


def lowest(measure: Measure, curves: Sequence[MeanCurve]) -> float:
    """Where the vertical axis begins, in percent: a ten below all lines."""
    least = min(float(curve.mean[measure.name].min()) for curve in curves)
    return max(0, 10 * math.floor(10 * least - 0.2)) - (1 if least < 0.1 else 0)


def _mean(measure: Measure, curve: MeanCurve) -> go.Scatter:
    mean, sd = 100 * curve.mean[measure.name], 100 * curve.sd[measure.name]
    several = len(curve.curves) > 1
    texts = [f" ± {value:.1f}" if several else "" for value in sd]
    return go.Scatter(
        name=plain(curve.line.label),
        x=thin(100 * curve.recall),
        y=thin(mean),
        customdata=[[f"{threshold:.3g}", text] for threshold, text in zip(curve.threshold, texts, strict=True)],
        mode="lines",
        line={"color": curve.line.color, "dash": curve.line.dash, "width": 2.2},
        hovertemplate=f"%{{y:.1f}}%%{{customdata[1]}} {measure.name}<br>%{{x:.1f}}% recall"
        "<br>threshold %{customdata[0]}",
        visible=curve.line.is_shown_first,
        meta=line_meta(curve.line),
    )


def _band(measure: Measure, curve: MeanCurve) -> go.Scatter:
    """One standard deviation to either side; empty for a single run."""
    mean, sd = 100 * curve.mean[measure.name], 100 * curve.sd[measure.name]
    there = slice(None) if len(curve.curves) > 1 else slice(0)
    x, upper, lower = 100 * curve.recall[there], np.minimum(mean + sd, 100)[there], np.maximum(mean - sd, 0)[there]
    return go.Scatter(
        x=thin(np.concatenate([x, x[::-1]])),
        y=thin(np.concatenate([upper, lower[::-1]])),
        fill="toself",
        fillcolor=faded(curve.line.color, 0.16),
        mode="none",
        hoverinfo="skip",
        visible=curve.line.is_shown_first,
        meta=line_meta(curve.line),
    )


def line_meta(line: Line) -> dict[str, int]:
    """What the page's buttons find a trace by."""
    return {"group": line.group.index, "inference": line.inference_index}
