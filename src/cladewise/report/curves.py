"""Training curves: one small chart a quantity, one line a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from cladewise.report.figure import Chart, blank_figure, color, dash, plain
from cladewise.report.groups import Group
from cladewise.report.run import Run

FIRST_SHOWN = ("train_loss", "val_loss", "val_top1", "val_level_accuracy", "val_severity", "val_hd@1")
MOST_CHARTS = 6
MARGIN = "margin_"
"""What the names of margins in the log begin with; a number follows, 0 for views of one image."""


def quantities(groups: Sequence[Group]) -> list[str]:
    """What was recorded by epoch, losses first, as far as it is shown."""
    recorded = dict.fromkeys(
        name
        for group in groups
        for run in group.runs
        for epoch in run.log.epochs
        for name, value in epoch.items()
        if (name.endswith("_loss") or name.startswith("val_")) and _is_number(value)
    )
    known = [name for name in FIRST_SHOWN if name in recorded]
    return (known + [name for name in recorded if name not in known])[:MOST_CHARTS]


def curve_charts(groups: Sequence[Group]) -> list[Chart]:
    """A chart for each quantity, over epochs, and one for the margins of methods that have some."""
    charts = [_chart(index, name, groups) for index, name in enumerate(quantities(groups))]
    margins = _margin_chart(groups)
    return charts if margins is None else [*charts, margins]


def _margin_chart(groups: Sequence[Group]) -> Chart | None:
    """The course of the margins between images, a line each; ``None`` where no run has any."""
    figure = blank_figure(hovermode="closest", title={"text": "margins", "x": 0.02, "font": {"size": 14}})
    found = False
    for group in groups:
        for run in group.runs:
            names = dict.fromkeys(name for epoch in run.log.epochs for name in epoch if name.startswith(MARGIN))
            for name in names:
                epochs, values = _series(run, name)
                found = found or bool(epochs)
                figure.add_trace(
                    go.Scatter(
                        name=f"{plain(group.label)}, seed {run.seed}, d{name.removeprefix(MARGIN)}",
                        x=epochs,
                        y=values,
                        mode="lines",
                        line={"color": color(group.index), "width": 1.8},
                        opacity=0.85,
                        hovertemplate="%{fullData.name}: %{y:.3f} at epoch %{x}<extra></extra>",
                    )
                )
    if not found:
        return None
    figure.update_layout(margin_t=40)
    figure.update_xaxes(title={"text": "epoch"}, tickformat="d", nticks=6)
    figure.update_yaxes(nticks=6)
    return Chart("curve-margins", figure, 250, "Margins between images by epoch, a line a margin and run.")


def _chart(index: int, name: str, groups: Sequence[Group]) -> Chart:
    figure = blank_figure(hovermode="closest", title={"text": plain(_title(name)), "x": 0.02, "font": {"size": 14}})
    for group in groups:
        for run in group.runs:
            epochs, values = _series(run, name)
            figure.add_trace(
                go.Scatter(
                    name=f"{plain(group.label)}, seed {run.seed}",
                    x=epochs,
                    y=values,
                    mode="lines+markers" if len(epochs) < 2 else "lines",
                    line={"color": color(group.index), "dash": dash(group.index), "width": 1.8},
                    opacity=0.85,
                    hovertemplate="%{y:.4~g} at epoch %{x}",
                )
            )
    figure.update_layout(margin_t=40)
    figure.update_xaxes(title={"text": "epoch"}, tickformat="d", nticks=6)
    figure.update_yaxes(nticks=6)
    return Chart(f"curve-{index}", figure, 250, f"{_title(name)} by epoch, a line a run.")


def _series(run: Run, name: str) -> tuple[list[int], list[float]]:
    points = [(int(e["epoch"]), float(e[name])) for e in run.log.epochs if _is_number(e.get(name))]
    return [epoch for epoch, _ in points], [value for _, value in points]


def _title(name: str) -> str:
    part, _, quantity = name.partition("_")
    return f"{quantity.replace('_', ' ')}, {'validation' if part == 'val' else 'training'}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
