"""The pictures of classes, transitions, counts and explanations on paper: same colours, names and order as the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from PIL import Image

from cladewise.drawing.node_names import axis_names
from cladewise.drawing.palette import NEUTRAL, color
from cladewise.drawing.paper import PERCENT_TICKS, STYLE, add_legend, stroke
from cladewise.records.explanations import ExplainedImage, Explanations
from cladewise.report.class_accuracy import ClassAccuracy, bars_of, others
from cladewise.report.count_charts import BARS_UP_TO, EVALUATED, NONE, TRAINING, imbalance, ticks
from cladewise.report.explanations import verdict
from cladewise.report.groups import Group
from cladewise.report.label_counts import LevelCounts, TrainingData
from cladewise.report.operating import MeanCurve, Measure, lowest
from cladewise.report.reliability import Bins, marker_sizes
from cladewise.report.run import FloatArray, Run
from cladewise.report.transition_charts import COLOR_STOPS, MOST_NAMES, block_size, shrunk
from cladewise.report.transitions import UP, Transition
from cladewise.taxonomy import Taxonomy

INK = {"": "#1d2522", "right": "#17704f", "wrong": "#b23a2e"}
"""Of what is said of an answer."""

MOST_ROWS = 12
"""Images of a drawing of explanations."""


def operating_drawing(measure: Measure, curves: Sequence[MeanCurve]) -> Figure:
    """A measure against the information recall, a line and its band each."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for curve in curves:
            recall, mean, sd = 100 * curve.recall, 100 * curve.mean[measure.name], 100 * curve.sd[measure.name]
            axes.plot(recall, mean, label=curve.line.label, **stroke(curve.line.color, curve.line.dash), linewidth=1.6)
            if len(curve.curves) > 1:
                low, high = np.maximum(mean - sd, 0), np.minimum(mean + sd, 100)
                axes.fill_between(recall, low, high, color=curve.line.color, alpha=0.16, linewidth=0)
        axes.set(
            xlim=(0, 101),
            ylim=(lowest(measure, curves), 101),
            xlabel="information recall, %",
            ylabel=measure.axis,
        )
        add_legend(figure, axes)
    return figure


def reliability_drawing(by_level: Mapping[str, Sequence[Bins]]) -> Figure:
    """Accuracy against confidence, a panel a level."""
    columns = min(4, len(by_level))
    rows = math.ceil(len(by_level) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(3.2, 2.5 * columns), 2.6 * rows + 0.5), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, (axes, (level, found)) in enumerate(zip(panels.flat, by_level.items(), strict=False)):
            axes.plot([0, 100], [0, 100], color=NEUTRAL, linewidth=0.9, linestyle="--")
            for bins in found:
                x, y = 100 * bins.confidence, 100 * bins.accuracy
                axes.plot(x, y, label=bins.line.label, **stroke(bins.line.color, bins.line.dash), linewidth=1.2)
                axes.scatter(x, y, s=(0.7 * marker_sizes(bins.count)) ** 2, color=bins.line.color, linewidths=0)
            axes.set(
                xlim=(-4, 104), ylim=(-4, 104), title=level, aspect="equal", xticks=PERCENT_TICKS, yticks=PERCENT_TICKS
            )
            axes.set_xlabel("confidence, %" if place // columns == rows - 1 else "")
            axes.set_ylabel("accuracy, %" if place % columns == 0 else "")
        for axes in panels.flat[len(by_level) :]:
            axes.set_axis_off()
        add_legend(figure, panels.flat[0])
    return figure


def class_drawing(found: ClassAccuracy, groups: Sequence[Group]) -> Figure:
    """The reference's accuracy by class, a panel of differences for each other group, and the images."""
    taxonomy, compared = groups[0].runs[0].taxonomy, others(groups, found.reference)
    bars = bars_of(found, groups, taxonomy)
    place = np.arange(len(bars.names))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.9 + 1.05 * len(compared)), layout="constrained")
        panels = figure.subplots(
            2 + len(compared), 1, sharex=True, squeeze=False, height_ratios=[0.9, *[1.05] * len(compared), 0.6]
        )[:, 0]
        panels[0].bar(place, bars.reference, width=1, color=color(found.reference.index))
        panels[0].set(ylim=(0, 101), title=f"{found.reference.label}: accuracy, %")
        for axes, group in zip(panels[1:], compared, strict=False):
            axes.bar(place, bars.change[group.index], width=1, color=color(group.index))
            axes.axhline(0, color=NEUTRAL, linewidth=0.6)
            axes.set(ylim=(-bars.reach, bars.reach))
            axes.set_title(f"{group.label} − {found.reference.label}, percentage points")
        panels[-1].bar(place, bars.num_images, width=1, color=NEUTRAL)
        several = f", {bars.per_bar} to a bar" if bars.per_bar > 1 else ""
        panels[-1].set(title="images", xlim=(-0.6, len(bars.names) - 0.4))
        panels[-1].set_xlabel(f"{found.level} ({found.nodes.size:,}{several}), the hardest for the reference first")
        for axes in panels:
            axes.set_title(axes.get_title(), loc="left", fontsize=8)
            axes.set_title("")
            axes.grid(axis="x", visible=False)
            axes.set_xticks([])
    return figure


