"""Scores of groups of images that show the same thing: those of the images, pooled after their inference."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cladewise.engine.answering.feature_scores import LARGEST_KEPT
from cladewise.engine.answering.groups import Grouping, Groups
from cladewise.engine.answering.prediction_table import names_beside
from cladewise.engine.answering.scored_images import CELLS_AT_ONCE, Scored
from cladewise.engine.answering.streamed_scores import StreamedScores
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.predictions import Pool, Prediction, pooled, storage
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]


def grouped(
    seen: Scored, grouping: Grouping, taxonomy: Taxonomy, infer: Inference | None = None
) -> tuple[Scored, tuple[str, ...]]:
    """Scores with one row per group, and notes about the groups.

    Every image is inferred on its own, with its own columns; then the predictions of a group are pooled. The label of a
    group is that of its images, or the deepest node that all their labels are at or under. Its path is its key, and its
    columns are those on which its images agree.

    Args:
        seen: Scores of images.
        grouping: Which images are of one group.
        taxonomy: The tree of the labels.
        infer: The inference; nothing is inferred afterwards.

    Raises:
        InputError: The images cannot be grouped, or as the inference.
    """
    groups = grouping.of(seen.paths, seen.columns if grouping.needs_columns else None)
    target, num_mixed = _labels(seen.target.cpu().numpy(), groups, taxonomy)
    seen = _in_any_order(seen, groups, grouping)
    scores: Prediction | PooledScores = PooledScores(seen, groups, grouping.pool, infer)
    if scores.bytes_per_image * len(groups.keys) <= LARGEST_KEPT:
        scores = storage.concatenate(list(scores.parts(np.arange(len(groups.keys)))))
    index, read = torch.arange(len(groups.keys)), functools.partial(_columns, seen, groups)
    made = Scored(scores, torch.from_numpy(target), index, groups.keys, seen.num_skipped, seen.data, read_columns=read)
    return made, _notes(groups, num_mixed)


def _columns(seen: Scored, groups: Groups) -> pl.DataFrame:
    """The number of images of each group, and the further columns on which all of them agree."""
    sizes = pl.DataFrame({"images": groups.sizes})
    if seen.columns is None:
        return sizes
    return sizes.hstack(groups.agreed(seen.columns).rename(names_beside(seen.columns.columns, ["images"])))


def _in_any_order(seen: Scored, groups: Groups, grouping: Grouping) -> Scored:
    """Scores whose images can be asked for group by group.

    Raises:
        InputError: They are read in order, are too large to be held, and the images of a group are not adjacent.
    """
    scores = seen.scores
    if isinstance(scores, Prediction) or not scores.in_order or (np.diff(groups.order) > 0).all():
        return seen
    size = scores.bytes_per_image * len(seen.paths)
    if size > LARGEST_KEPT:
        raise InputError(
            "rows of a group next to each other, in scores that are too large to be held in memory",
            f"rows of {size / 1e6:,.0f} MB in another order",
            advice=f"Sort the scores by {grouping.by}.",
        )
    parts = [part.settled() for part in scores.parts(seen.index.numpy())]
    return dataclasses.replace(seen, scores=storage.concatenate(parts))


def _labels(target: IntArray, groups: Groups, taxonomy: Taxonomy) -> tuple[IntArray, int]:
    """Label of each group, and the number of groups whose images have different ones.

    The lowest common ancestor of nodes in pre-order is that of the first and the last of them.
    """
    ordered = target[groups.order]
    low = np.minimum.reduceat(ordered, groups.starts[:-1])
    high = np.maximum.reduceat(ordered, groups.starts[:-1])
    return taxonomy.lca(low, high), int((low != high).sum())


def _notes(groups: Groups, num_mixed: int) -> tuple[str, ...]:
    told = [f"{len(groups.group):,} images in {len(groups.keys):,} groups"]
    if groups.num_alone:
        told.append(f"images without a group, each counted as one: {groups.num_alone:,}")
    if num_mixed:
        told.append(f"groups whose images have different labels, and so the node above these as theirs: {num_mixed:,}")
    return tuple(told)


@dataclasses.dataclass(frozen=True)
class PooledScores(StreamedScores):
    """Scores of groups, pooled from those of their images in every pass.

    Args:
        seen: The images.
        groups: Their groups.
        pool: The way of pooling.
        infer: The inference of each image.
    """

    seen: Scored
    groups: Groups
    pool: Pool
    infer: Inference | None

    @property
    def bytes_per_image(self) -> int:
        """Size of the scores of a group."""
        scores = self.seen.scores
        if not isinstance(scores, Prediction):
            return scores.bytes_per_image
        return sum(tensor[:1].numel() * 4 for tensor in scores.tensors().values())

    def parts(self, index: IntArray) -> Iterator[Prediction]:
        """The predictions of some groups, one part after another.

        Args:
            index: The groups.
        """
        starts, sizes = self.groups.starts, self.groups.sizes[index]
        rows = self.groups.order[_ranges(starts[index], sizes)]
        group = np.repeat(np.arange(len(index)), sizes)
        waiting: list[Prediction] = []  # images of a group that is not complete
        done = seen = 0
        for part in self._images(rows):
            waiting.append(part)
            seen += part.batch_shape[0]
            stop = int(group[seen]) if seen < len(group) else len(index)  # groups before this one are complete
            if stop == done:
                continue
            joined = waiting[0] if len(waiting) == 1 else storage.concatenate(waiting)
            first = seen - joined.batch_shape[0]
            last = int(np.searchsorted(group, stop))
            members = torch.from_numpy(group[first:last] - done).to(joined.device)
            yield pooled(joined[: last - first], members, stop - done, self.pool)
            waiting = [joined[last - first :]] if last < seen else []
            done = stop

    def _images(self, rows: IntArray) -> Iterator[Prediction]:
        """Inferred predictions of some images, in parts."""
        scores, start = self.seen.scores, 0
        if isinstance(scores, Prediction):
            size = max(1, CELLS_AT_ONCE // scores.taxonomy.num_nodes)
            starts = range(0, len(rows), size)
            raw = (scores[torch.from_numpy(rows[i : i + size]).to(scores.device)] for i in starts)
        else:
            raw = scores.parts(self.seen.index.numpy()[rows])
        for part in raw:
            settled = part.settled()
            stop = start + settled.batch_shape[0]
            rule = self.seen.bound(self.infer, rows[start:stop])
            yield (settled if rule is None else rule(settled)).settled().to("cpu")
            start = stop


def _ranges(starts: IntArray, sizes: IntArray) -> IntArray:
    """The numbers of all ranges of some sizes, one range after another."""
    first = np.repeat(starts - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    return first + np.arange(int(sizes.sum()))
