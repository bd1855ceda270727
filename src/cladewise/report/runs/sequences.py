"""Operating sequences: the answers of every image from the root to a leaf, each with its probability."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.report.runs.lines import Line
from cladewise.report.runs.outcomes import LOG_PROBS, NODES, columns_of
from cladewise.report.runs.run import FloatArray, ReportedRun, outcomes_of
from cladewise.report.runs.status import IntArray


@dataclasses.dataclass(frozen=True)
class Sequences:
    """The sequences of all images, concatenated.

    Args:
        image: Row of the image that each element belongs to ``[element]``, ascending.
        node: The answer ``[element]``; specificity rises along an image's elements.
        probability: Highest threshold at which it is the answer ``[element]``; falls along an image's elements.
        ends: Highest threshold at which the next element is the answer ``[element]``; 0 for the last.
        num_images: Number of images.
    """

    image: IntArray
    node: IntArray
    probability: FloatArray
    ends: FloatArray
    num_images: int

    def of(self, image: int) -> tuple[IntArray, FloatArray]:
        """Answers of one image with their probabilities."""
        start, end = np.searchsorted(self.image, [image, image + 1])
        return self.node[start:end], self.probability[start:end]

    def mean_at(self, values: FloatArray, thresholds: FloatArray) -> FloatArray:
        """Mean over the images of a value of the answer, at each threshold.

        Args:
            values: Value of each element ``[element]``.
            thresholds: Probabilities, in any order.

        Each element adds its difference to the previous one from its probability downwards; an image's first element
        counts at every threshold.
        """
        is_first = np.diff(self.image, prepend=-1) > 0
        step = np.diff(values, prepend=0.0)
        step[is_first] = values[is_first]
        begins = np.where(is_first, np.inf, self.probability)
        order = np.argsort(-begins, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(step[order])])
        return total[np.searchsorted(-begins[order], -thresholds, side="right")] / max(1, self.num_images)


def read_sequences(line: Line) -> list[tuple[ReportedRun, Sequences]]:
    """The sequences of every run of a line whose evaluations record them.

    Raises:
        InputError: Their images differ from those of the shown evaluation.
    """
    found: list[tuple[ReportedRun, Sequences]] = []
    for run, evaluations in line.evaluations:
        for evaluation in evaluations:
            file = evaluation.outcomes
            if {NODES, LOG_PROBS} <= set(columns_of(file, advice=f"Run: {evaluation.command}")):
                frame = outcomes_of(evaluation, run.taxonomy, (NODES, LOG_PROBS))
                if not (frame["path"].equals(run.paths) and frame["target"].equals(run.outcomes["target"])):
                    raise InputError(
                        f"evaluations of one split on the same images ({run.outcomes.height} in {run.evaluation.path})",
                        f"{frame.height} images, not all the same, in {file}",
                        advice=f"Run: {evaluation.command}",
                    )
                found.append((run, _flat(frame)))
                break
    return found


def _flat(frame: pl.DataFrame) -> Sequences:
    length = frame[NODES].list.len().fill_null(0).to_numpy()
    image = np.repeat(np.arange(frame.height), length)
    node = frame[NODES].to_arrow().flatten().to_numpy().astype(np.int64)
    probability = np.exp(frame[LOG_PROBS].to_arrow().flatten().to_numpy().astype(np.float64))
    is_last = np.diff(image, append=-1) != 0
    ends = np.where(is_last, 0.0, np.append(probability[1:], 0.0))
    return Sequences(image, node, probability, ends, frame.height)
