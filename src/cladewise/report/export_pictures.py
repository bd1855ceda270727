"""Classes, transitions, counts, explanations and plates as files of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cladewise.drawing.paper import save_figure
from cladewise.drawing.tables import file_name, write_csv
from cladewise.report.class_accuracy import ClassAccuracy, class_accuracies, others
from cladewise.report.explanations import explained_runs
from cladewise.report.export_plates import write_plate_files
from cladewise.report.groups import Group
from cladewise.report.label_counts import TrainingData, level_counts, training_data
from cladewise.report.picture_drawings import class_drawing, counts_drawing, explanation_drawing, transition_drawing
from cladewise.report.transitions import UP, Transition, transitions_of
from cladewise.taxonomy import Taxonomy

LEAST_PROBABILITY = 0.0005
"""Smaller entries of a learnt matrix are left out of its table, unless they belong to parent and child."""


def write_pictures(groups: Sequence[Group], folder: Path, baseline: Group) -> list[Path]:
    """Write what the page shows of classes, transitions, counts, explanations and plates; what no run has is left out.

    Args:
        groups: What is compared.
        folder: Where the files go.
        baseline: The reference of the differences.

    Returns:
        The files written.
    """
    written: list[Path] = []
    classes, transitions, data = class_accuracies(groups, baseline), transitions_of(groups), training_data(groups)
    taxonomy, split = baseline.runs[0].taxonomy, baseline.runs[0].evaluation.split
    for found in classes:
        written += save_figure(class_drawing(found, groups), folder / f"classes-{file_name(found.level)}")
    if classes:
        written.append(write_csv(_class_rows(classes, groups, taxonomy), folder / "classes.csv"))
    for found in transitions:
        order, coarse, fine = found.kind
        ends = [file_name(taxonomy.level_names[level - 1]) for level in (fine, coarse)]
        ends = ends if order == UP else ends[::-1]
        written += save_figure(transition_drawing(found, groups), folder / f"transitions-{'-to-'.join(ends)}")
    if transitions:
        written.append(write_csv(_transition_rows(transitions, groups, taxonomy), folder / "transitions.csv"))
    for place, each in enumerate(data, start=1):
        ending = f"-{place}" if len(data) > 1 else ""
        written += save_figure(counts_drawing(level_counts(each), each, split), folder / f"label-counts{ending}")
    if data:
        written.append(write_csv(_count_rows(data, taxonomy, split), folder / "label-counts.csv"))
    return written + _write_explanations(groups, folder) + write_plate_files(groups, folder)


def _class_rows(classes: Sequence[ClassAccuracy], groups: Sequence[Group], taxonomy: Taxonomy) -> pl.DataFrame:
    """A row a level, group and class, in the page's order."""
    return pl.concat(
        pl.DataFrame(
            {
                "level": found.level,
                "group": group.label,
                "reference": found.reference.label,
                "class": [taxonomy.path_name(node) for node in found.nodes.tolist()],
                "num_images": found.num_images,
                "accuracy": found.accuracy[group.index],
                "difference": found.change(group),
            }
        )
        for found in classes
        for group in (found.reference, *others(groups, found.reference))
    )


def _transition_rows(found: Sequence[Transition], groups: Sequence[Group], taxonomy: Taxonomy) -> pl.DataFrame:
    """A row an order, level, group and pair that is parent and child or has some probability."""
    parts: list[pl.DataFrame] = []
    for each in found:
        order, coarse, fine = each.kind
        for group in (group for group in groups if group.index in each.learnt):
            learnt = each.learnt[group.index]
            rows, columns = np.nonzero((each.naive > 0) | (learnt >= LEAST_PROBABILITY))
            parts.append(
                pl.DataFrame(
                    {
                        "order": order,
                        "coarse_level": taxonomy.level_names[coarse - 1],
                        "fine_level": taxonomy.level_names[fine - 1],
                        "group": group.label,
                        "coarse": [taxonomy.path_name(node) for node in each.rows[rows].tolist()],
                        "fine": [taxonomy.path_name(node) for node in each.columns[columns].tolist()],
                        "naive": each.naive[rows, columns],
                        "learnt": learnt[rows, columns],
                    }
                )
            )
    return pl.concat(parts)


def _count_rows(data: Sequence[TrainingData], taxonomy: Taxonomy, split: str) -> pl.DataFrame:
    """A row a set of training images, level and label, in the page's order."""
    return pl.concat(
        pl.DataFrame(
            {
                "groups": ", ".join(group.label for group in each.groups),
                "training_split": each.split,
                "evaluated_split": split,
                "level": found.level,
                "label": [taxonomy.path_name(node) for node in found.nodes.tolist()],
                "training_images": found.training,
                "evaluated_images": found.evaluated,
            }
        )
        for each in data
        for found in level_counts(each)
    )


def _write_explanations(groups: Sequence[Group], folder: Path) -> list[Path]:
    """A drawing for each group and split, and a table of all nodes and probabilities."""
    written: list[Path] = []
    rows: list[dict[str, Any]] = []
    for group, run, found in explained_runs(groups):
        taxonomy = run.taxonomy
        for where, content in found:
            name = f"explanations-{file_name(group.label)}-{file_name(content.split)}"
            written += save_figure(explanation_drawing(run, where, content), folder / name)
            rows += [
                {
                    "group": group.label,
                    "seed": run.seed,
                    "split": content.split,
                    "path": image.path,
                    "true": None if image.true is None else taxonomy.path_name(image.true),
                    "level": taxonomy.level_names[each.level - 1],
                    "predicted": taxonomy.path_name(each.predicted),
                    "explained": taxonomy.path_name(each.node),
                    "probability": math.exp(each.log_prob),
                    "picture": str(where / each.file),
                }
                for image in content.images
                for each in image.maps
            ]
    if rows:
        written.append(write_csv(pl.DataFrame(rows, infer_schema_length=None), folder / "explanations.csv"))
    return written
