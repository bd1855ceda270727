"""The mistakes worth a look, as picture cards: the farthest from the label, and the most confident."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from cladewise.drawing.thumbnails import thumbnail
from cladewise.report.groups import Group
from cladewise.report.run import IntArray, Run, Status

CARDS = 12


@dataclasses.dataclass(frozen=True)
class Card:
    """One mistake. ``shared`` names the path down to the lowest common ancestor; the rest is where the two part."""

    path: str
    picture: str | None
    shared: tuple[str, ...]
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    height: int
    confidence: float

    @property
    def confidence_text(self) -> str:
        """Probability of the answer, in percent; empty where it is not known."""
        if math.isnan(self.confidence):
            return ""
        digits = 1 if self.confidence < 0.1 else 0 if self.confidence < 0.995 else 2
        return f"{100 * self.confidence:.{digits}f}%"


@dataclasses.dataclass(frozen=True)
class GroupMistakes:
    """Cards of one group. Answers above the label, ``num_coarser``, are no mistakes."""

    group: Group
    num_mistakes: int
    num_coarser: int
    num_images: int
    worst: tuple[Card, ...]
    most_confident: tuple[Card, ...]


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


def rank_mistakes(run: Run) -> tuple[IntArray, IntArray]:
    """Mistaken images by height of the lowest common ancestor and then confidence, and by confidence alone.

    Equal ones keep the order of their paths.
    """
    mistaken = np.flatnonzero(run.status == Status.WRONG)
    confidence = np.nan_to_num(run.confidence[mistaken], nan=-1.0)
    height = run.taxonomy.height[run.lca[mistaken]]
    return mistaken[np.lexsort((-confidence, -height))], mistaken[np.argsort(-confidence, kind="stable")]


def make_card(run: Run, image: int) -> Card:
    """Card of one image, by its row."""
    taxonomy = run.taxonomy
    lca = int(run.lca[image])
    shared = taxonomy.path_names(lca)
    path = str(run.paths[image])
    return Card(
        path=path,
        picture=thumbnail(run.image_root / path),
        shared=shared,
        true=taxonomy.path_names(int(run.target[image]))[len(shared) :],
        predicted=taxonomy.path_names(int(run.predicted[image]))[len(shared) :],
        height=int(taxonomy.height[lca]),
        confidence=float(run.confidence[image]),
    )
