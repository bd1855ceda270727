"""Section *Risk and coverage*: wrong answers against the specificity of the answers, and the areas under the lines."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import plotly.graph_objects as go
import polars as pl

from cladewise.drawing.palette import faded
from cladewise.records import RiskPoints
from cladewise.report.charts import Chart, blank_figure, chart_text, thin
from cladewise.report.comparison import Comparison
from cladewise.report.metric_style import RISK_METRICS, style_of
from cladewise.report.runs.lines import Line, shown_and_by_inference
from cladewise.report.runs.run import FloatArray
from cladewise.report.sections.section import Section
from cladewise.report.spread_table import SpreadTable, spread_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = 200
"""Points of a curve after averaging."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule that answers less specifically as its threshold rises: its name in records, heading and caption."""

    name: str
    title: str
    reading: str


RULES = (
    Rule(
        "climbing",
        "Climbing from the best leaf",
        "From the most probable leaf up to the first node whose probability reaches the threshold.",
    ),
    Rule(
        "threshold",
        "The most informative node above a threshold",
        "The same, but a node on another path is answered if it is more informative.",
    ),
)


@dataclasses.dataclass(frozen=True)
class RiskCurve:
    """The risk of a line by a rule at equal coverage, averaged over its runs; ``sd`` is NaN for a single run."""

    line: Line
    by_seed: Mapping[int, RiskPoints]
    coverage: FloatArray
    mean: FloatArray
    sd: FloatArray


@dataclasses.dataclass(frozen=True)
class RiskSection(Section):
    """Risk–coverage curves of all lines by either rule, and the areas under them."""

    template: ClassVar[str] = "risk.html"
    lines: tuple[Line, ...]
    by_rule: Mapping[Rule, Sequence[RiskCurve]]
    by_chart: Sequence[Chart]
    table: SpreadTable | None

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules, in the order of the charts."""
        return tuple(self.by_rule)

    @property
    def charts(self) -> Sequence[Chart]:
        return self.by_chart

    @property
    def has_bands(self) -> bool:
        """Whether any curve has several seeds."""
        return any(len(curve.by_seed) > 1 for curves in self.by_rule.values() for curve in curves)

    def drawings(self) -> Iterator[tuple[str, Figure]]:
        endings = shown_and_by_inference(self.lines).items()
        for (rule, curves), (ending, lines) in itertools.product(self.by_rule.items(), endings):
            if shown := [curve for curve in curves if curve.line in lines]:
                yield f"risk-{rule.name}{ending}", risk_drawing(shown)

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "risk-coverage", _points(self.by_rule)

    def tables(self) -> Iterator[tuple[str, SpreadTable]]:
        if self.table:
            yield self.table.key, self.table


def risk_sections(comparison: Comparison) -> Iterator[RiskSection]:
    """The section, if any evaluation has such curves."""
    lines = comparison.lines
    by_rule = {rule: curves for rule in RULES if (curves := risk_curves(lines, rule.name))}
    if by_rule:
        charts = [risk_chart(rule, curves) for rule, curves in by_rule.items()]
        styles = [style_of(name) for name in RISK_METRICS]
        table = spread_table("risk-table", styles, [(line, None) for line in lines])
        yield RiskSection(lines, by_rule, charts, table)


def risk_curves(lines: Sequence[Line], rule: str) -> list[RiskCurve]:
    """The mean curve of every line that has any."""
    found = [(line, {run.seed: points for run, points in line.risk_curves(rule)}) for line in lines]
    return [_mean(line, by_seed) for line, by_seed in found if by_seed]


def _mean(line: Line, by_seed: Mapping[int, RiskPoints]) -> RiskCurve:
    """Mean at equal coverage, joined to the root where a curve begins above it, as for the area."""
    curves = [(np.array([0, *points.coverage]), np.array([0, *points.risk])) for points in by_seed.values()]
    coverage = np.linspace(0, min(float(x[-1]) for x, _ in curves), GRID)
    risks = np.stack([np.interp(coverage, x, y) for x, y in curves])
    sd = risks.std(axis=0, ddof=1) if len(risks) > 1 else np.full(GRID, np.nan)
    return RiskCurve(line, by_seed, coverage, risks.mean(axis=0), sd)


def risk_chart(rule: Rule, curves: Sequence[RiskCurve]) -> Chart:
    """One line per curve, with a band if it has several seeds."""
    figure = blank_figure(hovermode="closest", hoverdistance=30)
    for curve in curves:
        x, mean, sd = 100 * curve.coverage, 100 * curve.mean, 100 * curve.sd
        band = slice(None) if len(curve.by_seed) > 1 else slice(0)
        upper, lower = (mean + sd)[band], np.maximum(mean - sd, 0)[band]
        figure.add_trace(
            go.Scatter(
                x=thin(np.concatenate([x[band], x[band][::-1]])),
                y=thin(np.concatenate([upper, lower[::-1]])),
                fill="toself",
                fillcolor=faded(curve.line.color, 0.16),
                mode="none",
                hoverinfo="skip",
                visible=curve.line.is_shown_first,
                meta=curve.line.meta,
            )
        )
        figure.add_trace(
            go.Scatter(
                name=chart_text(curve.line.label),
                x=thin(x),
                y=thin(mean),
                mode="lines",
                line={"color": curve.line.color, "dash": curve.line.dash, "width": 2.2},
                hovertemplate="%{y:.1f}% wrong<br>%{x:.1f}% coverage",
                visible=curve.line.is_shown_first,
                meta=curve.line.meta,
            )
        )
    figure.update_xaxes(title={"text": "hierarchical coverage, %"}, range=[0, 101], nticks=6)
    figure.update_yaxes(title={"text": "wrong answers, %"}, rangemode="tozero", nticks=6)
    summary = f"Wrong answers by coverage, {rule.title.lower()}: {len(curves)} line{'s' if len(curves) > 1 else ''}."
    return Chart(f"risk-{rule.name}", figure, 340, summary)


def risk_drawing(curves: Sequence[RiskCurve]) -> Figure:
    """Wrong answers against coverage, with a line and a band for each curve."""
    from cladewise.drawing.paper import add_legend, paper, stroke

    with paper(6.4, 4.2) as figure:
        axes = figure.add_subplot()
        for curve in curves:
            x, mean, sd, line = 100 * curve.coverage, 100 * curve.mean, 100 * curve.sd, curve.line
            axes.plot(x, mean, label=line.label, **stroke(line.color, line.dash), linewidth=1.6)
            if len(curve.by_seed) > 1:
                low = np.maximum(mean - sd, 0)
                axes.fill_between(x, low, mean + sd, color=line.color, alpha=0.16, linewidth=0)
        axes.set(xlim=(0, 101), xlabel="hierarchical coverage, %", ylabel="wrong answers, %")
        axes.set_ylim(bottom=0)
        add_legend(figure, axes)
    return figure


def _points(by_rule: Mapping[Rule, Sequence[RiskCurve]]) -> pl.DataFrame:
    """One row per rule, line, seed and evaluated threshold."""
    return pl.concat(
        pl.DataFrame(
            {
                "rule": rule.name,
                "group": curve.line.group.label,
                "inference": curve.line.inference,
                "seed": seed,
                "threshold": np.nan_to_num(np.array(points.threshold, dtype=np.float64), nan=1.0),
                "coverage": np.array(points.coverage, dtype=np.float64),
                "risk": np.array(points.risk, dtype=np.float64),
            }
        )
        for rule, curves in by_rule.items()
        for curve in curves
        for seed, points in curve.by_seed.items()
    )
