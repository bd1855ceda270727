"""The shape that a proposal is asked to have, and the proposal of that shape from merges of classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cladewise.induction.cutting import Cut
from cladewise.induction.merges import Linkage, Merges
from cladewise.induction.proposal import ClassList, Group, Proposal, Question, assembled

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Shape:
    """The levels and groups that a proposal is asked to have, and how its groups are made and named.

    Args:
        levels: Number of levels, that of the classes included; ``None`` for the source's own.
        groups: Numbers of groups instead, coarse to fine.
        linkage: How distances of groups follow from those of classes.
        seed: Seed of the resamples that measure how stable groups are.
        wordnet: WordNet's folder, for names of groups; ``None`` to go without.
    """

    levels: int | None
    groups: Sequence[int] | None
    linkage: Linkage
    seed: int
    wordnet: Path | None

    @property
    def cuts(self) -> bool:
        """Whether levels or groups are asked for."""
        return self.levels is not None or self.groups is not None


def told_cut(chosen: Cut, shape: Shape) -> str:
    """A sentence on where merges were cut, for a person."""
    if not chosen.num_groups:
        one_level = shape.levels == 1
        return "No groups, since one level was asked for." if one_level else "There are too few classes to group."
    counts = ", then ".join(f"{count}" for count in chosen.num_groups)
    heights = ", ".join(f"{height:.3g}" for height in chosen.heights)
    how = (
        f"the numbers asked for were {', '.join(map(str, shape.groups))}"
        if shape.groups is not None
        else "the largest relative gap between merges near a geometric progression"
    )
    return f"Cut into {counts} groups, classes that are alone included, at the heights {heights}: {how}."


def proposed(
    merges: Merges,
    kept: IntArray,
    level: IntArray | None,
    groups: Sequence[Group],
    classes: ClassList,
    placed: Sequence[Group],
    source: str,
    about: tuple[str, ...],
    questions: Sequence[Question],
    level_names: Sequence[str] | None,
) -> Proposal:
    """The proposal with the groups that were kept, its classes in the order in which they were given."""
    taxonomy, nodes = assembled(merges, kept, level, groups, classes, placed, level_names=level_names)
    given = np.empty_like(nodes)
    given[classes.given] = nodes
    names = taxonomy.names[given].tolist()
    return Proposal(taxonomy, tuple(map(str, names)), given, source, about, tuple(questions))
