"""The head's scores of a split: read from the run folder, computed, and kept there."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import safetensors.torch
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.atomic import replacing, write_bytes
from cladewise.datasets import Dataset
from cladewise.engine.ablation import changes_labels, relabelled
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.feature_scores import LARGEST_KEPT, FeatureScores, score_bytes
from cladewise.engine.answering.forward import has_scores, predict_rows, without_scores
from cladewise.engine.answering.recorded_scores import labelled_scores
from cladewise.engine.answering.scored_images import Scored, prediction_rows
from cladewise.engine.answering.transitions import TransitionMeans, keep_transitions
from cladewise.engine.digests import images_digest
from cladewise.engine.run import Run
from cladewise.errors import InputError, warn
from cladewise.parquet import read_parquet, write_parquet, write_parquet_parts
from cladewise.predictions import Prediction, storage
from cladewise.tensor_files import reproducible

ROWS_AT_ONCE = 1 << 16
"""Images of a part of the table of predictions of a large split."""
STREAMED = "streamed"
"""Entry in the header of scores that are not in the file, but computed from cached features."""


def scored(run: Run, split: str, data: Dataset | None = None, *, progress: bool = True) -> Scored:
    """The head's scores of a split: read from the run folder if they are up to date, otherwise computed and kept there.

    Scores that another tool made are read from the folder, or from the files of the tool if they are large.

    Images are scored again if the weights, a label, the images of the split, or one of the files (by its size and
    modification time) have changed. If the data no longer exists, the kept scores are used.

    Args:
        run: The run.
        split: Split of the data.
        data: Other data than the run's, with the same taxonomy.
        progress: Show progress bars.

    Raises:
        InputError: There is no such split, none of its images can be read, or the data has another taxonomy.
    """
    if not run.has_network:
        if data is not None:
            run.check_network()
        return labelled_scores(run, split)
    if data is None and run.carried is not None:  # labels are kept as they are in the data, and translated
        seen = scored(run.before_migration, split, progress=progress)
        return dataclasses.replace(seen, target=run.answer_tree().nodes(seen.target))
    dataset = data if data is not None else run.dataset_if_there
    wanted = data_digest(run, split, dataset)
    kept = read_scores(run, split, wanted, dataset, progress=progress)
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
    dataset = dataset if dataset is not None else run.dataset  # raises the error of opening it
    transitions = TransitionMeans()
    is_large = score_bytes(run, len(dataset.indices(split))) > LARGEST_KEPT
    compute = stream_scores if is_large else compute_scores
    found = compute(run, split, dataset, watch=transitions.add, progress=progress)
    found = dataclasses.replace(found, data=wanted)
    keep_scores(run, split, found)
    keep_transitions(run, split, transitions)
    return found


def read_scores(
    run: Run, split: str, data: str, dataset: Dataset | None = None, *, progress: bool = True
) -> Scored | None:
    """The scores in the run folder, or ``None`` if there are none for these weights and this data.

    Args:
        run: The run.
        split: Split of the data.
        data: Digest of the images and labels as they are now; empty if the data no longer exists.
        dataset: The data, from whose cached features the scores of large splits are computed.
        progress: Show progress bars.

    Raises:
        InputError: The files are damaged.
    """
    scores_path, rows_path = run.folder.scores(split), run.folder.predictions(split)
    if not (scores_path.is_file() and rows_path.is_file()):
        return None
    if data and data != scored_digest(run, split):
        return None
    if STREAMED in storage.header(scores_path):
        return _read_streamed(run, split, dataset, progress=progress)
    prediction, rest, about = storage.load_prediction(scores_path, run.own_taxonomy)
    if about.get("model") != run.model_hash or not {"index", "target"} <= rest.keys():
        return None
    paths: list[str] = read_parquet(rows_path, columns=["path"], advice=_ADVICE)["path"].to_list()
    if about.get("paths", _paths_digest(paths)) != _paths_digest(paths):
        return None  # a process was killed between the two files
    sizes = {prediction.batch_shape[0], len(rest["target"]), len(rest["index"]), len(paths)}
    if len(sizes) > 1:
        expected = f"scores of the {len(paths)} images in {rows_path.name}"
        raise InputError(expected, "of others", at=str(scores_path), advice=_ADVICE)
    columns = None if dataset is None else columns_of(dataset, rest["index"].numpy())
    number, digest = _number(about, scores_path), about.get("data", "")
    return Scored(prediction, rest["target"], rest["index"], paths, number, digest, columns)


def compute_scores(
    run: Run,
    split: str,
    dataset: Dataset,
    *,
    watch: Callable[[Prediction], None] = lambda _: None,
    progress: bool = True,
) -> Scored:
    """Scores of a split by the run's network.

    Args:
        run: The run.
        split: Split of the data.
        dataset: The data.
        watch: Called with the prediction of every batch before it is settled.
        progress: Show progress bars.

    Raises:
        InputError: None of the images can be read.
    """
    prediction, found, skipped = predict_rows(run, dataset, dataset.indices(split), progress=progress, watch=watch)
    if found.size == 0:
        raise _no_images(dataset, split)
    target, index = torch.from_numpy(dataset.nodes[found]), torch.from_numpy(found)
    return Scored(
        prediction, target, index, _paths(dataset, found), len(skipped), read_columns=columns_of(dataset, found)
    )


def stream_scores(
    run: Run,
    split: str,
    dataset: Dataset,
    *,
    watch: Callable[[Prediction], None] = lambda _: None,
    progress: bool = True,
) -> Scored:
    """:func:`compute_scores` of a split whose scores are too large to keep: they are computed again by every pass.

    The table of predictions is written meanwhile.
    """
    scores, tree = FeatureScores(run, dataset, dataset.indices(split), progress=progress), _kept_tree(run)
    good = [np.zeros(0, dtype=np.bool_)]

    def tables() -> Iterator[pl.DataFrame]:
        frames, start, rows = list[pl.DataFrame](), 0, 0
        for part in scores.parts(scores.index):
            these = has_scores(part)
            part = part if bool(these.all()) else part[these]
            good.append(these.cpu().numpy())
            index = scores.index[start : start + len(these)][good[-1]]
            start += len(these)
            if not index.size:
                continue
            watch(part)
            target = torch.from_numpy(dataset.nodes[index])
            labels = _kept_target(run, tree, target)
            frames.append(prediction_rows(part.settled(), labels, _paths(dataset, index), tree))
            rows += len(index)
            if rows >= ROWS_AT_ONCE:
                yield pl.concat(frames)
                frames, rows = [], 0
        if frames:
            yield pl.concat(frames)

    nothing = _no_images(dataset, split)
    if not scores.index.size:
        raise nothing
    with replacing(run.folder.predictions(split)) as temporary:
        found = tables()
        first = next(found, None)
        if first is None:
            raise nothing
        write_parquet_parts(itertools.chain([first], found), temporary)
    is_good = np.concatenate(good)
    index = scores.index[is_good]
    lost = without_scores(dataset, scores.index[~is_good], len(is_good))
    target, num_skipped = torch.from_numpy(dataset.nodes[index]), len(scores.skipped) + len(lost)
    paths, columns = _paths(dataset, index), columns_of(dataset, index)
    return Scored(scores, target, torch.from_numpy(index), paths, num_skipped, read_columns=columns)


def _read_streamed(run: Run, split: str, dataset: Dataset | None, *, progress: bool) -> Scored | None:
    """Scores that are computed again, of the images that had scores the first time."""
    path = run.folder.scores(split)
    rest, about = storage.load_tensors(path)
    if about.get("model") != run.model_hash or dataset is None:
        return None
    if not {"index", "target"} <= rest.keys() or len(rest["index"]) != len(rest["target"]):
        raise InputError("scores with the indices and labels of their images", "others", at=str(path), advice=_ADVICE)
    index = rest["index"].numpy()
    if index.size and not 0 <= index.min() <= index.max() < len(dataset):  # of other data, which has no digest
        return None
    scores, paths = FeatureScores(run, dataset, index, progress=progress), _paths(dataset, index)
    if len(scores.index) != len(index) or about.get("paths") != _paths_digest(paths):
        return None
    number = _number(about, path)
    columns = columns_of(dataset, index)
    return Scored(scores, rest["target"], rest["index"], paths, number, about.get("data", ""), columns)


def keep_scores(run: Run, split: str, scored: Scored) -> None:
    """Write scores and the table of predictions into the run folder; of large splits only which images they are of."""
    about = {
        "model": run.model_hash,
        "num_skipped": str(scored.num_skipped),
        "data": scored.data,
        "paths": _paths_digest(scored.paths),
    }
    extra = {"target": scored.target, "index": scored.index}
    if not isinstance(scored.scores, Prediction):
        content = safetensors.torch.save(extra, metadata={**about, STREAMED: "true"})
        write_bytes(run.folder.scores(split), reproducible(content))
        return
    tree = _kept_tree(run)
    rows = prediction_rows(scored.scores, _kept_target(run, tree, scored.target), scored.paths, tree)
    with replacing(run.folder.predictions(split)) as temporary:
        write_parquet(rows, temporary)
    write_bytes(run.folder.scores(split), storage.to_bytes(scored.scores, extra=extra, about=about))


def _kept_tree(run: Run) -> AnswerTree:
    """The tree of the tables in the run folder, whatever tree the run at hand answers in."""
    as_in_folder = run.carried is None and not run.folder.carried_answers.is_file()
    return run.answer_tree() if as_in_folder else Run(run.path).answer_tree()


def _kept_target(run: Run, tree: AnswerTree, target: Tensor) -> Tensor:
    """Labels of a run's data in the tree of the tables in its folder."""
    return target if run.carried is not None else tree.nodes(target)


