"""Section *Correctness against specificity*: operating curves, and their summaries as a table."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import plotly.graph_objects as go
import polars as pl

from cladewise.drawing.palette import faded
from cladewise.report.charts import Chart, blank_figure, chart_text, thin
from cladewise.report.comparison import Comparison
from cladewise.report.metric_style import OPERATING_METRICS, style_of
from cladewise.report.runs.lines import Line, shown_and_by_inference
from cladewise.report.runs.operating_curves import MEASURES, CurveMeasure, MeanCurve
from cladewise.report.sections.section import Section
from cladewise.report.spread_table import SpreadTable, spread_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class OperatingSection(Section):
    """Curves of all lines, and their summaries."""

    template: ClassVar[str] = "operating.html"
    lines: tuple[Line, ...]
    curves: Sequence[MeanCurve]
    by_measure: Sequence[Chart]
    table: SpreadTable | None
    measures: tuple[CurveMeasure, ...] = MEASURES

    @property
    def charts(self) -> Sequence[Chart]:
        return self.by_measure

    @property
    def has_bands(self) -> bool:
        """Whether any curve has several seeds."""
        return any(len(curve.curves) > 1 for curve in self.curves)

    def drawings(self) -> Iterator[tuple[str, Figure]]:
        for measure, (ending, lines) in itertools.product(MEASURES, shown_and_by_inference(self.lines).items()):
            if curves := [curve for curve in self.curves if curve.line in lines]:
                yield f"{measure.name}-recall{ending}", operating_drawing(measure, curves)

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "operating-curves", _mean_points(self.curves)
        yield "operating-points", _points(self.curves)

    def tables(self) -> Iterator[tuple[str, SpreadTable]]:
        if self.table:
            yield self.table.key, self.table


def operating_sections(comparison: Comparison) -> Iterator[OperatingSection]:
    """The section, if any evaluation has an operating curve."""
    curves, lines = comparison.curves, comparison.lines
    if curves:
        yield OperatingSection(lines, curves, operating_charts(curves), operating_table(lines))


def operating_table(lines: Sequence[Line]) -> SpreadTable | None:
    """Summaries of the operating curve of every line; ``None`` if no evaluation has any."""
    return spread_table(
        "operating-table", [style_of(name) for name in OPERATING_METRICS], [(line, None) for line in lines]
    )


def operating_charts(curves: Sequence[MeanCurve]) -> list[Chart]:
    """One chart per measure, with a line and a band for each mean curve and a marker that the slider moves."""
    return [_chart(measure, curves) for measure in MEASURES] if curves else []


def _chart(measure: CurveMeasure, curves: Sequence[MeanCurve]) -> Chart:
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


def lowest(measure: CurveMeasure, curves: Sequence[MeanCurve]) -> float:
    """Start of the vertical axis in percent: the next multiple of ten below all lines."""
    least = min(float(curve.mean[measure.name].min()) for curve in curves)
    return max(0, 10 * math.floor(10 * least - 0.2)) - (1 if least < 0.1 else 0)


def _mean(measure: CurveMeasure, curve: MeanCurve) -> go.Scatter:
    mean, sd = 100 * curve.mean[measure.name], 100 * curve.sd[measure.name]
    several = len(curve.curves) > 1
    texts = [f" ± {value:.1f}" if several else "" for value in sd]
    return go.Scatter(
        name=chart_text(curve.line.label),
        x=thin(100 * curve.recall),
        y=thin(mean),
        customdata=[[f"{threshold:.3g}", text] for threshold, text in zip(curve.threshold, texts, strict=True)],
        mode="lines",
        line={"color": curve.line.color, "dash": curve.line.dash, "width": 2.2},
        hovertemplate=f"%{{y:.1f}}%%{{customdata[1]}} {measure.name}<br>%{{x:.1f}}% recall"
        "<br>threshold %{customdata[0]}",
        visible=curve.line.is_shown_first,
        meta=curve.line.meta,
    )


def _band(measure: CurveMeasure, curve: MeanCurve) -> go.Scatter:
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
        meta=curve.line.meta,
    )


def operating_drawing(measure: CurveMeasure, curves: Sequence[MeanCurve]) -> Figure:
    """A measure against the information recall, with a line and a band for each mean curve."""
    from cladewise.drawing.paper import add_legend, paper, stroke

    with paper(6.4, 4.2) as figure:
        axes = figure.add_subplot()
        for curve in curves:
            recall, mean, sd = 100 * curve.recall, 100 * curve.mean[measure.name], 100 * curve.sd[measure.name]
            line = curve.line
            axes.plot(recall, mean, label=line.label, **stroke(line.color, line.dash), linewidth=1.6)
            if len(curve.curves) > 1:
                low, high = np.maximum(mean - sd, 0), np.minimum(mean + sd, 100)
                axes.fill_between(recall, low, high, color=line.color, alpha=0.16, linewidth=0)
        axes.set(
            xlim=(0, 101),
            ylim=(lowest(measure, curves), 101),
            xlabel="information recall, %",
            ylabel=measure.axis,
        )
        add_legend(figure, axes)
    return figure


def _mean_points(curves: Sequence[MeanCurve]) -> pl.DataFrame:
    """One row per line and recall."""
    columns = [f"{measure.name}_{part}" for measure in MEASURES for part in ("mean", "sd")]
    parts = [
        pl.DataFrame(
            {
                "group": curve.line.group.label,
                "inference": curve.line.inference,
                "num_seeds": len(curve.curves),
                "recall": curve.recall,
                "threshold_mean": curve.threshold,
            }
            | {f"{m.name}_{part}": getattr(curve, part)[m.name] for m in MEASURES for part in ("mean", "sd")}
        )
        for curve in curves
    ]
    return pl.concat(parts).with_columns(pl.col(columns).fill_nan(None))


def _points(curves: Sequence[MeanCurve]) -> pl.DataFrame:
    """One row per line, seed and evaluated threshold."""
    return pl.concat(
        pl.DataFrame(
            {
                "group": mean.line.group.label,
                "inference": mean.line.inference,
                "seed": curve.seed,
                "threshold": curve.threshold,
                "recall": curve.recall,
                "precision": curve.precision,
                "correct": curve.correct,
            }
        )
        for mean in curves
        for curve in mean.curves
    )
