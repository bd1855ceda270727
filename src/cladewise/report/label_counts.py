"""How many images every label has, in training and in the evaluated split: the long tail, level by level."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.records import counts
from cladewise.records.layout import RunFolder
from cladewise.report.figure import Chart, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.node_names import axis_names
from cladewise.report.run import IntArray, Run
from cladewise.taxonomy import Taxonomy

TRAINING, EVALUATED = "#2a9d86", "#e0803a"
"""Colours: no group's own, and apart from each other for any eye."""

NONE = 0.5
"""Where an axis of logarithms has its 0."""

BARS_UP_TO = 60
"""Labels; more of them are a line."""


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What some of the groups were trained on: its split, images of every node itself ``[node]``, and the groups."""

    split: str
    num_images: IntArray
    groups: tuple[Group, ...]


@dataclasses.dataclass(frozen=True)
class LevelCounts:
    """The labels of a level, from the most to the least frequent in training.

    Args:
        level: Name of the level.
        nodes: The labels ``[label]``: the extended level's nodes.
        training: Images to train on ``[label]``.
        evaluated: Images of the evaluated split ``[label]``.
        above: Images of either whose labels are coarser than the level.
    """

    level: str
    nodes: IntArray
    training: IntArray
    evaluated: IntArray
    above: tuple[int, int]


def training_data(groups: Sequence[Group]) -> list[TrainingData]:
    """Each set of images that any group was trained on, as far as the run folders tell; by their shown runs."""
    found: list[TrainingData] = []
    for group in groups:
        told = _trained_on(group.shown_run)
        if told is None:
            continue
        split, num_images = told
        same = next((place for place, data in enumerate(found) if np.array_equal(data.num_images, num_images)), None)
        if same is None:
            found.append(TrainingData(split, num_images, (group,)))
        else:
            found[same] = dataclasses.replace(found[same], groups=(*found[same].groups, group))
    return found


def _trained_on(run: Run) -> tuple[str, IntArray] | None:
    file = RunFolder(run.folder).counts
    if not file.is_file():
        return None
    by_split = counts.read(file, run.taxonomy.num_nodes)
    split = str(run.config.get("training", {}).get("train_split", "train"))
    parts = [by_split[name] for name in split.split("+") if name in by_split]
    return (split, np.sum(parts, axis=0)) if parts else None


def level_counts(data: TrainingData) -> list[LevelCounts]:
    """Images of every label of every level, coarse to fine."""
    run = data.groups[0].shown_run
    taxonomy = run.taxonomy
    evaluated = np.bincount(run.target, minlength=taxonomy.num_nodes)
    found: list[LevelCounts] = []
    for level, name in enumerate(taxonomy.level_names, start=1):
        nodes = taxonomy.level_nodes(level)
        (training, above), (of_split, above_of_split) = (
            _at_level(each, level, taxonomy) for each in (data.num_images, evaluated)
        )
        order = np.argsort(-training[nodes], kind="stable")
        ranked = nodes[order]
        found.append(LevelCounts(name, ranked, training[ranked], of_split[ranked], (above, above_of_split)))
    return found


def _at_level(num_images: IntArray, level: int, taxonomy: Taxonomy) -> tuple[IntArray, int]:
    """Images that every node represents at a level ``[node]``, and those whose labels say nothing of it."""
    told = taxonomy.is_leaf | (taxonomy.level >= level)
    total = np.zeros(taxonomy.num_nodes, dtype=np.int64)
    np.add.at(total, taxonomy.at_level(level)[told], num_images[told])
    return total, int(num_images[~told].sum())


# ---------------------------------------------------------------- the picture


@dataclasses.dataclass(frozen=True)
class CountsSection:
    """The charts of one set of training images; ``names`` are its groups', empty where all were trained on it."""

    data: TrainingData
    names: tuple[str, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


def counts_sections(groups: Sequence[Group]) -> list[CountsSection]:
    """A section for each set of training images; empty where no run folder tells of any."""
    found = training_data(groups)
    sections: list[CountsSection] = []
    for place, data in enumerate(found):
        levels = level_counts(data)
        charts = tuple(
            _chart(f"counts-{place}-{index}", each, data, groups[0].runs[0]) for index, each in enumerate(levels)
        )
        names = tuple(group.label for group in data.groups) if len(data.groups) < len(groups) else ()
        sections.append(CountsSection(data, names, charts, tuple(filter(None, map(_left_out, levels)))))
    return sections


def _left_out(found: LevelCounts) -> str:
    if not any(found.above):
        return ""
    training, evaluated = found.above
    return (
        f"At {found.level}, {training:,} and {evaluated:,} images are left out, which are labelled coarser than that."
    )


def imbalance(found: LevelCounts) -> str:
    """How uneven the training images of a level are, in words.

    Example:
        >>> node = np.arange(3)
        >>> imbalance(LevelCounts("genus", node, np.array([40, 10, 0]), node, (0, 0)))
        '3 labels, 0 to 40 training images'
    """
    number, least, most = found.nodes.size, int(found.training.min()), int(found.training.max())
    span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{number:,} label{'s' if number != 1 else ''}, {span} training image{'s' if most != 1 else ''}"


def ticks(largest: int) -> tuple[list[float], list[str]]:
    """Ticks of an axis of counts by logarithm: 0, and about two for each power of ten.

    Example:
        >>> ticks(120)
        ([0.5, 1, 3, 10, 30, 100], ['0', '1', '3', '10', '30', '100'])
    """
    values = [first * 10**power for power in range(12) for first in (1, 3) if first * 10**power <= max(1, largest)]
    return [NONE, *values], ["0", *(f"{value:,}" for value in values)]


def _chart(key: str, found: LevelCounts, data: TrainingData, run: Run) -> Chart:
    names = [plain(name) for name in axis_names(found.nodes, run.taxonomy)]
    split = plain(run.evaluation.split)
    figure = blank_figure(
        hovermode="x unified",
        title={"text": f"{plain(found.level)}: {imbalance(found)}", "x": 0.02, "font": {"size": 14}},
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
    )
    shown, texts = np.maximum(found.training, NONE), found.training
    hover = f"%{{customdata:,}} in {plain(data.split)}<extra></extra>"
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
        title={"text": "labels, the most frequent first"},
    )
    figure.update_yaxes(
        type="log",
        range=[math.log10(0.9 * NONE), math.log10(1.3 * max(1, largest))],
        tickvals=values,
        ticktext=words,
        title={"text": "images"},
    )
    return Chart(key, figure, 300, f"Images of each label at {found.level}: {imbalance(found)}.")
