"""Results of the protocol of unknown classes in a run folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, check_types, read_json


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnknownScore:
    """How well a novelty score tells images of held-out classes from those of known ones.

    Args:
        score: The score, as it was given.
        auroc: Area under the ROC curve of the score at the root: the probability that an image of a held-out class has
            a larger score than one of a known class.
        missed: Share of the images of held-out classes that are missed if 95% of the known ones are kept.
        by_depth: :attr:`auroc` of the held-out classes whose parents are at each depth, 0 for the root; not a number
            where there are none.
        at_parent: The same for the score at the parent, between the images of held-out classes under it and the known
            ones under it; the mean over parents, weighted by their images of held-out classes.
    """

    score: str
    auroc: float
    missed: float
    by_depth: Mapping[str, float]
    at_parent: float

    def __post_init__(self) -> None:
        check_types(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnknownRule:
    """How a rule answers images of known and of held-out classes.

    An image counts as called new if the rule says so; if it does not tell new classes from known ones, where it answers
    with an inner node.

    Args:
        rule: The rule, as it was given.
        known_right: Share of the images of known classes that are answered with their leaf.
        known_called_new: Share of the images of known classes that are called new.
        new_found: Share of the images of held-out classes that are called new.
        placed: Share of the images of held-out classes that are answered with the parent of their class.
        known_balanced: Mean over known leaves of :attr:`known_right`.
        placed_balanced: Mean over parents of :attr:`placed`.
        known_distance: Mean number of edges between answer and leaf, of images of known classes.
        new_distance: Mean number of edges between answer and parent, of images of held-out classes.
        known_distance_balanced: Mean over known leaves of :attr:`known_distance`.
        new_distance_balanced: Mean over parents of :attr:`new_distance`.
    """

    rule: str
    known_right: float
    known_called_new: float
    new_found: float
    placed: float
    known_balanced: float
    placed_balanced: float
    known_distance: float
    new_distance: float
    known_distance_balanced: float
    new_distance_balanced: float

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def balanced(self) -> float:
        """Balanced accuracy: the mean of those of known and of held-out classes."""
        return (self.known_balanced + self.placed_balanced) / 2

    @property
    def distance_balanced(self) -> float:
        """Balanced distance in edges: the mean of those of known and of held-out classes."""
        return (self.known_distance_balanced + self.new_distance_balanced) / 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unknown:
    """Result of the protocol of unknown classes.

    Args:
        split: Split of the images of known classes.
        new_split: Split of the images of held-out classes.
        num_known: Number of images of known classes.
        num_new: Number of images of held-out classes.
        left_out: Number of images labelled at inner nodes, which may be of any class and take no part.
        new_by_depth: Number of images of held-out classes by the depth of the parent.
        held_out: Paths of the held-out classes in the whole tree.
        scores: Results of novelty scores.
        rules: Results of rules.
        model: Hash of the weights.
        fingerprint: Fingerprint of the tree without the held-out classes.
        data: Digests of the images and labels of both splits.
        warnings: Warnings from fitting the rules.
    """

    split: str
    new_split: str
    num_known: int
    num_new: int
    left_out: int
    new_by_depth: Mapping[str, int]
    held_out: tuple[str, ...]
    scores: tuple[UnknownScore, ...]
    rules: tuple[UnknownRule, ...]
    model: str
    fingerprint: str
    data: str = ""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_types(self)


def write_unknown(file: Path, result: Unknown) -> Path:
    """Write a result, and return its file; values that are not a number become null."""
    content = {"schema_version": SCHEMA_VERSION, **_plain(dataclasses.asdict(result))}
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    return file


def read_unknown(file: Path) -> Unknown | None:
    """Read a result; ``None`` if there is none.

    Raises:
        InputError: The file is not a result of this version.

    Example:
        >>> read_unknown(Path("no/such/file.json")) is None
        True
    """
    if not file.is_file():
        return None
    advice = "Make it again: cladewise evaluate RUN --protocol unknown."
    content = read_json(file, "a result of unknown classes", advice=advice)
    with building("a result of unknown classes", at=str(file), advice=advice):
        scores = tuple(UnknownScore(**_numbers(one)) for one in content.pop("scores"))
        rules = tuple(UnknownRule(**_numbers(one)) for one in content.pop("rules"))
        held_out, warnings = (tuple(content.pop(key)) for key in ("held_out", "warnings"))
        return Unknown(**content, held_out=held_out, warnings=warnings, scores=scores, rules=rules)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return None if isinstance(value, float) and value != value else value


def _numbers(value: Mapping[str, Any]) -> dict[str, Any]:
    """The entries with a NaN in place of null."""
    return {
        key: _numbers(inner) if isinstance(inner, dict) else float("nan") if inner is None else inner
        for key, inner in value.items()
    }
