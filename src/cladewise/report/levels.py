"""Accuracy by level: where along the path the answers stop being right."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from cladewise.drawing.palette import color
from cladewise.records.metric_names import LEVEL_PREFIX
from cladewise.report.charts import Chart, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.table import intervals_of


def level_names(groups: Sequence[Group]) -> list[str]:
    """Levels, coarse to fine, at which every group was evaluated."""
    if not groups:
        return []
    taxonomy = groups[0].runs[0].taxonomy
    return [name for name in taxonomy.level_names if all(LEVEL_PREFIX + name in group.metrics for group in groups)]


def level_chart(groups: Sequence[Group]) -> Chart | None:
    """Accuracy with its interval for each level and group; ``None`` without metrics by level."""
    levels = level_names(groups)
    if not levels:
        return None
    lowest = 100.0
    figure = blank_figure(scattermode="group", scattergap=0.55)
    names = [LEVEL_PREFIX + level for level in levels]
    for group, intervals in zip(groups, intervals_of(groups, names), strict=True):
        found = [intervals[name] for name in names]
        lowest = min([lowest, *(100 * interval.low for interval in found if not math.isnan(interval.low))])
        figure.add_trace(
            go.Scatter(
                name=plain(group.label),
                x=[plain(level) for level in levels],
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
