"""Results of few-shot evaluations in a run folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, check_types, read_json

SUPPORT_VIEWS = 5
"""Augmented copies of each support image in the published protocol."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FewShot:
    """Accuracy over few-shot episodes of one kind.

    Args:
        split: Split of the images.
        ways: Number of classes of an episode, ``all``, or ``intra``.
        shots: Support images per class.
        queries: Largest number of query images per class.
        episodes: Number of episodes.
        seed: Seed of the episodes.
        support_views: Augmented copies of each support image; 0: the image itself.
        space: ``own`` vectors of the head, or the ``encoder``'s features.
        apart: Whether support and query images are from different top folders.
        coarse_level: Level of the coarse classes of intra-class episodes; empty: the parents of the fine ones.
        accuracy: Mean accuracy over the episodes.
        half_width: Half the width of its 95% interval, 1.96 standard errors.
        num_classes: Number of fine classes with enough images.
        num_families: Number of coarse classes with several of them.
        left_out: Number of fine classes with too few images.
        fewest_queries: Smallest number of queries of a class in any episode.
        mean_ways: Mean number of classes per episode.
        model: Hash of the weights.
        fingerprint: Fingerprint of the taxonomy.
        data: Digest of the images and their labels; empty in early versions.
    """

    split: str
    ways: str
    shots: int
    queries: int
    episodes: int
    seed: int
    support_views: int
    space: str
    apart: bool
    coarse_level: str
    accuracy: float
    half_width: float
    num_classes: int
    num_families: int
    left_out: int
    fewest_queries: int
    mean_ways: float
    model: str
    fingerprint: str
    data: str = ""

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def kind(self) -> str:
        """The kind of episodes, for file names and tables.

        Results of one kind can be compared; a newer result replaces an older one of the same kind.
        """
        return "-".join([self._ways, f"{self.shots}-shot", *self._unusual, *(f"in-{level}" for level in self._inside)])

    @property
    def title(self) -> str:
        """The kind of episodes in words."""
        ways = " in ".join([self._ways, *self._inside])
        return ", ".join([ways, f"{self.shots}-shot", *self._unusual]).replace("-views", " views")

    @property
    def notes(self) -> tuple[str, ...]:
        """Deviations from the protocol for lack of images."""
        found: list[str] = []
        if self.fewest_queries < self.queries:
            images = "1 image" if self.fewest_queries == 1 else f"{self.fewest_queries} images"
            found.append(f"some classes have {images} to ask about, not {self.queries}")
        if self.left_out:
            found.append(f"{self.left_out} classes have too few images of {self.split} and take no part")
        if self.ways == "intra":
            found.append(f"{self.num_families} coarse classes have several fine ones, and only these take part")
        return tuple(found)

    @property
    def _ways(self) -> str:
        return f"{self.ways}-way" if self.ways != "intra" else "intra-class"

    @property
    def _inside(self) -> tuple[str, ...]:
        """The level of the coarse classes, if it was given and matters."""
        return (self.coarse_level,) if self.coarse_level and self.ways == "intra" else ()

    @property
    def _unusual(self) -> tuple[str, ...]:
        """Settings other than the published ones."""
        return (
            *(["encoder"] if self.space == "encoder" else []),
            *(["apart"] if self.apart else []),
            *([] if self.support_views == SUPPORT_VIEWS else [f"{self.support_views}-views"]),
        )


def write_few_shot(folder: Path, result: FewShot) -> Path:
    """Write a result into the folder of few-shot results, and return its file."""
    file = folder / f"{result.split}-{result.kind}.json"
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(result)}
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return file


def read_few_shot(folder: Path, split: str) -> dict[str, FewShot]:
    """Read the results of a split from a folder, by kind.

    Raises:
        InputError: A file is not a few-shot result of this version.

    Example:
        >>> read_few_shot(Path("no/such/folder"), "test")
        {}
    """
    found: list[FewShot] = []
    for file in sorted(folder.glob("*.json")):
        content = read_json(file, "a few-shot result", advice=_ADVICE)
        with building("a few-shot result", at=str(file), advice=_ADVICE):
            found.append(FewShot(**content))
    return {result.kind: result for result in found if result.split == split}


_ADVICE = "Make it again: cladewise evaluate RUN --protocol few-shot."
