"""FiftyOne: labels of samples in the files of ``write_json`` and of an export as ``FiftyOneDataset``.

A label is a path, such as ``Fruit/Apple``, or a name. In a field that cladewise wrote, a label counts if a person
changed it or tagged it or its sample, since the others are predictions; in any other field every label counts.
Formats: https://docs.voxel51.com/user_guide/export_datasets.html#fiftyonedataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from cladewise.datasets.dataset import Skipped
from cladewise.datasets.exports.json_files import read_json
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.exports.places import first_existing
from cladewise.datasets.files.other_files import counted
from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import one_of
from cladewise.taxonomy.names.paths import label_steps

Unchanged = Literal["skip", "keep"]

SAMPLES = "samples.json"
CORRECTION, PREDICTION = "correction", "prediction"
CHECKED = ("correct", "checked", "confirmed", "reviewed")
"""Tags of a label or a sample by which a person accepts a prediction."""
_PREDICTED = "predicted"
"""Attribute of a label that cladewise wrote: the label that was predicted."""
_KINDS = {"Classification", "Classifications"}


def read(path: Path, root: Path | None = None, *, field: str | None = None, unchanged: Unchanged = "skip") -> Labelled:
    """Read the labels of samples.

    Args:
        path: The JSON of a dataset, or the folder of an export.
        root: Folder that relative paths start from; by default that of the file. Images that are not at their absolute
            path are looked for there by name.
        field: Field of the labels; by default ``correction`` if a sample has it, otherwise ``prediction``, or the only
            field with labels.
        unchanged: Whether predictions that nobody changed or tagged with one of :data:`CHECKED` count as labels:
            ``skip`` them, or ``keep`` them.

    Raises:
        InputError: The file is no such dataset, or there are several fields.
    """
    one_of("unchanged", unchanged, get_args(Unchanged))
    file = path / SAMPLES if path.is_dir() else path
    samples = _samples(read_json(file), str(file))
    name = _field(samples, field, str(file))
    folder = root or file.parent
    paths: list[str] = []
    images: list[int] = []
    labels: list[int] = []
    numbers: dict[tuple[str, ...], int] = {}
    skipped: list[Skipped] = []
    left = 0
    for sample in samples:
        place = _place(str(sample.get("filepath") or ""), folder)
        found = list(_labels(sample.get(name)))
        kept = [label for label in found if unchanged == "keep" or _is_checked(label, sample)]
        if not kept:
            left += bool(found)
            skipped.append(Skipped(place, "a prediction that nobody checked" if found else "no label"))
            continue
        for label in kept:
            images.append(len(paths))
            labels.append(numbers.setdefault(label_steps(str(label["label"])), len(numbers)))
        paths.append(place)
    notes = (f"{counted(left, 'prediction')} that nobody changed or tagged, not used",) if left else ()
    return Labelled(
        root=folder,
        paths=paths,
        labels=list(numbers),
        image=np.array(images, dtype=np.int64),
        label=np.array(labels, dtype=np.int64),
        skipped=tuple(skipped),
        notes=notes,
    )


def _samples(document: Any, source: str) -> list[Mapping[str, Any]]:
    listed: Any = cast("Mapping[str, Any]", document).get("samples") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in cast("list[Any]", listed)):
        raise InputError("a dataset of FiftyOne with samples", "another document", at=source)
    return cast("list[Mapping[str, Any]]", listed)


def _field(samples: Sequence[Mapping[str, Any]], chosen: str | None, source: str) -> str:
    """The field whose labels are read."""
    counts = Counter(name for sample in samples for name, value in sample.items() if any(_labels(value)))
    known = ", ".join(f"{name!r} ({counted(number, 'sample')})" for name, number in counts.most_common()) or "none"
    if chosen is not None:
        if chosen not in counts:
            raise InputError(f"a field with classifications: {known}", repr(chosen), at=source)
        return chosen
    usual = [name for name in (CORRECTION, PREDICTION) if name in counts]
    if usual:
        return usual[0]
    if len(counts) != 1:
        advice = f'Choose one: field="{counts.most_common(1)[0][0]}".' if counts else ""
        raise InputError("one field with classifications", known, at=source, advice=advice)
    return next(iter(counts))


def _labels(value: Any) -> Iterator[Mapping[str, Any]]:
    """The classifications in a field."""
    if not isinstance(value, dict) or value.get("_cls") not in _KINDS:
        return
    entry = cast("Mapping[str, Any]", value)
    listed: Any = entry.get("classifications") or () if entry["_cls"] == "Classifications" else (entry,)
    for label in listed:
        if isinstance(label, dict) and str(cast("Mapping[str, Any]", label).get("label") or "").strip():
            yield cast("Mapping[str, Any]", label)


def _is_checked(label: Mapping[str, Any], sample: Mapping[str, Any]) -> bool:
    predicted = label.get(_PREDICTED)
    tags = {str(tag).lower() for tag in (*(label.get("tags") or ()), *(sample.get("tags") or ()))}
    return predicted is None or predicted != label["label"] or not tags.isdisjoint(CHECKED)


def _place(path: str, folder: Path) -> str:
    """The path of an image, relative to the folder if it is in it."""
    plain = path.replace("\\", "/")
    if "://" in plain:
        return plain
    start = f"{folder.as_posix()}/"
    if plain.startswith(start):
        return plain.removeprefix(start)
    return first_existing(folder, [plain, plain.rsplit("/", 1)[-1]]) if plain.startswith("/") else plain
