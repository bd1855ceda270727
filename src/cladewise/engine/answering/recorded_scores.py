"""Scores that another tool made, in the folder of a run without a network: written once, read for every evaluation."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import polars as pl
import safetensors.torch
import torch
from numpy.typing import NDArray

from cladewise.atomic import replacing, write_bytes
from cladewise.catalogue import nearest
from cladewise.engine.answering.feature_scores import LARGEST_KEPT
from cladewise.engine.answering.scored_images import Scored, prediction_rows
from cladewise.engine.answering.streamed_scores import StreamedScores
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.parquet import ParquetRows, read_parquet, write_parquet
from cladewise.predictions import Prediction, storage
from cladewise.progress import bar
from cladewise.records import RunFolder
from cladewise.scores import ScoreOptions, Scores, open_scores
from cladewise.tensor_files import reproducible

IntArray = NDArray[np.int64]

UNLABELLED = "unlabelled"
"""Split of the rows without a label."""
NO_LABEL = -1
"""In place of the node of such a row's label."""
STREAMED = "streamed"
"""Entry in the header of scores that are not in the file, but read again from the files of the tool."""

_ADVICE = "Decide again, into another folder: cladewise decide."


class ScoresOfRows(StreamedScores):
    """Scores of some rows, read from the files of another tool in every pass over them.

    Args:
        scores: The scores.
    """

    in_order: ClassVar[bool] = True

    def __init__(self, scores: Scores) -> None:
        self._scores = scores

    @property
    def bytes_per_image(self) -> int:
        return self._scores.bytes_per_row

    def parts(self, index: IntArray) -> Iterator[Prediction]:
        """The predictions of some rows, one part after another.

        Args:
            index: The rows, ascending.
        """
        for rows, prediction in self._scores.parts():
            first, last = np.searchsorted(index, [rows.start, rows.stop])
            if last - first == rows.stop - rows.start:
                yield prediction
            elif last > first:
                yield prediction[torch.from_numpy(index[first:last] - rows.start)]


def keep_rows(run: Run, scores: Scores, splits: Mapping[str, IntArray], *, stream: bool, progress: bool = True) -> None:
    """Write the scores of each split and the table of its predictions, in one pass over the scores.

    Args:
        run: A run folder with its configuration and taxonomy.
        scores: The scores.
        splits: Rows of each split, ascending.
        stream: Whether scores can be read again from the files they came from, so that large ones need not be kept.
        progress: Show a progress bar.
    """
    is_streamed = stream and scores.num_rows * scores.bytes_per_row > LARGEST_KEPT
    target = _targets(scores)
    tree = run.answer_tree()
    kept: dict[str, list[Prediction]] = {name: [] for name in splits}
    with ExitStack() as files:
        tables = {name: files.enter_context(_rows_file(run.folder.predictions(name))) for name in splits}
        for rows, part in tracked(scores, "reading scores", shown=progress):
            for name, index in splits.items():
                first, last = np.searchsorted(index, [rows.start, rows.stop])
                if first == last:
                    continue
                here = index[first:last]
                own = part if len(here) == rows.stop - rows.start else part[torch.from_numpy(here - rows.start)]
                paths = scores.keys[here].to_list()
                tables[name].append(prediction_rows(own, torch.from_numpy(target[here]), paths, tree))
                if not is_streamed:
                    kept[name].append(own.settled().to("cpu"))
    if scores.columns.width:
        with replacing(run.folder.columns) as temporary:
            write_parquet(scores.columns, temporary)
    for name, index in splits.items():
        extra = {"index": torch.from_numpy(index), "target": torch.from_numpy(target[index])}
        about = {
            "model": run.model_hash,
            "num_skipped": "0",
            "data": _digest(index, target[index]),
        }
        if is_streamed:
            content = reproducible(safetensors.torch.save(extra, metadata={**about, STREAMED: "true"}))
        else:
            content = storage.to_bytes(storage.concatenate(kept.pop(name)), extra=extra, about=about)
        write_bytes(run.folder.scores(name), content)


def tracked(scores: Scores, doing: str, *, shown: bool) -> Iterator[tuple[slice, Prediction]]:
    """The parts of scores, with a progress bar over their rows.

    Args:
        scores: The scores.
        doing: Title of the bar.
        shown: Whether to show it.
    """
    with bar(shown=shown) as progress:
        task = progress.add_task(doing, total=scores.num_rows)
        for rows, part in scores.parts():
            yield rows, part
            progress.advance(task, rows.stop - rows.start)


def recorded_splits(run: Run) -> list[str]:
    """The splits of a run without a network, those without labels included."""
    return sorted(file.stem for file in run.folder.scores("*").parent.glob("*.safetensors"))


