"""Section *Recall by frequency*: labels with many, medium and few training images, at every level."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import plotly.graph_objects as go
import polars as pl

from cladewise.drawing.palette import color
from cladewise.report.charts import Chart, blank_figure, chart_text
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.intervals import metric_spread
from cladewise.report.sections.section import Section
from cladewise.statistics import FREQUENCIES, Spread


@dataclasses.dataclass(frozen=True)
class LevelRecall:
    """Recall at one level, by frequency: its spread over the seeds of every group, and the number of labels.

    Frequencies without labels are left out. The labels are those of the first run of the first group.
    """

    level: str
    frequencies: tuple[str, ...]
    num_labels: tuple[int, ...]
    recalls: tuple[tuple[Spread, ...], ...]


@dataclasses.dataclass(frozen=True)
class FrequencySection(Section):
    """Recall of labels with many, medium and few training images, of every group at every level."""

    template: ClassVar[str] = "by_frequency.html"
    groups: tuple[Group, ...]
    levels: tuple[LevelRecall, ...]
    bounds: Mapping[str, int]
    charts_by_level: tuple[Chart, ...]

    @property
    def charts(self) -> Sequence[Chart]:
        return self.charts_by_level

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        rows = [
            {
                "group": group.label,
                "level": found.level,
                "frequency": frequency,
                "labels": found.num_labels[place],
                "recall": spread.mean,
                "sd": spread.sd,
                "seeds": spread.count,
                **self.bounds,
            }
            for found in self.levels
            for group, spreads in zip(self.groups, found.recalls, strict=True)
            for place, (frequency, spread) in enumerate(zip(found.frequencies, spreads, strict=True))
        ]
        yield "recall-by-frequency", pl.DataFrame(rows)


def frequency_sections(comparison: Comparison) -> Iterator[FrequencySection]:
    """The section, if all runs were evaluated with the same bounds and labels of a level differ in frequency."""
    groups = comparison.groups
    bounds = [run.evaluation.frequencies for group in groups for run in group.runs]
    if not bounds[0] or any(each != bounds[0] for each in bounds):
        return
    found = [level_recall(groups, level) for level in comparison.taxonomy.level_names]
    levels = tuple(each for each in found if each.frequencies)
    if any(len(each.frequencies) > 1 for each in levels):
        charts = tuple(_chart(f"frequency-{place}", each, groups) for place, each in enumerate(levels))
        yield FrequencySection(groups, levels, bounds[0], charts)


def level_recall(groups: Sequence[Group], level: str) -> LevelRecall:
    """Recall of every group at a level, by frequency."""
    first = groups[0].runs[0].evaluation
    kept = [
        name
        for name in FREQUENCIES
        if any(not math.isnan(run.evaluation.value(f"{name}_recall/{level}")) for group in groups for run in group.runs)
    ]
    metrics = [f"{name}_recall/{level}" for name in kept]
    return LevelRecall(
        level,
        tuple(kept),
        tuple(first[name].count if name in first.metrics else 0 for name in metrics),
        tuple(tuple(metric_spread(group, name) for name in metrics) for group in groups),
    )


def _chart(key: str, found: LevelRecall, groups: Sequence[Group]) -> Chart:
    figure = blank_figure(
        scattermode="group",
        scattergap=0.5,
        title={"text": chart_text(found.level), "x": 0.02, "font": {"size": 14}},
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
    )
    names = [
        f"{frequency} ({number:,} label{'' if number == 1 else 's'})"
        for frequency, number in zip(found.frequencies, found.num_labels, strict=True)
    ]
    for group, spreads in zip(groups, found.recalls, strict=True):
        figure.add_trace(
            go.Scatter(
                name=chart_text(group.label),
                x=names,
                y=[100 * spread.mean for spread in spreads],
                error_y={
                    "type": "data",
                    "array": [0 if math.isnan(spread.sd) else 100 * spread.sd for spread in spreads],
                    "thickness": 1.6,
                    "width": 4,
                },
                customdata=[[spread.count] for spread in spreads],
                hovertemplate="%{y:.1f}%, seeds: %{customdata[0]}",
                mode="markers",
                marker={"size": 9, "color": color(group.index)},
            )
        )
    figure.update_layout(hovermode="x unified", showlegend=False)
    figure.update_xaxes(type="category")
    figure.update_yaxes(title={"text": "recall, %"}, range=[-3, 103])
    parts = ", ".join(found.frequencies)
    return Chart(key, figure, 300, f"Recall of labels of {found.level} with {parts} training images.")
