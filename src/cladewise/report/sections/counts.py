"""Section *Images per label*: the long tail of labels in training and in the evaluated split."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import plotly.graph_objects as go
import polars as pl

from cladewise.drawing.node_names import axis_names
from cladewise.records import counts
from cladewise.records.layout import RunFolder
from cladewise.report.charts import Chart, blank_figure, chart_text
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import ReportedRun
from cladewise.report.runs.status import IntArray
from cladewise.report.sections.section import Section
from cladewise.statistics import images_at_level
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


TRAINING, EVALUATED = "#2a9d86", "#e0803a"
"""Colours of the two splits: no group's colour, and distinguishable with colour blindness."""
NONE = 0.5
"""Position of 0 on the logarithmic axis."""
BARS_UP_TO = 60
"""Most labels drawn as bars; more are drawn as a line."""


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Training data of some groups: its split, the number of images of every node itself ``[node]``, and the groups."""

    split: str
    num_images: IntArray
    groups: tuple[Group, ...]


@dataclasses.dataclass(frozen=True)
class LevelCounts:
    """The labels of a level, from the most to the least frequent in training.

    Args:
        level: Name of the level.
        nodes: The labels ``[label]``: nodes of the extended level.
        training: Number of training images ``[label]``.
        evaluated: Number of images in the evaluated split ``[label]``.
        above: Number of images of both splits whose labels are coarser than the level.
    """

    level: str
    nodes: IntArray
    training: IntArray
    evaluated: IntArray
    above: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class CountsPart:
    """Charts of one set of training images; ``names`` are the groups trained on it, empty if all were."""

    data: TrainingData
    levels: tuple[LevelCounts, ...]
    names: tuple[str, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class CountsSection(Section):
    """Image counts, one part per set of training images."""

    template: ClassVar[str] = "counts.html"
    parts: tuple[CountsPart, ...]
    split: str
    num_images: int
    taxonomy: Taxonomy
    colors: tuple[str, str] = (TRAINING, EVALUATED)

    @property
    def charts(self) -> Sequence[Chart]:
        return [chart for part in self.parts for chart in part.charts]

    def drawings(self) -> Iterator[tuple[str, Figure]]:
        for place, part in enumerate(self.parts, start=1):
            ending = f"-{place}" if len(self.parts) > 1 else ""
            yield f"label-counts{ending}", counts_drawing(part, self.split)

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "label-counts", _count_rows(self)


def counts_sections(comparison: Comparison) -> Iterator[CountsSection]:
    """The section, if any run folder records its training images."""
    groups, run = comparison.groups, comparison.groups[0].runs[0]
    parts: list[CountsPart] = []
    for place, data in enumerate(training_data(groups)):
        levels = tuple(level_counts(data))
        charts = tuple(_chart(f"counts-{place}-{index}", each, data, run) for index, each in enumerate(levels))
        names = tuple(group.label for group in data.groups) if len(data.groups) < len(groups) else ()
        parts.append(CountsPart(data, levels, names, charts, tuple(filter(None, map(_left_out, levels)))))
    if parts:
        yield CountsSection(tuple(parts), comparison.split, run.outcomes.height, comparison.taxonomy)


def training_data(groups: Sequence[Group]) -> list[TrainingData]:
    """Each distinct set of images that groups were trained on, read from the run folders of their shown runs."""
    found: list[TrainingData] = []
    for group in groups:
        trained_on = _trained_on(group.shown_run)
        if trained_on is None:
            continue
        split, num_images = trained_on
        same = next((place for place, data in enumerate(found) if np.array_equal(data.num_images, num_images)), None)
        if same is None:
            found.append(TrainingData(split, num_images, (group,)))
        else:
            found[same] = dataclasses.replace(found[same], groups=(*found[same].groups, group))
    return found


def _trained_on(run: ReportedRun) -> tuple[str, IntArray] | None:
    file = RunFolder(run.folder).counts
    if not file.is_file():
        return None
    by_split = counts.read_counts(file, run.taxonomy.num_nodes)
    split = str(run.config.get("training", {}).get("train_split", "train"))
    parts = [by_split[name] for name in split.split("+") if name in by_split]
    return (split, np.sum(parts, axis=0)) if parts else None


def level_counts(data: TrainingData) -> list[LevelCounts]:
    """Image counts of every label of every level, coarse to fine."""
    run = data.groups[0].shown_run
    taxonomy = run.taxonomy
    evaluated = np.bincount(run.target, minlength=taxonomy.num_nodes)
    found: list[LevelCounts] = []
    for level, name in enumerate(taxonomy.level_names, start=1):
        nodes = taxonomy.level_nodes(level)
        (training, above), (of_split, above_of_split) = (
            images_at_level(each, level, taxonomy) for each in (data.num_images, evaluated)
        )
        order = np.argsort(-training[nodes], kind="stable")
        ranked = nodes[order]
        found.append(LevelCounts(name, ranked, training[ranked], of_split[ranked], (above, above_of_split)))
    return found


def _left_out(found: LevelCounts) -> str:
    if not any(found.above):
        return ""
    training, evaluated = found.above
    return (
        f"At {found.level}, {training:,} training and {evaluated:,} evaluated images with coarser labels are left out."
    )


def imbalance(found: LevelCounts) -> str:
    """Number of labels of a level, and the range of their training images, as text.

    Example:
        >>> node = np.arange(3)
        >>> imbalance(LevelCounts("genus", node, np.array([40, 10, 0]), node, (0, 0)))
        '3 labels, 0 to 40 training images'
    """
    number, least, most = found.nodes.size, int(found.training.min()), int(found.training.max())
    span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{number:,} label{'s' if number != 1 else ''}, {span} training image{'s' if most != 1 else ''}"


def ticks(largest: int) -> tuple[list[float], list[str]]:
    """Ticks of a logarithmic axis of counts: 0, and two per power of ten.

    Example:
        >>> ticks(120)
        ([0.5, 1, 3, 10, 30, 100], ['0', '1', '3', '10', '30', '100'])
    """
    values = [first * 10**power for power in range(12) for first in (1, 3) if first * 10**power <= max(1, largest)]
    return [NONE, *values], ["0", *(f"{value:,}" for value in values)]


def _chart(key: str, found: LevelCounts, data: TrainingData, run: ReportedRun) -> Chart:
    names = [chart_text(name) for name in axis_names(found.nodes, run.taxonomy)]
    split = chart_text(run.evaluation.split)
    figure = blank_figure(
        hovermode="x unified",
        title={"text": f"{chart_text(found.level)}: {imbalance(found)}", "x": 0.02, "font": {"size": 14}},
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
    )
    shown, texts = np.maximum(found.training, NONE), found.training
    hover = f"%{{customdata:,}} in {chart_text(data.split)}<extra></extra>"
    if found.nodes.size <= BARS_UP_TO:  # bars of logarithms begin where the axis does
        figure.add_trace(
            go.Bar(
                x=names,
                y=shown - 0.9 * NONE,
                base=0.9 * NONE,
                customdata=texts,
                hovertemplate=hover,
                marker={"color": TRAINING, "line": {"width": 0}},
            )
        )
    else:
        figure.add_trace(
            go.Scatter(
                x=names,
                y=shown,
                customdata=texts,
                mode="lines",
                line={"color": TRAINING, "width": 2.4, "shape": "hvh"},
                hovertemplate=hover,
            )
        )
    figure.add_trace(
        go.Scatter(
            x=names,
            y=np.maximum(found.evaluated, NONE),
            customdata=found.evaluated,
            mode="markers",
            marker={"color": EVALUATED, "size": 8 if found.nodes.size <= BARS_UP_TO else 4},
            hovertemplate=f"%{{customdata:,}} in {split}<extra></extra>",
        )
    )
    largest = int(max(found.training.max(), found.evaluated.max()))
    values, words = ticks(largest)
    figure.update_layout(bargap=0.2)
    figure.update_xaxes(
        type="category",
        showticklabels=False,
        showgrid=False,
        ticks="",
        title={"text": "labels, most frequent first"},
    )
    figure.update_yaxes(
        type="log",
        range=[math.log10(0.9 * NONE), math.log10(1.3 * max(1, largest))],
        tickvals=values,
        ticktext=words,
        title={"text": "images"},
    )
    return Chart(key, figure, 300, f"Images of each label at {found.level}: {imbalance(found)}.")


def counts_drawing(part: CountsPart, split: str) -> Figure:
    """Number of images per label, one panel per level."""
    from matplotlib.ticker import NullLocator

    from cladewise.drawing.paper import paper

    levels, data = part.levels, part.data
    columns = min(3, len(levels))
    rows = math.ceil(len(levels) / columns)
    with paper(max(3.6, 2.7 * columns), 2.5 * rows + 0.4) as figure:
        panels = figure.subplots(rows, columns, squeeze=False)
        for place, (axes, found) in enumerate(zip(panels.flat, levels, strict=False)):
            label = np.arange(found.nodes.size)
            training, evaluated = np.maximum(found.training, NONE), np.maximum(found.evaluated, NONE)
            if found.nodes.size <= BARS_UP_TO:
                axes.bar(
                    label, training - 0.9 * NONE, bottom=0.9 * NONE, color=TRAINING, label=f"training ({data.split})"
                )
            else:
                axes.step(label, training, where="mid", color=TRAINING, label=f"training ({data.split})")
            size = 4 if found.nodes.size <= BARS_UP_TO else 1.5
            axes.plot(label, evaluated, "o", color=EVALUATED, markersize=size, label=split)
            values, texts = ticks(int(max(found.training.max(), found.evaluated.max())))
            axes.set_yscale("log")
            axes.set_yticks(values, texts)
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_ylim(bottom=0.9 * NONE)
            axes.set_xticks([])
            axes.grid(axis="x", visible=False)
            axes.set_title(f"{found.level}: {imbalance(found)}", fontsize=7.5)
            axes.set_ylabel("images" if place % columns == 0 else "")
            axes.set_xlabel("labels, most frequent first", fontsize=8)
        for axes in panels.flat[len(levels) :]:
            axes.set_axis_off()
        handles, labels = panels.flat[0].get_legend_handles_labels()
        training_first = sorted(zip(labels, handles, strict=True), key=lambda entry: entry[0] == split)
        labels, handles = zip(*training_first, strict=True)
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _count_rows(section: CountsSection) -> pl.DataFrame:
    """One row per set of training images, level and label, in the order of the page."""
    return pl.concat(
        pl.DataFrame(
            {
                "groups": ", ".join(group.label for group in part.data.groups),
                "training_split": part.data.split,
                "evaluated_split": section.split,
                "level": found.level,
                "label": [section.taxonomy.path_name(node) for node in found.nodes.tolist()],
                "training_images": found.training,
                "evaluated_images": found.evaluated,
            }
        )
        for part in section.parts
        for found in part.levels
    )