def recorded_scores(run: Run, split: str) -> Scored:
    """Scores of a split of a run without a network, with or without labels.

    Args:
        run: The run.
        split: A split, or several joined with ``+``.

    Raises:
        InputError: There is no such split, or large scores are no longer in the files they came from.
    """
    names = split.split("+")
    if len(set(names)) < len(names):
        raise InputError("each split once", repr(split))
    there = recorded_splits(run)
    for name in names:
        if name not in there:
            raise InputError(
                f"a split of the scores: {', '.join(there) or 'none'}",
                repr(name),
                at=str(run.path),
                advice=nearest(name, there),
            )
    found = [_read(run, name) for name in names]
    joined = found[0] if len(found) == 1 else _joined(found)
    if run.folder.columns.is_file():
        joined = dataclasses.replace(joined, read_columns=partial(_columns, run.folder, joined.index.numpy()))
    return joined


def labelled_scores(run: Run, split: str) -> Scored:
    """Scores of a split of a run without a network, all of whose rows have labels.

    Raises:
        InputError: Some have none, or as :func:`recorded_scores`.
    """
    found = recorded_scores(run, split)
    if bool((found.target == NO_LABEL).any()):
        there = [name for name in recorded_splits(run) if name != UNLABELLED]
        raise InputError(
            f"a split with labels: {', '.join(there) or 'there is none'}",
            f"{split}, whose rows have none",
            at=str(run.path),
            advice="" if there else "Give labels of some rows to decide.",
        )
    return found


def _read(run: Run, name: str) -> Scored:
    path = run.folder.scores(name)
    about = storage.header(path)
    if about.get("model") != run.model_hash:
        raise InputError("scores of this run", "others", at=str(path), advice=_ADVICE)
    paths: list[str] = read_parquet(run.folder.predictions(name), columns=["path"], advice=_ADVICE)["path"].to_list()
    if STREAMED in about:
        rest, _ = storage.load_tensors(path)
        scores: Prediction | StreamedScores = ScoresOfRows(_opened(run))
        count = len(paths)
    else:
        scores, rest, _ = storage.load_prediction(path, run.own_taxonomy)
        count = scores.batch_shape[0]
    if not {"index", "target"} <= rest.keys() or not len(rest["index"]) == len(rest["target"]) == len(paths) == count:
        expected = f"scores of the {len(paths)} rows in {run.folder.predictions(name).name}"
        raise InputError(expected, "of others", at=str(path), advice=_ADVICE)
    return Scored(scores, rest["target"], rest["index"], paths, 0, about.get("data", ""))


def _joined(parts: list[Scored]) -> Scored:
    """Several splits as one, whose rows are in the order of the scores."""
    index = torch.cat([part.index for part in parts])
    order = index.argsort()
    paths = [path for part in parts for path in part.paths]
    scores = parts[0].scores
    if isinstance(scores, Prediction):
        scores = storage.concatenate([cast("Prediction", part.scores) for part in parts])[order]
    target = torch.cat([part.target for part in parts])[order]
    ordered = [paths[place] for place in order.tolist()]
    return Scored(scores, target, index[order], ordered, 0, _digest(index[order].numpy(), target.numpy()))


def _opened(run: Run) -> Scores:
    """The scores in the files of the tool.

    Raises:
        InputError: They are gone, or have changed.
    """
    table = run.config.scores
    assert table is not None
    found = open_scores(table.files, run.own_taxonomy, **ScoreOptions(**table.options).given())
    if found.digest != table.digest:
        files = table.files[0] + (f" and {len(table.files) - 1} more" if len(table.files) > 1 else "")
        raise InputError("the scores that were decided on", f"others in {files}", at=str(run.path), advice=_ADVICE)
    return found


@contextmanager
def _rows_file(path: Path) -> Generator[ParquetRows, None, None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, ParquetRows(file) as rows:
        yield rows


def _columns(folder: RunFolder, index: IntArray) -> pl.DataFrame:
    return read_parquet(folder.columns, advice=_ADVICE)[index]


def targets_digest(scores: Scores, splits: Mapping[str, IntArray]) -> str:
    """Digest of the labels of all rows and of their splits; empty if there are no labels."""
    if scores.targets is None:
        return ""
    digest = hashlib.sha256()
    for name, index in splits.items():
        digest.update(f"{name} {_digest(index, scores.targets[index])} ".encode())
    return digest.hexdigest()[:32]


def _targets(scores: Scores) -> IntArray:
    return np.full(scores.num_rows, NO_LABEL) if scores.targets is None else scores.targets


def _digest(index: IntArray, target: IntArray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(index, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(target, dtype="<i8").tobytes())
    return digest.hexdigest()[:32]
