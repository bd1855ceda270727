"""The slider: what is answered at each threshold on the probability, in numbers and on example images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from cladewise.drawing.thumbnails import thumbnail
from cladewise.report.charts import as_script_data
from cladewise.report.examples import choose_examples
from cladewise.report.lines import Line
from cladewise.report.operating import MeanCurve
from cladewise.report.run import FloatArray, IntArray, Run, judge
from cladewise.report.sequences import Sequences, read_sequences

THRESHOLDS = np.array([1.0, 0.9999, 0.9995, 0.999, 0.998, 0.995, *np.round(np.arange(0.99, 0.0, -0.01), 2), 0.0])
"""Stops of the slider, from the cautious to the specific; denser where confident models differ."""

START = int(np.flatnonzero(THRESHOLDS == 0.5)[0])
"""Where the slider stands at first: at the majority."""


@dataclasses.dataclass(frozen=True)
class Example:
    """An image on a card of its own: where it lies, its picture, and the names on the path to its label."""

    row: int
    path: str
    picture: str | None
    true: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """The slider's section."""

    lines: tuple[Line, ...]
    examples: tuple[Example, ...]
    seed: int
    data: str
    stops: int = THRESHOLDS.size
    start: int = START


def operating_point(curves: Sequence[MeanCurve]) -> OperatingPoint | None:
    """The section of the lines that have both a curve and the sequences of the single images; ``None`` without any."""
    found = [(curve, sequences) for curve in curves if (sequences := read_sequences(curve.line))]
    if not found:
        return None
    first_run = found[0][1][0][0]
    first_shown = [sequences[0][1] for curve, sequences in found if curve.line.is_shown_first]
    rows = choose_examples(first_shown or [found[0][1][0][1]], first_run.target, first_run.taxonomy)
    examples = tuple(_example(first_run, row) for row in rows)
    content = [_line_data(curve, sequences, rows) for curve, sequences in found]
    nodes = sorted({node for line in content for answers in line["answers"] for node in answers["node"]})
    data = {
        "thresholds": THRESHOLDS.tolist(),
        "deepest": first_run.taxonomy.max_depth,
        "names": {node: list(first_run.taxonomy.path_names(node)) for node in nodes},
        "targets": [list(example.true) for example in examples],
        "lines": content,
    }
    lines = tuple(curve.line for curve, _ in found)
    return OperatingPoint(lines, examples, first_run.seed, as_script_data(json.dumps(data, separators=(",", ":"))))


def _example(run: Run, row: int) -> Example:
    path = str(run.paths[row])
    return Example(row, path, thumbnail(run.image_root / path), run.taxonomy.path_names(int(run.target[row])))


def _line_data(curve: MeanCurve, found: Sequence[tuple[Run, Sequences]], rows: Sequence[int]) -> dict[str, Any]:
    """Numbers as means over the runs, answers of the first of them."""
    points = [each.at_threshold(THRESHOLDS) for each in curve.curves]
    percent = {name: 100 * np.mean([point[name] for point in points], axis=0) for name in points[0]}
    run, sequences = found[0]
    leaves = np.mean([_share_of_leaves(r, s) for r, s in found], axis=0)
    depth = np.mean([_mean_depth(r, s) for r, s in found], axis=0)
    return {
        "group": curve.line.group.index,
        "inference": curve.line.inference_index,
        "label": curve.line.label,
        "color": curve.line.color,
        **{name: _rounded(values, 2) for name, values in percent.items()},
        "leaves": _rounded(100 * leaves, 2),
        "depth": _rounded(depth, 3),
        "answers": [_answers(run, sequences, row) for row in rows],
    }


def _share_of_leaves(run: Run, sequences: Sequences) -> FloatArray:
    return sequences.mean_at(run.taxonomy.is_leaf[sequences.node].astype(np.float64), THRESHOLDS)


def _mean_depth(run: Run, sequences: Sequences) -> FloatArray:
    return sequences.mean_at(run.taxonomy.depth[sequences.node].astype(np.float64), THRESHOLDS)


def _answers(run: Run, sequences: Sequences, row: int) -> dict[str, list[Any]]:
    nodes, probability = sequences.of(row)
    status: IntArray = judge(np.full(nodes.size, run.target[row]), nodes, run.taxonomy)
    return {"node": nodes.tolist(), "probability": _rounded(probability, 6), "status": status.tolist()}


def _rounded(values: FloatArray, digits: int) -> list[float]:
    return np.round(values, digits).tolist()
