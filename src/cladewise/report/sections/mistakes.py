"""Section *Examples of mistakes*: image cards of the mistakes farthest from the label and of the most confident."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from cladewise.drawing.thumbnails import thumbnail
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import ReportedRun
from cladewise.report.runs.status import IntArray, Status
from cladewise.report.sections.section import Section

CARDS = 12
"""Cards per group and ranking."""


@dataclasses.dataclass(frozen=True)
class Card:
    """One mistake; ``shared`` is the path to the lowest common ancestor, ``true`` and ``predicted`` continue it."""

    path: str
    picture: str | None
    shared: tuple[str, ...]
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    height: int
    confidence: float

    @property
    def confidence_text(self) -> str:
        """Probability of the answer in percent; empty if unknown."""
        if math.isnan(self.confidence):
            return ""
        digits = 1 if self.confidence < 0.1 else 0 if self.confidence < 0.995 else 2
        return f"{100 * self.confidence:.{digits}f}%"


@dataclasses.dataclass(frozen=True)
class GroupMistakes:
    """Cards of one group; answers above the label (``num_coarser``) are not mistakes."""

    group: Group
    num_mistakes: int
    num_coarser: int
    num_images: int
    worst: tuple[Card, ...]
    most_confident: tuple[Card, ...]


@dataclasses.dataclass(frozen=True)
class MistakesSection(Section):
    """Cards of every group."""

    template: ClassVar[str] = "mistakes.html"
    groups: tuple[GroupMistakes, ...]


def mistake_sections(comparison: Comparison) -> Iterator[MistakesSection]:
    """The section, if any group answers with nodes of the tree."""
    if comparison.placing:
        yield MistakesSection(tuple(mistakes_of(group) for group in comparison.placing))


def mistakes_of(group: Group, cards: int = CARDS) -> GroupMistakes:
    """Cards of the group's shown run."""
    run = group.shown_run
    worst, most_confident = rank_mistakes(run)
    return GroupMistakes(
        group=group,
        num_mistakes=int((run.status == Status.WRONG).sum()),
        num_coarser=int((run.status == Status.COARSER).sum()),
        num_images=run.outcomes.height,
        worst=tuple(make_card(run, image) for image in worst[:cards].tolist()),
        most_confident=tuple(make_card(run, image) for image in most_confident[:cards].tolist()),
    )


def rank_mistakes(run: ReportedRun) -> tuple[IntArray, IntArray]:
    """Rows of mistaken images, ranked by height of the lowest common ancestor and then confidence, and by confidence.

    Ties keep the order of paths.
    """
    mistaken = np.flatnonzero(run.status == Status.WRONG)
    confidence = np.nan_to_num(run.confidence[mistaken], nan=-1.0)
    height = run.taxonomy.full_height[run.lca[mistaken]]
    return mistaken[np.lexsort((-confidence, -height))], mistaken[np.argsort(-confidence, kind="stable")]


def make_card(run: ReportedRun, image: int) -> Card:
    """Card of one image, given by its row."""
    taxonomy = run.taxonomy
    lca = int(run.lca[image])
    shared = taxonomy.path_names(int(taxonomy.lca(run.target[image], run.predicted[image])))
    path = str(run.paths[image])
    return Card(
        path=path,
        picture=thumbnail(run.image_root / path),
        shared=shared,
        true=taxonomy.path_names(int(run.target[image]))[len(shared) :],
        predicted=taxonomy.path_names(int(run.predicted[image]))[len(shared) :],
        height=int(taxonomy.full_height[lca]),
        confidence=float(run.confidence[image]),
    )
