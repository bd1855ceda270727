"""Somebody's scores and labels in whatever form a caller has them, opened as scores of rows."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cladewise.engine.answering.recorded_scores import NO_LABEL
from cladewise.engine.deciding.held import HeldScores
from cladewise.errors import InputError
from cladewise.parquet import write_parquet
from cladewise.predictions import Prediction
from cladewise.scores import Scores, open_scores
from cladewise.taxonomy import Taxonomy

Files = str | PathLike[str] | Sequence[str | PathLike[str]]
GivenScores = Files | Scores | Prediction | pl.DataFrame | NDArray[Any] | torch.Tensor
GivenLabels = str | PathLike[str] | pl.DataFrame | Sequence[str | int | None] | NDArray[Any] | torch.Tensor
AnyTaxonomy = Taxonomy | str | PathLike[str]


@dataclasses.dataclass(frozen=True)
class Opened:
    """Scores, and how to open them again.

    Args:
        scores: The scores.
        files: Absolute paths of their files; none for scores in memory.
        options: Options of :func:`cladewise.scores.open_scores` that they were opened with.
        name: A short name for them.
        labels_name: A short name for their labels, or for the scores if they have none.
        temporary: A folder with files of scores in memory, removed with the last reference to it.
    """

    scores: Scores
    files: tuple[str, ...] = ()
    options: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    name: str = "scores"
    labels_name: str = "rows"
    temporary: tempfile.TemporaryDirectory[str] | None = None


def opened(
    scores: GivenScores, taxonomy: AnyTaxonomy | None, labels: GivenLabels | None, options: dict[str, Any]
) -> Opened:
    """Open scores with their labels.

    Args:
        scores: Files, a table, an array with one column per class (named by the option ``classes``), a prediction, or
            scores that are open already.
        taxonomy: The label tree, or its file; of a prediction or open scores theirs by default.
        labels: A file or table of labels by row, or one label per row: names, paths or nodes, ``None`` or -1 for none.
        options: Further options of :func:`cladewise.scores.open_scores`.

    Raises:
        InputError: The scores or labels cannot be opened, or there is no taxonomy.
    """
    if isinstance(scores, (Scores, Prediction)):
        return _of_open(scores, taxonomy, labels, options)
    if taxonomy is None:
        raise InputError("a taxonomy for the classes of the scores", "none")
    tree = taxonomy if isinstance(taxonomy, Taxonomy) else Taxonomy.read(taxonomy)
    temporary = None
    if isinstance(scores, (np.ndarray, torch.Tensor)):
        classes = options.get("classes")
        scores, options = _table(scores, classes), {k: v for k, v in options.items() if k != "classes"}
    if isinstance(scores, pl.DataFrame) or isinstance(labels, pl.DataFrame):
        temporary = tempfile.TemporaryDirectory(prefix="cladewise-")
    name = "scores"
    if isinstance(scores, pl.DataFrame):
        assert temporary is not None
        files = (_written(scores, Path(temporary.name)),)
    else:
        paths = [scores] if isinstance(scores, str | PathLike) else list(scores)
        files = tuple(os.path.abspath(path) for path in paths)
        name = Path(files[0]).name.split(".")[0] if files else name
    by_row = None
    labels_name = name
    if isinstance(labels, pl.DataFrame):
        assert temporary is not None
        options = {**options, "labels": _written(labels, Path(temporary.name) / "labels")}
    elif isinstance(labels, str | PathLike):
        options = {**options, "labels": os.path.abspath(labels)}
        labels_name = Path(labels).name.split(".")[0]
    elif labels is not None:
        by_row = labels
    found = open_scores(files, tree, **options)
    if by_row is not None:
        found = _labelled(found, by_row)
    return Opened(found, files, options, name, labels_name, temporary)


def _of_open(
    scores: Scores | Prediction, taxonomy: AnyTaxonomy | None, labels: GivenLabels | None, options: dict[str, Any]
) -> Opened:
    """Scores that are open already, in the tree they were opened for."""
    if options:
        raise InputError(
            "scores that are not open yet, with options of reading", f"open ones with {', '.join(options)}"
        )
    if taxonomy is not None:
        tree = taxonomy if isinstance(taxonomy, Taxonomy) else Taxonomy.read(taxonomy)
        if tree != scores.taxonomy:
            raise InputError(f"the taxonomy of the scores: {scores.taxonomy}", str(tree))
    found = scores if isinstance(scores, Scores) else HeldScores.of(scores)
    if isinstance(labels, (str, PathLike, pl.DataFrame)):
        raise InputError("one label per row, with scores that are open", "a table of labels by name")
    return Opened(found if labels is None else _labelled(found, labels))


def _labelled(scores: Scores, labels: Any) -> Scores:
    """The scores with one label per row."""
    given: list[Any] = labels.tolist() if isinstance(labels, (np.ndarray, torch.Tensor)) else list(labels)
    if len(given) != scores.num_rows:
        raise InputError(f"a label for each of {scores.num_rows:,} rows, or None", f"{len(given):,} labels")
    target = np.full(len(given), NO_LABEL, dtype=np.int64)
    nodes = [(row, label) for row, label in enumerate(given) if isinstance(label, int)]
    names = [(row, label) for row, label in enumerate(given) if isinstance(label, str) and label.strip()]
    if nodes:
        rows, values = (np.array(column) for column in zip(*nodes, strict=True))
        if values.min() < NO_LABEL or values.max() >= scores.taxonomy.num_nodes:
            got = f"{values.min()} to {values.max()}"
            raise InputError(f"nodes from 0 to {scores.taxonomy.num_nodes - 1}, or -1", got, at="labels")
        target[rows] = values
    if names:
        rows, texts = zip(*names, strict=True)
        target[list(rows)] = scores.taxonomy.find(list(texts), at="labels")
    return dataclasses.replace(scores, targets=target)


def _table(array: NDArray[Any] | torch.Tensor, classes: Any) -> pl.DataFrame:
    """An array as a table with named columns.

    Raises:
        InputError: It has other dimensions, or another number of names.
    """
    values = array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else array
    if values.ndim != 2:
        raise InputError("an array with one row per image and one column per class", f"shape {list(values.shape)}")
    names = list(classes) if isinstance(classes, Sequence) and not isinstance(classes, str) else []
    if len(names) != values.shape[1]:
        got = f"{len(names)} names" if names else "none"
        raise InputError(f"a name for each of {values.shape[1]} columns, in classes=", got)
    return pl.DataFrame(values, schema=[str(name) for name in names])


def _written(table: pl.DataFrame, folder: Path) -> str:
    """A file with the content of a table."""
    folder.mkdir(exist_ok=True)
    file = folder / "scores.parquet"
    write_parquet(table, file)
    return str(file)
