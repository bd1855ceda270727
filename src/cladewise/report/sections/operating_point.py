"""Section *Choose an operating point*: a slider over the threshold, and the answers to example images at each stop."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cladewise.drawing.thumbnails import thumbnail
from cladewise.report.charts import as_script_data
from cladewise.report.comparison import Comparison
from cladewise.report.runs.lines import Line
from cladewise.report.runs.operating_curves import MeanCurve
from cladewise.report.runs.run import FloatArray, ReportedRun
from cladewise.report.runs.sequences import Sequences, read_sequences
from cladewise.report.runs.status import IntArray, Status, judge
from cladewise.report.sections.section import Section
from cladewise.taxonomy import Taxonomy

THRESHOLDS = np.array([1.0, 0.9999, 0.9995, 0.999, 0.998, 0.995, *np.round(np.arange(0.99, 0.0, -0.01), 2), 0.0])
"""Stops of the slider, from cautious to specific; denser where confident models differ."""
START = int(np.flatnonzero(THRESHOLDS == 0.5)[0])
"""Initial stop: a probability of one half."""

NUM_EXAMPLES = 12
SHARES = (7, 3, 2)
"""Relative numbers of examples: right while coarse but wrong at the leaf; right to the end; never right."""


@dataclasses.dataclass(frozen=True)
class Example:
    """An example image: its row in the evaluation, its path, its thumbnail, and the names on the path to its label."""

    row: int
    path: str
    picture: str | None
    true: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class OperatingPointSection(Section):
    """The slider and its example images."""

    template: ClassVar[str] = "operating_point.html"
    lines: tuple[Line, ...]
    examples: tuple[Example, ...]
    seed: int
    data: str
    stops: int = THRESHOLDS.size
    start: int = START

    @property
    def script_data(self) -> Mapping[str, str]:
        return {"point": self.data}


def operating_point_sections(comparison: Comparison) -> Iterator[OperatingPointSection]:
    """The section, if any line has both a curve and the answers of single images at every threshold."""
    found = [(curve, sequences) for curve in comparison.curves if (sequences := read_sequences(curve.line))]
    if not found:
        return
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
    text = as_script_data(json.dumps(data, separators=(",", ":")))
    yield OperatingPointSection(lines, examples, first_run.seed, text)


def _example(run: ReportedRun, row: int) -> Example:
    path = str(run.paths[row])
    return Example(row, path, thumbnail(run.image_root / path), run.taxonomy.path_names(int(run.target[row])))


def _line_data(curve: MeanCurve, found: Sequence[tuple[ReportedRun, Sequences]], rows: Sequence[int]) -> dict[str, Any]:
    """Data of one line: numbers averaged over its runs, and the answers of the first run."""
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


def _share_of_leaves(run: ReportedRun, sequences: Sequences) -> FloatArray:
    return sequences.mean_at(run.taxonomy.is_leaf[sequences.node].astype(np.float64), THRESHOLDS)


def _mean_depth(run: ReportedRun, sequences: Sequences) -> FloatArray:
    return sequences.mean_at(run.taxonomy.depth[sequences.node].astype(np.float64), THRESHOLDS)


def _answers(run: ReportedRun, sequences: Sequences, row: int) -> dict[str, list[Any]]:
    nodes, probability = sequences.of(row)
    status: IntArray = judge(np.full(nodes.size, run.target[row]), nodes, run.taxonomy)
    return {"node": nodes.tolist(), "probability": _rounded(probability, 6), "status": status.tolist()}


def _rounded(values: FloatArray, digits: int) -> list[float]:
    return np.round(values, digits).tolist()


def choose_examples(
    sequences: Sequence[Sequences], target: IntArray, taxonomy: Taxonomy, number: int = NUM_EXAMPLES
) -> list[int]:
    """Choose images whose answers change most as the threshold falls; deterministic.

    Images of each kind (see :data:`SHARES`) are ranked by the range of thresholds, summed over the sequences, in which
    their answers are right but coarse, or wrong. Among the highest ranked, images whose labels have different parents
    come first, then images with different labels.

    Args:
        sequences: Answers of several models to the same images.
        target: Label of every image ``[image]``.
        taxonomy: The tree.
        number: Number of images to choose.

    Returns:
        Rows of the images.
    """
    scores = np.sum([_scores(each, target, taxonomy) for each in sequences], axis=0)
    shuffled = np.random.default_rng(0).permutation(target.size)  # equal scores: not all of the first folder
    families = (taxonomy.parents[target], target, np.arange(target.size))
    chosen: list[int] = []
    wanted = np.cumsum([round(number * share / sum(SHARES)) for share in SHARES])
    for score, up_to in zip(scores, wanted.tolist(), strict=True):
        ranked = shuffled[np.argsort(-score[shuffled], kind="stable")]
        telling = ranked[score[ranked] > 0.5 * score.max()]
        for candidates, family in itertools.product((telling, ranked[score[ranked] > 0]), families):
            _take(chosen, candidates, family, min(up_to, number))
    _take(chosen, shuffled[np.argsort(-scores.sum(axis=0)[shuffled], kind="stable")], families[-1], number)
    return chosen


def _take(chosen: list[int], ranked: IntArray, family: IntArray, up_to: int) -> None:
    """Add images, at most one per family, until there are ``up_to``."""
    seen = {int(family[image]) for image in chosen}
    for image in ranked.tolist():
        if len(chosen) >= up_to:
            return
        if int(family[image]) not in seen:
            seen.add(int(family[image]))
            chosen.append(image)


def _scores(sequences: Sequences, target: IntArray, taxonomy: Taxonomy) -> FloatArray:
    """Score ``[kind, image]``: the range of thresholds that makes an image an example of a kind; 0 for other kinds."""
    status = judge(target[sequences.image], sequences.node, taxonomy)
    width = sequences.probability - sequences.ends
    size = sequences.num_images

    def time(those: NDArray[np.bool_]) -> FloatArray:
        return np.bincount(sequences.image, weights=width * those, minlength=size).astype(np.float64)

    is_partly = (status == Status.COARSER) & (sequences.node > 0)
    is_last = np.diff(sequences.image, append=-1) != 0
    final = np.full(size, int(Status.COARSER))
    final[sequences.image[is_last]] = status[is_last]
    partly, right, wrong = time(is_partly), time(status == Status.RIGHT), time(status == Status.WRONG)
    return np.stack(
        [
            np.where(final == Status.WRONG, partly, 0.0),
            np.where(final == Status.RIGHT, partly, 0.0),
            np.where(partly + right == 0, wrong, 0.0),
        ]
    )
