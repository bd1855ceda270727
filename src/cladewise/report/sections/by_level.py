"""Section *Accuracy by level*: where along the path the answers stop being right."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import plotly.graph_objects as go

from cladewise.drawing.palette import color
from cladewise.records.metric_names import LEVEL_PREFIX
from cladewise.report.charts import Chart, blank_figure, chart_text
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group, shared_levels
from cladewise.report.runs.intervals import metric_intervals
from cladewise.report.sections.section import Section


@dataclasses.dataclass(frozen=True)
class LevelSection(Section):
    """Accuracy of every group at every level."""

    template: ClassVar[str] = "by_level.html"
    groups: tuple[Group, ...]
    chart: Chart

    @property
    def charts(self) -> Sequence[Chart]:
        return (self.chart,)


def level_sections(comparison: Comparison) -> Iterator[LevelSection]:
    """The section, if all groups were evaluated by level."""
    if chart := level_chart(comparison.placing):
        yield LevelSection(comparison.placing, chart)


def level_chart(groups: Sequence[Group]) -> Chart | None:
    """Accuracy with its interval for each level and group; ``None`` without metrics by level."""
    levels = shared_levels(groups)
    if not levels:
        return None
    lowest = 100.0
    figure = blank_figure(scattermode="group", scattergap=0.55)
    names = [LEVEL_PREFIX + level for level in levels]
    for group, intervals in zip(groups, metric_intervals(groups, names), strict=True):
        found = [intervals[name] for name in names]
        lowest = min([lowest, *(100 * interval.low for interval in found if not math.isnan(interval.low))])
        figure.add_trace(
            go.Scatter(
                name=chart_text(group.label),
                x=[chart_text(level) for level in levels],
                y=[100 * interval.value for interval in found],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [100 * (interval.high - interval.value) for interval in found],
                    "arrayminus": [100 * (interval.value - interval.low) for interval in found],
                    "thickness": 1.6,
                    "width": 4,
                },
                customdata=[[100 * interval.low, 100 * interval.high, interval.count] for interval in found],
                hovertemplate="%{y:.1f}% (%{customdata[0]:.1f} to %{customdata[1]:.1f}), %{customdata[2]:,} images",
                mode="markers",
                marker={"size": 9, "color": color(group.index)},
            )
        )
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(type="category", title={"text": "level, coarse to fine"})
    figure.update_yaxes(title={"text": "accuracy, %"}, range=[max(0, 10 * math.floor(lowest / 10 - 0.3)) - 1, 101])
    return Chart("levels", figure, 380, f"Accuracy at {', '.join(levels)} for each of {len(groups)} groups.")
