"""Scores and tables of images, with numbers in place of their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import safetensors.torch

from cladewise.atomic import write_bytes
from cladewise.engine import Run
from cladewise.engine.answering.scoring import STREAMED
from cladewise.engine.network import read_header
from cladewise.parquet import read_parquet, write_parquet
from cladewise.records import RunFolder
from cladewise.tensor_files import reproducible

PATH = "path"
_ADVICE = "Evaluate the run again."


def share_scores(run: Run, split: str, folder: Path) -> dict[str, str]:
    """Write the scores of a split and its table of predictions without the names of the images.

    An image is called by its number in the data, such as ``test/17``.

    Args:
        run: The run.
        split: A split with scores in the run folder.
        folder: Folder of the copy.

    Returns:
        The new name of each image; empty if the scores are not in the file, so that nothing was written.
    """
    scores, table = run.folder.scores(split), run.folder.predictions(split)
    header = read_header(scores)
    if STREAMED in header or not table.is_file():
        return {}
    tensors = safetensors.torch.load_file(scores)
    rows = read_parquet(table, advice=_ADVICE)
    numbers = [f"{split}/{index}" for index in tensors["index"].tolist()]
    names = dict(zip(rows[PATH].to_list(), numbers, strict=True))
    about = {key: value for key, value in header.items() if key != "paths"}  # a digest of the names
    write_bytes(RunFolder(folder).scores(split), reproducible(safetensors.torch.save(tensors, metadata=about)))
    target = RunFolder(folder).predictions(split)
    target.parent.mkdir(exist_ok=True)
    write_parquet(rows.with_columns(pl.Series(PATH, numbers)), target)
    return names


def share_outcomes(table: Path, target: Path, names: Mapping[str, str]) -> bool:
    """Write the per-image values of an evaluation without the names of the images and without further texts.

    Returns:
        Whether every image has a number; otherwise nothing is written.
    """
    rows = read_parquet(table, advice=_ADVICE)
    if not set(rows[PATH].to_list()) <= names.keys():
        return False
    numbers = rows[PATH].replace_strict(list(names), list(names.values()), return_dtype=pl.String)
    texts = [name for name, kind in rows.schema.items() if kind == pl.String and name != PATH]
    write_parquet(rows.with_columns(numbers.alias(PATH)).drop(texts), target)
    return True
