"""Section *Severity of mistakes*: how high the lowest common ancestor of answer and label is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import plotly.graph_objects as go

from cladewise.drawing.palette import color
from cladewise.report.charts import Chart, blank_figure, chart_text
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import FloatArray
from cladewise.report.sections.section import Section


@dataclasses.dataclass(frozen=True)
class SeveritySection(Section):
    """Mistakes of every group by height.

    Args:
        groups: The groups shown.
        chart: The chart.
        highest: Height of the root.
        leaves_groups_out: Whether groups are missing because they answer with sets of labels.
    """

    template: ClassVar[str] = "severity.html"
    groups: tuple[Group, ...]
    chart: Chart
    highest: int
    leaves_groups_out: bool

    @property
    def charts(self) -> Sequence[Chart]:
        return (self.chart,)


def severity_sections(comparison: Comparison) -> Iterator[SeveritySection]:
    """The section, if any group answers with nodes of the tree."""
    placing = comparison.placing
    if placing:
        highest, missing = int(comparison.taxonomy.full_height[0]), len(placing) < len(comparison.groups)
        yield SeveritySection(placing, height_chart(placing), highest, missing)


def mistakes_by_height(group: Group) -> FloatArray:
    """Number of mistakes at each height of the lowest common ancestor, averaged over the runs.

    Returns:
        Counts ``[height]``, from 0 (where there are no mistakes) to the height of the tree.
    """
    height = group.runs[0].taxonomy.full_height
    counts = [np.bincount(height[run.lca[run.is_mistake]], minlength=int(height[0]) + 1) for run in group.runs]
    return np.mean(counts, axis=0)


def height_chart(groups: Sequence[Group]) -> Chart:
    """Share of all images with a mistake at each height; the bars of a group add up to its error."""
    counts = [mistakes_by_height(group) for group in groups]
    num_images = max(1, groups[0].runs[0].outcomes.height)
    figure = blank_figure(barmode="group", bargap=0.25, bargroupgap=0.08, barcornerradius=3)
    for group, count in zip(groups, counts, strict=True):
        figure.add_trace(
            go.Bar(
                name=chart_text(group.label),
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
    return Chart("heights", figure, 340, "Share of images with a mistake, by height of the lowest common ancestor.")
