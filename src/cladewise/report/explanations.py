"""Where a model looked: the pictures of ``cladewise explain``, an image a row and a level a column."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from cladewise.drawing.thumbnails import thumbnail
from cladewise.errors import InputError
from cladewise.records.explanations import OF_FILES, ExplainedImage, Explanations, LevelMap, read
from cladewise.records.layout import RunFolder
from cladewise.report.groups import Group
from cladewise.report.run import Run

MOST_IMAGES = 12
"""Of each group on the page; the folder has all."""

SIDE = 176
"""Longest side of a picture in pixels."""


@dataclasses.dataclass(frozen=True)
class Map:
    """A picture of one level: the node that it is of, what the model answered there, and whether that is right.

    ``verdict`` is ``right`` or ``wrong``, or empty where the label does not tell.
    """

    picture: str | None
    node: str
    answer: str
    probability: str
    verdict: str
    is_blank: bool


@dataclasses.dataclass(frozen=True)
class ImageRow:
    """An image and its maps; ``None`` at levels that were not explained."""

    path: str
    picture: str | None
    true: tuple[str, ...] | None
    maps: tuple[Map | None, ...]


@dataclasses.dataclass(frozen=True)
class GroupExplanations:
    """The rows of one group's run. ``is_stale`` says that it is of other weights, images or labels than evaluated."""

    group: Group
    run: Run
    levels: tuple[str, ...]
    target: str
    rows: tuple[ImageRow, ...]
    num_images: int
    is_stale: bool


def explanations_of(groups: Sequence[Group]) -> list[GroupExplanations]:
    """Of every group, the run of the lowest seed that was explained; groups without are left out."""
    return [_rows_of(group, run, found) for group, run, found in explained_runs(groups)]


def explained_runs(groups: Sequence[Group]) -> list[tuple[Group, Run, list[tuple[Path, Explanations]]]]:
    """Every group with an explained run, that run, and where its pictures lie."""
    found: list[tuple[Group, Run, list[tuple[Path, Explanations]]]] = []
    for group in groups:
        of_runs = [(run, read_explanations(run)) for run in group.runs]
        first = next(((run, there) for run, there in of_runs if there), None)
        if first is not None:
            found.append((group, *first))
    return found


def read_explanations(run: Run) -> list[tuple[Path, Explanations]]:
    """What a run folder holds of explained images: of the shown split, and of single files.

    Raises:
        InputError: It is about another taxonomy.
    """
    found: list[tuple[Path, Explanations]] = []
    for split in (run.evaluation.split, OF_FILES):
        file = RunFolder(run.folder).explanations(split)
        if file.is_file():
            content = read(file)
            if content.fingerprint != run.taxonomy.fingerprint:
                raise InputError(
                    f"explanations over the run's own taxonomy ({run.taxonomy.fingerprint})",
                    content.fingerprint,
                    at=str(file),
                    advice=f"Run: cladewise explain {run.folder} --split {run.evaluation.split}",
                )
            if content.images:
                found.append((file.parent, content))
    return found


def _rows_of(group: Group, run: Run, found: Sequence[tuple[Path, Explanations]]) -> GroupExplanations:
    levels = sorted({each.level for _, content in found for image in content.images for each in image.maps})
    rows = [_row(run, folder, image, levels) for folder, content in found for image in content.images[:MOST_IMAGES]]
    return GroupExplanations(
        group=group,
        run=run,
        levels=tuple(run.taxonomy.level_names[level - 1] for level in levels),
        target=found[0][1].target,
        rows=tuple(rows),
        num_images=sum(len(content.images) for _, content in found),
        is_stale=not all(run.evaluation.is_of(content.model, content.digest) for _, content in found),
    )


def _row(run: Run, folder: Path, image: ExplainedImage, levels: Sequence[int]) -> ImageRow:
    by_level = {each.level: each for each in image.maps}
    return ImageRow(
        path=image.path,
        picture=thumbnail(folder / Path(image.picture).name, SIDE),
        true=None if image.true is None else run.taxonomy.path_names(image.true),
        maps=tuple(_map(run, folder, by_level[level], image.true) if level in by_level else None for level in levels),
    )


def _map(run: Run, folder: Path, told: LevelMap, true: int | None) -> Map:
    return Map(
        picture=thumbnail(folder / Path(told.file).name, SIDE),
        node=_name(run, told.node),
        answer=_name(run, told.predicted),
        probability=_percent(math.exp(told.log_prob)),
        verdict=verdict(run, told, true),
        is_blank=told.is_blank,
    )


def verdict(run: Run, told: LevelMap, true: int | None) -> str:
    """Whether the answer at a level is the label's representative there."""
    taxonomy = run.taxonomy
    if true is None or not (taxonomy.is_leaf[true] or taxonomy.level[true] >= told.level):
        return ""
    return "right" if taxonomy.at_level(told.level)[true] == told.predicted else "wrong"


def _name(run: Run, node: int) -> str:
    return str(run.taxonomy.names[node]) or "the root"


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if share < 0.1 or 0.99 < share < 0.9995 else 0}f}%"
