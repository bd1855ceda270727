"""How far off the mistakes are: the height of the lowest common ancestor of answer and label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.drawing.palette import color
from cladewise.report.charts import Chart, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.run import FloatArray


def mistakes_by_height(group: Group) -> FloatArray:
    """Number of mistakes at each height of the lowest common ancestor, averaged over the runs.

    Returns:
        Counts ``[height]``, from 0 (which no mistake has) to the height of the tree.
    """
    height = group.runs[0].taxonomy.height
    counts = [np.bincount(height[run.lca[run.is_mistake]], minlength=int(height[0]) + 1) for run in group.runs]
    return np.mean(counts, axis=0)


def height_chart(groups: Sequence[Group]) -> Chart:
    """Share of all images that were placed wrong, by height; the bars of one group add up to its errors."""
    counts = [mistakes_by_height(group) for group in groups]
    num_images = max(1, groups[0].runs[0].outcomes.height)
    figure = blank_figure(barmode="group", bargap=0.25, bargroupgap=0.08, barcornerradius=3)
    for group, count in zip(groups, counts, strict=True):
        figure.add_trace(
            go.Bar(
                name=plain(group.label),
                x=np.arange(1, count.size),
                y=100 * count[1:] / num_images,
                customdata=count[1:],
                marker={"color": color(group.index)},
                hovertemplate="%{y:.1f}% (%{customdata:,.4~g} images)",
            )
        )
    figure.update_layout(hovermode="x unified", margin={"l": 56, "b": 46})  # margins that follow the labels swing
    figure.update_xaxes(
        automargin=False,
        title={"text": "height of the lowest common ancestor"},
        dtick=1,
        unifiedhovertitle={"text": "height %{x}"},
    )
    figure.update_yaxes(automargin=False, title={"text": "share of all images, %"}, rangemode="tozero")
    return Chart("heights", figure, 340, "Share of images placed wrong, by height of the lowest common ancestor.")
