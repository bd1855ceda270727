"""What ``cladewise explain`` leaves in a run folder: pictures, and an index that says what each of them is of."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, check_types, read_json

OF_FILES = "files"
"""Stands for the split where single files were explained."""


@dataclasses.dataclass(frozen=True)
class LevelMap:
    """Where in an image a model saw a node of one level.

    Args:
        level: The level, 1 for the coarsest.
        predicted: The most probable node of the extended level.
        node: The node that the map is of: the predicted or the true one.
        log_prob: Its log-probability at the level, in nats.
        file: The picture, in the folder of the index.
        is_blank: Whether nothing in the image speaks for the node.
    """

    level: int
    predicted: int
    node: int
    log_prob: float
    file: str
    is_blank: bool


@dataclasses.dataclass(frozen=True)
class ExplainedImage:
    """One image, its label (``None`` where it is not known), the part that the model saw, and its maps."""

    path: str
    true: int | None
    picture: str
    maps: tuple[LevelMap, ...]


@dataclasses.dataclass(frozen=True)
class Explanations:
    """All of one split.

    Args:
        split: The split, or :data:`OF_FILES`.
        method: How the maps were made.
        target: Of which node: ``predicted`` or ``true``.
        layers: The layer whose map is shown, by level.
        model: Hash of the weights.
        fingerprint: Of the taxonomy.
        images: The images that could be read.
        skipped: Path and reason of the others.
        digest: Of the images and labels of the split; empty for single files, and in those of earlier versions.
    """

    split: str
    method: str
    target: str
    layers: dict[int, str]
    model: str
    fingerprint: str
    images: tuple[ExplainedImage, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    digest: str = ""

    @property
    def files(self) -> set[str]:
        """Every picture."""
        return {name for image in self.images for name in (image.picture, *(each.file for each in image.maps))}


def write(file: Path, explanations: Explanations) -> None:
    """Write the index, whole or not at all."""
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(explanations)}
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read(file: Path) -> Explanations:
    """Read an index.

    Raises:
        InputError: It is not the JSON that this version writes.
    """
    content = read_json(file, "an index of explanations", advice=_ADVICE)
    with building("an index of explanations", at=str(file), advice=_ADVICE):
        images = tuple(_image(image) for image in content.pop("images"))
        layers = {int(level): name for level, name in content.pop("layers").items()}
        skipped = tuple((str(path), str(reason)) for path, reason in content.pop("skipped"))
        found = Explanations(**content, layers=layers, images=images, skipped=skipped)
        for part in (found, *images, *(each for image in images for each in image.maps)):
            check_types(part)
        return found


def _image(content: dict[str, Any]) -> ExplainedImage:
    maps = tuple(LevelMap(**each) for each in content["maps"])
    return ExplainedImage(content["path"], content["true"], content["picture"], maps)


_ADVICE = "Make it again: cladewise explain RUN."
