"""The formats of other tools that predictions can be written in: names, file endings and required columns.

A format is one module with a context manager ``(file, about) -> write`` and one entry here. The module is imported only
when its format is written.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING

from cladewise.catalogue import nearest
from cladewise.errors import InputError

if TYPE_CHECKING:
    from cladewise.interchange.writing import About, Write


@dataclasses.dataclass(frozen=True)
class PredictionFormat:
    """A format of other tools for predictions.

    Args:
        name: Its name, as in ``--format``.
        title: Its description for messages and help: ``"COCO results"``.
        suffix: Ending of its files.
        writer: Module in this package and its context manager ``(file, about) -> write``, with a colon between.
        needs: Columns that the predictions must have besides their answers, each with advice on how to get it.

    Example:
        >>> format_called("coco-results").suffix
        '.json'
    """

    name: str
    title: str
    suffix: str
    writer: str
    needs: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])

    def check(self, columns: Collection[str], at: str = "") -> None:
        """Check that predictions have the columns that the format needs.

        Raises:
            InputError: One is missing; the message says how to get it.
        """
        for column, advice in self.needs.items():
            if column not in columns:
                raise InputError(f"predictions with the column {column} for {self.title}", "none", at=at, advice=advice)

    def open(self, file: IO[bytes], about: About) -> AbstractContextManager[Write]:
        """A function that appends the rows of tables to a file; leaving its context completes the file."""
        module, name = self.writer.split(":")
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)(file, about)


FORMATS: tuple[PredictionFormat, ...] = (
    PredictionFormat(
        "coco-results",
        "COCO results",
        ".json",
        "coco_results:writer",
        needs={"image_id": 'Predict a COCO file (images.json, with crop="images"), or a table with this column.'},
    ),
    PredictionFormat("megadetector", "MegaDetector results", ".json", "megadetector:writer"),
    PredictionFormat("speciesnet", "SpeciesNet predictions", ".json", "speciesnet:writer"),
    PredictionFormat("label-studio", "Label Studio tasks with predictions", ".json", "label_studio:writer"),
    PredictionFormat("fiftyone", "FiftyOne samples with predictions", ".json", "fiftyone:writer"),
    PredictionFormat("datumaro", "Datumaro items with scores", ".json", "datumaro:writer"),
    PredictionFormat(
        "camtrap-dp",
        "observations of a Camtrap DP",
        ".csv",
        "camtrap_dp:writer",
        needs=dict.fromkeys(
            ("mediaID", "deploymentID", "timestamp"), 'Predict the package\'s media.csv, with column="filePath".'
        ),
    ),
)
"""All formats, by existence."""


def format_called(name: str) -> PredictionFormat:
    """The format of a name.

    Raises:
        InputError: There is none.

    Example:
        >>> format_called("coco").name
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a format of predictions: ...
    """
    names = [form.name for form in FORMATS]
    if name not in names:
        raise InputError(f"a format of predictions: {', '.join(names)}", repr(name), advice=nearest(name, names))
    return FORMATS[names.index(name)]
