"""Exports that are read as datasets, and the marks by which each is recognised."""

from __future__ import annotations

import dataclasses
import fnmatch
import importlib
import inspect
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cladewise.catalogue import nearest
from cladewise.datasets.exports.labelled import Labelled
from cladewise.errors import InputError
from cladewise.taxonomy.formats.kinds import beginning_of

_LISTED = 1000
"""Most files of a folder that are looked at."""


@dataclasses.dataclass(frozen=True)
class Export:
    """A format of exports and its marks.

    Args:
        name: Name of the format, as in the option ``format``.
        title: Its description for messages: ``"a Datumaro export"``.
        reader: Module in this package and its function ``(path, root, **options) -> Labelled``, with a colon between.
        beginning: Regular expression found in the first 64 KiB of a file, with ``^`` and ``$`` at lines.
        files: Patterns of the files in a folder, relative to it, of which one must have that beginning.
        suffixes: Ends of file names, in lower case.
        evidence: Instead of a beginning, for files that are not text: module in this package and its function
            ``(path) -> bool``, with a colon between.
    """

    name: str
    title: str
    reader: str
    beginning: str = ""
    files: Sequence[str] = ()
    suffixes: Sequence[str] = (".json",)
    evidence: str = ""

    def function(self) -> Callable[..., Labelled]:
        """The function that reads exports of this format."""
        return _function(self.reader)

    def options(self) -> list[str]:
        """Names of the options of this format."""
        return [p.name for p in inspect.signature(self.function()).parameters.values() if p.kind is p.KEYWORD_ONLY]

    def read(self, path: Path, root: Path | None, options: Mapping[str, Any]) -> Labelled:
        """Read an export with options of its format.

        Raises:
            InputError: The format has no such option, or the export cannot be read.
        """
        known = self.options()
        for option in options:
            if option not in known:
                expected = f"an option of {self.title}: {', '.join(known) or 'there are none'}"
                raise InputError(expected, repr(option), at=str(path), advice=nearest(option, known))
        return self.function()(path, root, **options)

    def fits(self, path: Path) -> bool:
        """Whether a file or folder has the marks of this format."""
        if self.evidence:
            is_named = path.is_dir() or path.name.lower().endswith(tuple(self.suffixes))
            return is_named and _function(self.evidence)(path)
        if path.is_dir():
            return any(self._begins(file) for file in files_of(path, self.files))
        return path.name.lower().removesuffix(".gz").endswith(tuple(self.suffixes)) and self._begins(path)

    def _begins(self, path: Path) -> bool:
        return re.search(self.beginning, beginning_of(path), re.MULTILINE) is not None


def _function(place: str) -> Callable[..., Any]:
    module, name = place.split(":")
    return getattr(importlib.import_module(f"{__package__}.{module}"), name)


_ROBOFLOW = ("train", "valid", "test")
"""Folders of an export of Roboflow."""
_COCO = "|".join(
    rf'\A\s*\{{[\s\S]*"{key}"\s*:\s*\[\s*\{{[^{{}}]*"{inside}"'
    for key, inside in (("images", "(?:file_name|coco_url)"), ("annotations", "image_id"), ("categories", "name"))
)
_TASKS = (
    r'\A\s*(?:\[\s*)?\{(?s:(?=.*"data"\s*:\s*\{)(?=.*"(?:annotations|completions)"\s*:\s*\[)'
    r'(?=.*"(?:was_cancelled|completed_by|from_name|result)"\s*:))'
)
_ROWS = (
    r'\A\s*\[\s*\{(?s:(?=.*"annotation_id"\s*:)(?=.*"(?:annotator|lead_time)"\s*:))'
    r"|\A(?=[^\n]*\bannotation_id\b)(?=[^\n]*\bannotator\b)(?=[^\n]*\blead_time\b)[^{\[\n]"
)

