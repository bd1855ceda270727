"""Writes plates (pictures with their numbers) into the run folder, where the report finds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from cladewise.drawing.paper import save_figure
from cladewise.drawing.tables import write_csv
from cladewise.engine import Run
from cladewise.engine.digests import images_digest
from cladewise.records.plates import NumberTable, Plate, Plates, write_plates


@dataclasses.dataclass(frozen=True)
class Topic:
    """Topic of a command's plates: its handle, and a heading and an introduction for the report."""

    kind: str
    title: str
    about: str


def keep(
    run: Run,
    split: str,
    topic: Topic,
    drawn: Sequence[tuple[Plate, Figure]],
    *,
    tables: Sequence[NumberTable] = (),
    data: Mapping[str, pl.DataFrame] | None = None,
) -> Path:
    """Write ``plates/<kind>/<split>/`` in place of earlier plates; the index is written last.

    Args:
        run: The run that was looked at.
        split: Split of the images.
        topic: What the plates are of.
        drawn: The pictures.
        tables: Numbers to show with them.
        data: Frames to write as ``<name>.csv``.

    Returns:
        The index.
    """
    index, frames = run.folder.plates(topic.kind, split), data or {}
    for plate, figure in drawn:
        save_figure(figure, index.parent / plate.name)
    for name, frame in frames.items():
        write_csv(frame, index.parent / f"{name}.csv")
    made = Plates(
        kind=topic.kind,
        split=split,
        title=topic.title,
        about=topic.about,
        model=run.model_hash,
        fingerprint=run.taxonomy.fingerprint,
        plates=tuple(plate for plate, _ in drawn),
        tables=tuple(tables),
        data=tuple(f"{name}.csv" for name in frames),
        digest=images_digest(run.dataset, run.dataset.indices(split)),
    )
    write_plates(index, made)
    return index
