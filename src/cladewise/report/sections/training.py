"""Section *Training*: losses and metrics by epoch, and the numbers that methods log about themselves."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import plotly.graph_objects as go

from cladewise.drawing.palette import color, dash
from cladewise.report.charts import Chart, blank_figure, chart_text
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import ReportedRun
from cladewise.report.sections.section import Section

FIRST_SHOWN = ("train_loss", "val_loss", "val_top1", "val_level_accuracy", "val_severity", "val_hd@1")
MOST_CHARTS = 6
LOGARITHMIC_FROM = 100
"""Ratio of the largest to the smallest value of a chart above which its axis is logarithmic."""
NO_STATE = ("event", "epoch", "lr", "seconds")
"""Entries of an epoch in the log that are neither losses nor metrics nor a method's own numbers."""


@dataclasses.dataclass(frozen=True)
class TrainingSection(Section):
    """One chart per logged quantity."""

    template: ClassVar[str] = "training.html"
    groups: tuple[Group, ...]
    by_quantity: Sequence[Chart]

    @property
    def charts(self) -> Sequence[Chart]:
        return self.by_quantity


def training_sections(comparison: Comparison) -> Iterator[TrainingSection]:
    """The section, if any run logged an epoch."""
    if charts := curve_charts(comparison.groups):
        yield TrainingSection(comparison.groups, charts)


def quantities(groups: Sequence[Group]) -> list[str]:
    """Names of the quantities logged by epoch that are shown, losses first."""
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
    """One chart per quantity over epochs, and one per kind of number that methods log about themselves."""
    charts = [_chart(index, name, groups) for index, name in enumerate(quantities(groups))]
    return charts + [_state_chart(stem, names, groups) for stem, names in states(groups).items()]


def states(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Numbers that methods log about themselves and that are shown, such as a margin or the scale of cosines.

    These are all logged numbers except losses, metrics, the learning rate and the time.

    Returns:
        Names by stem; names that differ only in a trailing number share one.
    """
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        for run in group.runs:
            for name in dict.fromkeys(name for epoch in run.log.epochs for name in epoch if _is_state(name)):
                if _series(run, name)[0]:
                    found.setdefault(_stem(name), {})[name] = None
    return {stem: sorted(names, key=_number) for stem, names in list(found.items())[:MOST_CHARTS]}


def _state_chart(stem: str, names: Sequence[str], groups: Sequence[Group]) -> Chart:
    """Numbers of one kind by epoch, one line each, labelled with its trailing number if there are several."""
    title = stem.replace("_", " ")
    figure = blank_figure(hovermode="closest", title={"text": chart_text(title), "x": 0.02, "font": {"size": 14}})
    for group in groups:
        for run in group.runs:
            for name in names:
                epochs, values = _series(run, name)
                if not epochs:
                    continue
                number = str(_number(name)) if len(names) > 1 else ""
                figure.add_trace(
                    go.Scatter(
                        name=f"{chart_text(group.label)}, seed {run.seed}, {chart_text(title)} {number}".strip(),
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
        f"curve-state-{key}", figure, 250, f"{title[:1].upper()}{title[1:]} by epoch, one line per number and run."
    )


def _chart(index: int, name: str, groups: Sequence[Group]) -> Chart:
    seen: list[float] = []
    figure = blank_figure(
        hovermode="closest", title={"text": chart_text(_title(name)), "x": 0.02, "font": {"size": 14}}
    )
    for group in groups:
        for run in group.runs:
            epochs, values = _series(run, name)
            seen += values
            figure.add_trace(
                go.Scatter(
                    name=f"{chart_text(group.label)}, seed {run.seed}",
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
    # a single run that starts far off would flatten all other curves
    wide = bool(seen) and min(seen) > 0 and max(seen) > LOGARITHMIC_FROM * min(seen)
    if wide:
        figure.update_yaxes(type="log", dtick=1)
    else:
        figure.update_yaxes(nticks=6)
    return Chart(f"curve-{index}", figure, 250, f"{_title(name)} by epoch, one line per run.")


def _series(run: ReportedRun, name: str) -> tuple[list[int], list[float]]:
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
