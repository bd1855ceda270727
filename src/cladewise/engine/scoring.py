"""The head's scores of a split, from the run folder where they are there already."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise import metrics
from cladewise.atomic import replacing, write_bytes
from cladewise.datasets import Dataset
from cladewise.engine.forward import predict_rows
from cladewise.engine.terms import Terms
from cladewise.engine.transitions import TransitionMeans, keep_transitions
from cladewise.errors import InputError
from cladewise.predictions import Prediction, store

if TYPE_CHECKING:
    from cladewise.engine.run import Run

CELLS_AT_ONCE = 1 << 25
"""Images are taken in parts of about this many (image, node) cells, 128 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class Scored:
    """What a head says of the images of a split, in the tree that it knows, and what they are in the true one.

    Args:
        prediction: Over the network's own tree.
        target: Node of the true tree.
        index: Which images of the data these are.
        paths: Their paths.
        num_skipped: How many others could not be read.
    """

    prediction: Prediction
    target: Int[Tensor, " image"]
    index: Int[Tensor, " image"]
    paths: list[str]
    num_skipped: int

    def parts(self) -> Iterator[tuple[Prediction, Int[Tensor, " image"]]]:
        """Predictions and labels of some images at a time, as many as fit."""
        return in_parts(self.prediction, self.target)


def in_parts(
    prediction: Prediction, target: Int[Tensor, " image"]
) -> Iterator[tuple[Prediction, Int[Tensor, " image"]]]:
    """A prediction and its labels, cut so that a part has about :data:`CELLS_AT_ONCE` cells."""
    size = max(1, CELLS_AT_ONCE // prediction.taxonomy.num_nodes)
    for start in range(0, prediction.batch_shape[0], size):
        part = prediction[start : start + size]
        yield part, target[start : start + size].to(part.device)


def scored(run: Run, split: str, data: Dataset | None = None, *, progress: bool = True) -> Scored:
    """The head's prediction for a split, kept in the run folder for the next time.

    Raises:
        InputError: There is no such split, no image of it can be read, or the data has another taxonomy.
    """
    scores_path, rows_path = run.folder.scores(split), run.folder.predictions(split)
    if data is None and scores_path.is_file() and rows_path.is_file():
        prediction, rest, about = store.load(scores_path, run.own_taxonomy)
        if about["model"] == run.model_hash and "index" in rest:
            paths = pl.read_parquet(rows_path, columns=["path"])["path"].to_list()
            return Scored(prediction, rest["target"], rest["index"], paths, int(about["num_skipped"]))
    dataset = data if data is not None else run.dataset
    if dataset.taxonomy != run.taxonomy:
        raise InputError(
            "data with the taxonomy that the run was trained on",
            f"{dataset.taxonomy} instead of {run.taxonomy}",
            at=dataset.name,
            advice="Compare them: cladewise taxonomy diff.",
        )
    transitions = TransitionMeans()
    prediction, kept, skipped = predict_rows(
        run, dataset, dataset.indices(split), progress=progress, watch=transitions.add
    )
    if kept.size == 0:
        raise InputError("images to evaluate on", "none that can be read", at=f"split {split} of {dataset.name}")
    target, index = torch.from_numpy(dataset.nodes[kept]), torch.from_numpy(kept)
    paths: list[str] = [dataset.paths[i] for i in map(int, kept)]
    about = {"model": run.model_hash, "num_skipped": str(len(skipped))}
    with replacing(rows_path) as temporary:
        prediction_rows(prediction, target, paths, run.terms()).write_parquet(temporary)
    keep_transitions(run, split, transitions)
    extra = {"target": target, "index": index}
    write_bytes(scores_path, store.to_bytes(prediction, extra=extra, about=about))
    return Scored(prediction, target, index, paths, len(skipped))


def prediction_rows(prediction: Prediction, target: Tensor, paths: list[str], terms: Terms) -> pl.DataFrame:
    """A row an image: path, true node, the best nodes and the log-probability at or under each, in the true tree."""
    nodes: list[NDArray[np.int64]] = []
    log_probs: list[NDArray[np.float32]] = []
    for own, _ in in_parts(prediction, target):
        part = terms.prediction(own)
        best = part.ranking(metrics.RANKING_LENGTH)
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


def file_hash(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
