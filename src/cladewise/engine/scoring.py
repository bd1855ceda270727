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
from cladewise.engine.digests import images_digest
from cladewise.engine.forward import predict_rows
from cladewise.engine.terms import Terms
from cladewise.engine.transitions import TransitionMeans, keep_transitions
from cladewise.errors import InputError, warn
from cladewise.parquet import read_parquet, write_parquet
from cladewise.predictions import Prediction, storage

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
        data: Digest of the images and labels that were asked for.
    """

    prediction: Prediction
    target: Int[Tensor, " image"]
    index: Int[Tensor, " image"]
    paths: list[str]
    num_skipped: int
    data: str = ""

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

    Images are scored again when the weights, a label, the images of the split, or one of the files (by its size and
    time of last change) are not those that were scored. Where the data is no longer there, kept scores are used.

    Raises:
        InputError: There is no such split, no image of it can be read, or the data has another taxonomy.
    """
    dataset = data if data is not None else run.dataset_if_there
    wanted = data_digest(run, split, dataset)
    kept = _kept(run, split, wanted)
    if kept is not None:
        if not wanted:
            warn(
                f"The images of {split} cannot be opened, and the scores kept from before are used",
                at=str(run.path),
                advice="Whether labels or images changed since then is not known.",
            )
        return kept
    if data is None and wanted and scored_digest(run, split) not in ("", wanted):
        warn(f"images or labels of {split} changed since it was last scored: it is scored again", at=str(run.path))
    dataset = dataset if dataset is not None else run.dataset  # which says why it cannot be opened
    transitions = TransitionMeans()
    prediction, found, skipped = predict_rows(
        run, dataset, dataset.indices(split), progress=progress, watch=transitions.add
    )
    if found.size == 0:
        raise InputError("images to evaluate on", "none that can be read", at=f"split {split} of {dataset.name}")
    target, index = torch.from_numpy(dataset.nodes[found]), torch.from_numpy(found)
    paths: list[str] = [dataset.paths[i] for i in map(int, found)]
    about = {
        "model": run.model_hash,
        "num_skipped": str(len(skipped)),
        "data": wanted,
        "paths": _paths_digest(paths),
    }
    with replacing(run.folder.predictions(split)) as temporary:
        write_parquet(prediction_rows(prediction, target, paths, run.terms()), temporary)
    keep_transitions(run, split, transitions)
    extra = {"target": target, "index": index}
    write_bytes(run.folder.scores(split), storage.to_bytes(prediction, extra=extra, about=about))
    return Scored(prediction, target, index, paths, len(skipped), wanted)


def data_digest(run: Run, split: str, dataset: Dataset | None) -> str:
    """Digest of the images and labels of a split as they are now; empty where they are not there any more.

    Raises:
        InputError: The data has no such split, or another taxonomy than the run.
    """
    if dataset is None:
        return ""
    if dataset.taxonomy != run.taxonomy:
        raise InputError(
            "data with the taxonomy that the run was trained on",
            f"{dataset.taxonomy} instead of {run.taxonomy}",
            at=dataset.name,
            advice="Compare them: cladewise taxonomy diff.",
        )
    indices = dataset.indices(split)
    if dataset is not vars(run).get("dataset"):
        return images_digest(dataset, indices)
    if split not in run.digests:
        run.digests[split] = images_digest(dataset, indices)
    return run.digests[split]


def scored_digest(run: Run, split: str) -> str:
    """Digest of the images and labels that a split was last scored on; empty where it was not, or by other weights."""
    path = run.folder.scores(split)
    about = storage.header(path) if path.is_file() else {}
    return about.get("data", "") if about.get("model") == run.model_hash else ""


def _kept(run: Run, split: str, wanted: str) -> Scored | None:
    """Scores of before, if they are by these weights, and of these images and labels where those are there."""
    scores_path, rows_path = run.folder.scores(split), run.folder.predictions(split)
    if not (scores_path.is_file() and rows_path.is_file()):
        return None
    if wanted and wanted != scored_digest(run, split):
        return None
    prediction, rest, about = storage.load_prediction(scores_path, run.own_taxonomy)
    if about.get("model") != run.model_hash or not {"index", "target"} <= rest.keys():
        return None
    paths = _read_paths(rows_path)
    if about.get("paths", _paths_digest(paths)) != _paths_digest(paths):
        return None  # a process was killed between the two files
    sizes = {prediction.batch_shape[0], len(rest["target"]), len(rest["index"]), len(paths)}
    if len(sizes) > 1:
        expected = f"scores of the {len(paths)} images in {rows_path.name}"
        raise InputError(expected, "of others", at=str(scores_path), advice=_ADVICE)
    return Scored(prediction, rest["target"], rest["index"], paths, _number(about, scores_path), about.get("data", ""))


def _number(about: dict[str, str], at: Path) -> int:
    try:
        return int(about["num_skipped"])
    except (KeyError, ValueError):
        raise InputError("scores with a number of skipped images", "none", at=str(at), advice=_ADVICE) from None


def _read_paths(file: Path) -> list[str]:
    return read_parquet(file, columns=["path"], advice=_ADVICE)["path"].to_list()


def _paths_digest(paths: list[str]) -> str:
    return hashlib.sha256("\0".join(paths).encode(errors="surrogateescape")).hexdigest()[:32]


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


_ADVICE = "Delete the file: it is made again."
