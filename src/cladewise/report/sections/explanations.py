"""Section *Where the model looks*: the maps of ``cladewise explain``, one row per image and one column per level."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
from PIL import Image

from cladewise.drawing.node_names import shortened
from cladewise.drawing.palette import INK
from cladewise.drawing.tables import file_name
from cladewise.drawing.thumbnails import thumbnail
from cladewise.errors import InputError
from cladewise.records.explanations import OF_FILES, ExplainedImage, Explanations, LevelMap, read_explanation_index
from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import ReportedRun
from cladewise.report.sections.section import Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_IMAGES = 12
"""Most images per group; all of them are in the run folder."""
SIDE = 176
"""Longest side of a map in pixels."""

TITLE_COLORS = {"": INK, "right": "#17704f", "wrong": "#b23a2e"}
"""Colours of the titles of a drawing, by verdict."""

Explained = tuple[Group, ReportedRun, Sequence[tuple[Path, Explanations]]]
"""A group, its run that was explained, and the folders with their indices."""


@dataclasses.dataclass(frozen=True)
class ShownMap:
    """The map of one level: the node it explains, and the model's answer at the level.

    ``verdict`` on the answer is ``right`` or ``wrong``, or empty if the label is coarser than the level.
    """

    picture: str | None
    node: str
    answer: str
    probability: str
    verdict: str
    is_blank: bool


@dataclasses.dataclass(frozen=True)
class ImageRow:
    """An image and its maps, ``None`` for levels that were not explained."""

    path: str
    picture: str | None
    true: tuple[str, ...] | None
    maps: tuple[ShownMap | None, ...]


@dataclasses.dataclass(frozen=True)
class GroupExplanations:
    """Rows of one group; ``is_stale`` if they were made with other weights, images or labels than the evaluation."""

    group: Group
    run: ReportedRun
    levels: tuple[str, ...]
    target: str
    rows: tuple[ImageRow, ...]
    num_images: int
    is_stale: bool


@dataclasses.dataclass(frozen=True)
class ExplanationSection(Section):
    """Maps of every group with an explained run."""

    template: ClassVar[str] = "explanations.html"
    groups: tuple[GroupExplanations, ...]
    found: Sequence[Explained]

    def drawings(self) -> Iterator[tuple[str, Figure]]:
        for group, run, indices in self.found:
            for folder, content in indices:
                name = f"explanations-{file_name(group.label)}-{file_name(content.split)}"
                yield name, explanation_drawing(run, folder, content)

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "explanations", _map_rows(self.found)


def explanation_sections(comparison: Comparison) -> Iterator[ExplanationSection]:
    """The section, if any run was explained."""
    if found := explained_runs(comparison.groups):
        yield ExplanationSection(tuple(_rows_of(*each) for each in found), found)


def explained_runs(groups: Sequence[Group]) -> list[Explained]:
    """For every group with an explained run, the one with the lowest seed."""
    found: list[Explained] = []
    for group in groups:
        of_runs = [(run, read_explanations(run)) for run in group.runs]
        first = next(((run, there) for run, there in of_runs if there), None)
        if first is not None:
            found.append((group, *first))
    return found


def read_explanations(run: ReportedRun) -> list[tuple[Path, Explanations]]:
    """Indices of the explained images in a run folder: of the shown split, and of single files.

    Raises:
        InputError: They are over another taxonomy.
    """
    found: list[tuple[Path, Explanations]] = []
    for split in (run.evaluation.split, OF_FILES):
        file = RunFolder(run.folder).explanations(split)
        if file.is_file():
            content = read_explanation_index(file)
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


def _rows_of(group: Group, run: ReportedRun, found: Sequence[tuple[Path, Explanations]]) -> GroupExplanations:
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


def _row(run: ReportedRun, folder: Path, image: ExplainedImage, levels: Sequence[int]) -> ImageRow:
    by_level = {each.level: each for each in image.maps}
    return ImageRow(
        path=image.path,
        picture=thumbnail(folder / Path(image.picture).name, SIDE),
        true=None if image.true is None else run.taxonomy.path_names(image.true),
        maps=tuple(_map(run, folder, by_level[level], image.true) if level in by_level else None for level in levels),
    )


def _map(run: ReportedRun, folder: Path, shown: LevelMap, true: int | None) -> ShownMap:
    return ShownMap(
        picture=thumbnail(folder / Path(shown.file).name, SIDE),
        node=_name(run, shown.node),
        answer=_name(run, shown.predicted),
        probability=_percent(math.exp(shown.log_prob)),
        verdict=map_verdict(run, shown, true),
        is_blank=shown.is_blank,
    )


def map_verdict(run: ReportedRun, shown: LevelMap, true: int | None) -> str:
    """``right`` if the answer at a level is the label's representative, otherwise ``wrong``; empty above the label."""
    taxonomy = run.taxonomy
    if true is None or not taxonomy.speaks(shown.level)[true]:
        return ""
    return "right" if taxonomy.at_level(shown.level)[true] == shown.predicted else "wrong"


