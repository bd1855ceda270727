"""Training curves: one small chart a quantity, one line a run; and what methods tell of themselves by epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import plotly.graph_objects as go

from cladewise.drawing.palette import color, dash
from cladewise.report.charts import Chart, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.run import Run

FIRST_SHOWN = ("train_loss", "val_loss", "val_top1", "val_level_accuracy", "val_severity", "val_hd@1")
MOST_CHARTS = 6
LOGARITHMIC_FROM = 100
"""Ratio of the largest value of a chart to the smallest from which its axis is logarithmic."""
NO_STATE = ("event", "epoch", "lr", "seconds")
"""What an epoch's line in the log has beside losses, measures and what a method tells of itself."""


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
    """A chart for each quantity, over epochs, and one for each kind of number that a method tells of itself."""
    charts = [_chart(index, name, groups) for index, name in enumerate(quantities(groups))]
    return charts + [_state_chart(stem, names, groups) for stem, names in states(groups).items()]


def states(groups: Sequence[Group]) -> dict[str, list[str]]:
    """What methods told of themselves by epoch, as far as it is shown: names that differ in a last number together.

    A margin between images, the scale of cosines: whatever is logged and is neither a loss nor measured, nor the
    learning rate or the time.
    """
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        for run in group.runs:
            for name in dict.fromkeys(name for epoch in run.log.epochs for name in epoch if _is_state(name)):
                if _series(run, name)[0]:
                    found.setdefault(_stem(name), {})[name] = None
    return {stem: sorted(names, key=_number) for stem, names in list(found.items())[:MOST_CHARTS]}


def _state_chart(stem: str, names: Sequence[str], groups: Sequence[Group]) -> Chart:
    """The course of numbers of one kind, a line each; where there are several, its number stands at a line's end."""
    title = stem.replace("_", " ")
    figure = blank_figure(hovermode="closest", title={"text": plain(title), "x": 0.02, "font": {"size": 14}})
    for group in groups:
        for run in group.runs:
            for name in names:
                epochs, values = _series(run, name)
                if not epochs:
                    continue
                number = str(_number(name)) if len(names) > 1 else ""
                figure.add_trace(
                    go.Scatter(
                        name=f"{plain(group.label)}, seed {run.seed}, {plain(title)} {number}".strip(),
                        x=epochs,
                        y=values,
                        mode="lines+text" if len(epochs) > 1 else "markers+text",
                        text=[*[""] * (len(epochs) - 1), number],
                        textposition="middle right",
                        textfont={"size": 11, "color": color(group.index)},
                        cliponaxis=False,
                        line={"color": color(group.index), "dash": dash(group.index), "width": 1.8},
                        opacity=0.85,
                        hovertemplate="%{fullData.name}: %{y:.4~g} at epoch %{x}<extra></extra>",
                    )
                )
    figure.update_layout(margin_t=40)
    figure.update_xaxes(title={"text": "epoch"}, tickformat="d", nticks=6)
    figure.update_yaxes(nticks=6)
    key = re.sub(r"\W+", "-", stem)
    return Chart(
        f"curve-state-{key}", figure, 250, f"{title[:1].upper()}{title[1:]} by epoch, a line a number and run."
    )


def _chart(index: int, name: str, groups: Sequence[Group]) -> Chart:
    seen: list[float] = []
    figure = blank_figure(hovermode="closest", title={"text": plain(_title(name)), "x": 0.02, "font": {"size": 14}})
    for group in groups:
        for run in group.runs:
            epochs, values = _series(run, name)
            seen += values
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
    # one run that began far off would press all others onto the axis
    wide = bool(seen) and min(seen) > 0 and max(seen) > LOGARITHMIC_FROM * min(seen)
    if wide:
        figure.update_yaxes(type="log", dtick=1)
    else:
        figure.update_yaxes(nticks=6)
    return Chart(f"curve-{index}", figure, 250, f"{_title(name)} by epoch, a line a run.")


def _series(run: Run, name: str) -> tuple[list[int], list[float]]:
    points = [(int(e["epoch"]), float(e[name])) for e in run.log.epochs if _is_number(e.get(name))]
    return [epoch for epoch, _ in points], [value for _, value in points]


def _is_state(name: str) -> bool:
    return name not in NO_STATE and not name.endswith("_loss") and not name.startswith("val_")


def _stem(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _number(name: str) -> int:
    return int(name.rpartition("_")[2]) if _stem(name) != name else -1


def _title(name: str) -> str:
    part, _, quantity = name.partition("_")
    return f"{quantity.replace('_', ' ')}, {'validation' if part == 'val' else 'training'}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