def known_target(run: Run, seen: Scored) -> Int[Tensor, " image"]:
    """Labels of scored images in the true tree as the network was trained with them, i.e. after any ablation."""
    if not changes_labels(run.config):
        return seen.target
    return torch.from_numpy(relabelled(run.dataset, run.config).nodes)[seen.index]


def data_digest(run: Run, split: str, dataset: Dataset | None) -> str:
    """Digest of the images and labels of a split as they are now; empty if the data no longer exists.

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
    """Digest of the images and labels that a split was last scored on; empty if these weights have not scored it."""
    path = run.folder.scores(split)
    about = storage.header(path) if path.is_file() else {}
    return about.get("data", "") if about.get("model") == run.model_hash else ""


def _number(about: dict[str, str], at: Path) -> int:
    try:
        return int(about["num_skipped"])
    except (KeyError, ValueError):
        raise InputError("scores with a number of skipped images", "none", at=str(at), advice=_ADVICE) from None


def _paths(dataset: Dataset, index: NDArray[np.int64]) -> list[str]:
    return [dataset.paths[i] for i in map(int, index)]


def columns_of(dataset: Dataset, index: NDArray[np.int64]) -> Callable[[], pl.DataFrame] | None:
    """A function that reads the further columns of some images; ``None`` if the data has none."""
    return None if dataset.columns is None else partial(dataset.columns.of, index)


def _paths_digest(paths: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(paths), ROWS_AT_ONCE):
        text = "\0".join(paths[start : start + ROWS_AT_ONCE])
        digest.update(("\0" * (start > 0) + text).encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


_ADVICE = "Delete the file: it is made again."


def _no_images(dataset: Dataset, split: str) -> InputError:
    """The error of a split without an image that can be scored."""
    at = f"split {split} of {dataset.name}"
    if dataset.indices(split).size:
        return InputError("images to evaluate on", "none that can be read", at=at)
    others = [name for name, rows in dataset.splits.items() if rows.size]
    advice = f"Splits with images: {', '.join(others)}." if others else ""
    return InputError("images to evaluate on", "none", at=at, advice=advice)