EXPORTS: tuple[Export, ...] = (
    Export(
        "coco",
        "COCO annotations",
        "coco:read",
        beginning=_COCO,
        files=["*.json", "annotations/*.json", *(f"{split}/_annotations.coco.json" for split in _ROBOFLOW)],
    ),
    Export(
        "class-lists",
        "images of CUB-200 or NABirds",
        "class_lists:read",
        beginning=r"\A\S+ \d+$",
        files=["image_class_labels.txt"],
        suffixes=["image_class_labels.txt"],
    ),
    Export(
        "hugging-face",
        "a Hugging Face data set in Parquet or Arrow files",
        "hugging_face:read",
        suffixes=[".parquet", ".arrow"],
        evidence="hugging_face:has_images",
    ),
    Export(
        "image-folder",
        "a folder of images with metadata.csv",
        "image_folder:read",
        suffixes=["metadata.csv", "metadata.jsonl", "metadata.parquet"],
        evidence="image_folder:has_labels",
    ),
    Export(
        "open-images",
        "labels of Open Images",
        "open_images:read",
        beginning=r"\AImageID,Source,LabelName,Confidence\b",
        files=["*.csv"],
        suffixes=[".csv"],
    ),
    Export(
        "camtrap-dp",
        "a Camtrap DP",
        "camtrap_dp:read",
        beginning=r"camtrap-dp",
        files=["datapackage.json"],
        suffixes=["datapackage.json"],
    ),
    Export(
        "label-studio",
        "tasks or rows exported by Label Studio",
        "label_studio:read",
        beginning=f"{_TASKS}|{_ROWS}",
        suffixes=[".json", ".csv", ".tsv"],
    ),
    Export(
        "fiftyone",
        "a dataset of FiftyOne",
        "fiftyone:read",
        beginning=r'fiftyone\.core\.|\A\s*\{\s*"samples"\s*:\s*\[\s*\{(?s:.{0,400}?)"filepath"\s*:',
        files=["samples.json"],
    ),
    Export(
        "datumaro",
        "a dataset of Datumaro or Geti",
        "datumaro:read",
        beginning=r'"categories"\s*:\s*\{\s*"(?:label|mask|points)"\s*:\s*\{',
        files=["annotations/*.json"],
    ),
    Export(
        "cvat",
        "CVAT for images 1.1",
        "cvat:read",
        beginning=r"<annotations>\s*(?s:.*)<(?:image|meta|track)\b",
        files=["*.xml"],
        suffixes=[".xml"],
    ),
)
"""All formats of exports."""


def files_of(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Files of a folder that match a pattern, relative to it, in order; the first thousand of each folder."""
    found: list[Path] = []
    for pattern in patterns:
        below = folder / Path(pattern).parent
        if below.is_dir():
            listed = sorted(itertools.islice(below.iterdir(), _LISTED))
            last = Path(pattern).name
            found += [file for file in listed if fnmatch.fnmatchcase(file.name, last) and file.is_file()]
    return found


def export_of(path: Path) -> Export | None:
    """The format of exports whose marks a file or folder has; None if there is none.

    Raises:
        InputError: It has the marks of several formats.

    Example:
        >>> path = getfixture("tmp_path") / "labels.json"
        >>> _ = path.write_text("[1, 2]")
        >>> export_of(path) is None
        True
    """
    found = [export for export in EXPORTS if export.fits(path)]
    if len(found) > 1:
        titles = " or ".join(f"{export.name} ({export.title})" for export in found)
        raise InputError("an export of exactly one format", titles, at=str(path), advice='Choose one: format="...".')
    return found[0] if found else None


def export_called(name: str) -> Export:
    """The format of exports with a name.

    Raises:
        InputError: There is no such format.
    """
    for export in EXPORTS:
        if export.name == name:
            return export
    names = [export.name for export in EXPORTS]
    raise InputError(f"a format of exports: {', '.join(names)}", repr(name), advice=nearest(name, names))