def _name(run: ReportedRun, node: int) -> str:
    return str(run.taxonomy.names[node]) or "the root"


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if share < 0.1 or 0.99 < share < 0.9995 else 0}f}%"


def explanation_drawing(run: ReportedRun, folder: Path, content: Explanations) -> Figure:
    """One row per image and one column per level, with the answers as titles."""
    from cladewise.drawing.paper import paper

    images = content.images[:MOST_IMAGES]
    levels = sorted({each.level for image in images for each in image.maps})
    with paper(1.5 * (1 + len(levels)), 1.68 * len(images)) as figure:
        panels = figure.subplots(len(images), 1 + len(levels), squeeze=False)
        for place, (row, image) in enumerate(zip(panels, images, strict=True)):
            heads = ["image", *(run.taxonomy.level_names[level - 1] for level in levels)] if place == 0 else []
            _draw_row(run, folder, row, image, levels, heads)
    return figure


def _draw_row(
    run: ReportedRun,
    folder: Path,
    row: Sequence[Axes],
    image: ExplainedImage,
    levels: Sequence[int],
    heads: Sequence[str],
) -> None:
    """Draw an image and its maps, titled by the nodes they explain, and the headings of the columns, if given."""
    by_level = {each.level: each for each in image.maps}
    names = run.taxonomy.names
    true = "" if image.true is None else str(names[image.true])
    files = [image.picture, *(by_level[level].file if level in by_level else None for level in levels)]
    titles = [true, *(str(names[by_level[level].node]) if level in by_level else "" for level in levels)]
    verdicts = ["", *(map_verdict(run, by_level[level], image.true) if level in by_level else "" for level in levels)]
    for place, (axes, file, title) in enumerate(zip(row, files, titles, strict=True)):
        axes.set_axis_off()
        axes.set_title(shortened(title, 22), fontsize=7, color=TITLE_COLORS[verdicts[place]])
        if heads:
            above: dict[str, Any] = {"xytext": (0, 20), "textcoords": "offset points", "ha": "center", "weight": "bold"}
            axes.annotate(heads[place], (0.5, 1), xycoords="axes fraction", fontsize=8, **above)
        path = None if file is None else folder / Path(file).name
        if path is not None and path.is_file():
            with Image.open(path) as picture:
                axes.imshow(np.asarray(picture.convert("RGB")))


def _map_rows(explained: Sequence[Explained]) -> pl.DataFrame:
    """One row per map, with its nodes and their probability."""
    rows: list[dict[str, Any]] = [
        {
            "group": group.label,
            "seed": run.seed,
            "split": content.split,
            "path": image.path,
            "true": None if image.true is None else run.taxonomy.path_name(image.true),
            "level": run.taxonomy.level_names[each.level - 1],
            "predicted": run.taxonomy.path_name(each.predicted),
            "explained": run.taxonomy.path_name(each.node),
            "probability": math.exp(each.log_prob),
            "picture": str(folder / each.file),
        }
        for group, run, indices in explained
        for folder, content in indices
        for image in content.images
        for each in image.maps
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
