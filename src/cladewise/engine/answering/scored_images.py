"""Scores and labels of the images of a split, as rules are fitted on them and evaluations made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import polars as pl
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.feature_scores import LARGEST_KEPT
from cladewise.engine.answering.streamed_scores import StreamedScores
from cladewise.inference.columns import bound_to, needs_columns
from cladewise.metrics.answer_scores import RANKING_LENGTH
from cladewise.predictions import Prediction, storage

Rule = TypeVar("Rule")

CELLS_LEARNT_FROM = 1 << 28
"""Largest number of (image, node) cells that a rule learns from, 1 GB in single precision."""
CELLS_AT_ONCE = 1 << 25
"""Number of (image, node) cells that are worked on at a time, 128 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class Scored:
    """Scores and labels of the images of a split.

    Args:
        scores: The prediction over the network's own tree; for large splits, an object that computes it part by part.
        target: Label of each image, a node of the true tree.
        index: Index of each image in the dataset.
        paths: Path of each image.
        num_skipped: Number of images that could not be read.
        data: Digest of the images and labels of the split; empty if they were not there.
        read_columns: Reads :attr:`columns`; ``None`` if there are none.
    """

    scores: Prediction | StreamedScores
    target: Int[Tensor, " image"]
    index: Int[Tensor, " image"]
    paths: Sequence[str]
    num_skipped: int
    data: str = ""
    read_columns: Callable[[], pl.DataFrame] | None = None

    @cached_property
    def columns(self) -> pl.DataFrame | None:
        """Further columns of the table that lists the images, such as a sequence or a location, one row per image.

        Read when first accessed; ``None`` if the images are not listed in a table.

        Raises:
            InputError: The table has changed.
        """
        return None if self.read_columns is None else self.read_columns()

    def bound(self, rule: Rule, rows: NDArray[np.int64] | slice) -> Rule:
        """A rule bound to the further columns of some of the images, if it needs them.

        Raises:
            InputError: A column that it needs is missing.
        """
        columns = self.columns_for(rule)
        return bound_to(rule, None if columns is None else columns[rows])

    def columns_for(self, rule: object) -> pl.DataFrame | None:
        """The further columns of all images if a rule needs them; they are not read otherwise."""
        return self.columns if needs_columns(rule) else None

    def parts(self) -> Iterator[tuple[Prediction, Int[Tensor, " image"]]]:
        """The prediction and the labels, in parts of images one after another."""
        if isinstance(self.scores, Prediction):
            yield from in_parts(self.scores, self.target)
            return
        start = 0
        for part in self.scores.parts(self.index.numpy()):
            stop = start + part.batch_shape[0]
            yield part.settled(), self.target[start:stop].to(part.device)
            start = stop

    def sample(self, size: int = LARGEST_KEPT) -> tuple[Prediction, Int[Tensor, " chosen"]]:
        """The prediction of all images, or of as many random ones as have scores of this size, and which these are.

        Args:
            size: Bytes. Scores that are in memory already are used as they are, unless they are short lists of which
                the probabilities of all nodes, which rules learn from, would take much more.
        """
        if isinstance(self.scores, Prediction):
            most = CELLS_LEARNT_FROM // self.scores.taxonomy.num_nodes
        else:
            most = size // max(1, self.scores.bytes_per_image)
        count = max(1, min(len(self.target), most))
        if isinstance(self.scores, Prediction) and count == len(self.target):
            return self.scores, torch.arange(count)
        chosen = torch.randperm(len(self.target), generator=torch.Generator().manual_seed(0))[:count].sort().values
        if isinstance(self.scores, Prediction):
            return self.scores[chosen], chosen
        parts = [part.settled().to("cpu") for part in self.scores.parts(self.index[chosen].numpy())]
        return storage.concatenate(parts), chosen


def in_parts(
    prediction: Prediction, target: Int[Tensor, " image"]
) -> Iterator[tuple[Prediction, Int[Tensor, " image"]]]:
    """Cut a prediction and its labels into parts of about :data:`CELLS_AT_ONCE` cells."""
    size = max(1, CELLS_AT_ONCE // prediction.taxonomy.num_nodes)
    for start in range(0, prediction.batch_shape[0], size):
        part = prediction[start : start + size]
        yield part, target[start : start + size].to(part.device)


def prediction_rows(prediction: Prediction, target: Tensor, paths: Sequence[str], tree: AnswerTree) -> pl.DataFrame:
    """One row per image: path, true node, best nodes, and the log-probability at or under each of them."""
    nodes: list[NDArray[np.int64]] = []
    log_probs: list[NDArray[np.float32]] = []
    for own, _ in in_parts(prediction, target):
        part = tree.prediction(own)
        best = part.ranking(RANKING_LENGTH)
        nodes.append(best.cpu().numpy())
        log_probs.append(part.log_prob_of(best).float().cpu().numpy())
    width = nodes[0].shape[1]
    return pl.DataFrame(
        {
            "path": pl.Series(paths, dtype=pl.String),
            "target": target.cpu().numpy(),
            "top_nodes": pl.Series(np.concatenate(nodes), dtype=pl.Array(pl.Int64, width)).cast(pl.List(pl.Int64)),
            "top_log_probs": pl.Series(np.concatenate(log_probs), dtype=pl.Array(pl.Float32, width)).cast(
                pl.List(pl.Float32)
            ),
        }
    )
