"""The index of the pictures that ``cladewise explain`` writes into a run folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, check_types, read_json

OF_FILES = "files"
"""Takes the place of the split if single files were explained."""


@dataclasses.dataclass(frozen=True)
class LevelMap:
    """A map of where in an image a model sees evidence for a node of one level.

    Args:
        level: The level, 1 for the coarsest.
        predicted: The most probable node of the extended level.
        node: The node of the map: the predicted or the true one.
        log_prob: Its log-probability at the level, in nats.
        file: The picture, in the folder of the index.
        is_blank: Whether there is no evidence for the node in the image.
    """

    level: int
    predicted: int
    node: int
    log_prob: float
    file: str
    is_blank: bool


@dataclasses.dataclass(frozen=True)
class ExplainedImage:
    """An image, its label (``None`` if unknown), the crop that the model sees, and its maps."""

    path: str
    true: int | None
    picture: str
    maps: tuple[LevelMap, ...]


@dataclasses.dataclass(frozen=True)
class Explanations:
    """All explanations of a split.

    Args:
        split: The split, or :data:`OF_FILES`.
        method: The method that made the maps.
        target: Whose map is shown: ``predicted`` or ``true``.
        layers: The network layer of the maps, by level.
        model: Hash of the weights.
        fingerprint: Fingerprint of the taxonomy.
        images: The explained images.
        skipped: Path and reason of each image that could not be read.
        digest: Digest of the images and labels of the split; empty for single files, and in early versions.
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
        """File names of all pictures."""
        return {name for image in self.images for name in (image.picture, *(each.file for each in image.maps))}


def write_explanation_index(file: Path, explanations: Explanations) -> None:
    """Write the index atomically."""
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(explanations)}
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_explanation_index(file: Path) -> Explanations:
    """Read an index.

    Raises:
        InputError: It is not an index of this version.
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