def transition_drawing(found: Transition, groups: Sequence[Group]) -> Figure:
    """The naive matrix and each group's, one under another where they are wide."""
    taxonomy = groups[0].runs[0].taxonomy
    learnt = [group for group in groups if group.index in found.learnt]
    matrices = [found.naive, *(found.learnt[group.index] for group in learnt)]
    labels = ["the tree alone", *(group.label for group in learnt)]
    order, coarse, fine = found.kind
    height, width = block_size(found)
    rows, columns = shrunk(matrices[0], height, width).shape
    across = 1 if columns > 2.5 * rows else 2
    down = math.ceil(len(matrices) / across)
    panel = max(1.3, min(3.2, 0.11 * rows + 0.4)) if across == 2 else max(1.2, min(2.6, 6.2 * rows / columns + 0.5))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, panel * down + 0.9), layout="constrained")
        panels = figure.subplots(down, across, squeeze=False)
        for place, (axes, matrix, label) in enumerate(zip(panels.flat, matrices, labels, strict=False)):
            _heat(axes, shrunk(matrix, height, width))
            axes.set_title(label, fontsize=9, loc="left")
            _name_rows(axes, found, taxonomy)
            axes.set_ylabel(f"{taxonomy.level_names[coarse - 1]} ({found.rows.size:,})")
            if place >= len(matrices) - across:
                axes.set_xlabel(f"{taxonomy.level_names[fine - 1]} ({found.columns.size:,})")
        for axes in panels.flat[len(matrices) :]:
            axes.set_axis_off()
        scale = ScalarMappable(PowerNorm(0.5, 0, 1), color_map())
        bar = figure.colorbar(scale, ax=panels, orientation="horizontal", shrink=0.5, aspect=40, pad=0.02)
        values = [value for value, _ in COLOR_STOPS]
        bar.ax.xaxis.set_major_locator(FixedLocator(values))
        bar.ax.xaxis.set_major_formatter(FixedFormatter([f"{100 * value:g}" for value in values]))
        bar.ax.xaxis.set_minor_locator(NullLocator())
        given = "column" if order == UP else "row"
        bar.set_label(f"probability, % (a {given} sums to 100)")
    return figure


def _heat(axes: Axes, cells: FloatArray) -> None:
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.imshow(
        cells, cmap=color_map(), norm=PowerNorm(0.5, 0, 1), aspect="auto", interpolation="nearest", rasterized=True
    )


def _name_rows(axes: Axes, found: Transition, taxonomy: Taxonomy) -> None:
    if found.rows.size <= MOST_NAMES:
        axes.set_yticks(range(found.rows.size), axis_names(found.rows, taxonomy), fontsize=6)


def color_map() -> LinearSegmentedColormap:
    """The page's colours over the root of the probability, on white."""
    stops = [(math.sqrt(value), _on_white(shade)) for value, shade in COLOR_STOPS]
    return LinearSegmentedColormap.from_list("transitions", stops)


def _on_white(shade: str) -> tuple[float, float, float]:
    red, green, blue, opacity = (float(part) for part in shade.removeprefix("rgba(").rstrip(")").split(","))
    first, second, third = ((opacity * part + (1 - opacity) * 255) / 255 for part in (red, green, blue))
    return first, second, third


def counts_drawing(levels: Sequence[LevelCounts], data: TrainingData, split: str) -> Figure:
    """Images of each label, a panel a level."""
    columns = min(3, len(levels))
    rows = math.ceil(len(levels) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(3.6, 2.7 * columns), 2.5 * rows + 0.4), layout="constrained")
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
            axes.set_xlabel("labels, the most frequent first", fontsize=8)
        for axes in panels.flat[len(levels) :]:
            axes.set_axis_off()
        handles, labels = panels.flat[0].get_legend_handles_labels()
        training_first = sorted(zip(labels, handles, strict=True), key=lambda entry: entry[0] == split)
        labels, handles = zip(*training_first, strict=True)
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def explanation_drawing(run: Run, folder: Path, content: Explanations) -> Figure:
    """An image a row, a level a column, the answers as titles."""
    images = content.images[:MOST_ROWS]
    levels = sorted({each.level for image in images for each in image.maps})
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.5 * (1 + len(levels)), 1.68 * len(images)), layout="constrained")
        panels = figure.subplots(len(images), 1 + len(levels), squeeze=False)
        for place, (row, image) in enumerate(zip(panels, images, strict=True)):
            heads = ["image", *(run.taxonomy.level_names[level - 1] for level in levels)] if place == 0 else []
            _picture_row(run, folder, row, image, levels, heads)
    return figure


def _picture_row(
    run: Run, folder: Path, row: Sequence[Axes], image: ExplainedImage, levels: Sequence[int], heads: Sequence[str]
) -> None:
    """An image and its maps; over them what they are of, coloured by whether that is right, and the columns' heads."""
    by_level = {each.level: each for each in image.maps}
    names = run.taxonomy.names
    true = "" if image.true is None else str(names[image.true])
    files = [image.picture, *(by_level[level].file if level in by_level else None for level in levels)]
    titles = [true, *(str(names[by_level[level].node]) if level in by_level else "" for level in levels)]
    verdicts = ["", *(verdict(run, by_level[level], image.true) if level in by_level else "" for level in levels)]
    for place, (axes, file, title) in enumerate(zip(row, files, titles, strict=True)):
        axes.set_axis_off()
        text = title if len(title) <= 22 else f"{title[:21]}…"
        axes.set_title(text, fontsize=7, color=INK[verdicts[place]])
        if heads:
            above: dict[str, Any] = {"xytext": (0, 20), "textcoords": "offset points", "ha": "center", "weight": "bold"}
            axes.annotate(heads[place], (0.5, 1), xycoords="axes fraction", fontsize=8, **above)
        path = None if file is None else folder / Path(file).name
        if path is not None and path.is_file():
            with Image.open(path) as picture:
                axes.imshow(np.asarray(picture.convert("RGB")))
