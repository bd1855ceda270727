"""Label Studio: JSON, JSON-MIN and CSV exports with results of ``Taxonomy`` and ``Choices``.

A result for the whole image counts; one of a region is a label of a part of the image, and is counted. The export has
no tree: its paths make up one, unless a taxonomy is given, such as the project's labelling configuration, whose aliases
are ids. Formats: https://labelstud.io/guide/export.html.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from cladewise.datasets.dataset import Skipped
from cladewise.datasets.exports.json_files import read_json
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.exports.places import first_existing
from cladewise.datasets.files.other_files import counted
from cladewise.errors import InputError, warn
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.options import ReadOptions, one_of
from cladewise.taxonomy.formats.tables.delimited import read_delimited
from cladewise.taxonomy.names.paths import path_text

Annotators = Literal["agree", "majority", "latest", "all"]
Names = tuple[str, ...]

_KINDS = ("taxonomy", "choices")
_OWN = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
"""Keys of JSON-MIN and columns of CSV that are neither data nor results."""
_DATA = "_data_"
"""Prefix of columns of CSV with data that has the name of a control."""
_REGION = ("x", "y", "width", "height", "points", "vertices", "rle", "radiusX", "start", "end", "startOffset", "frame")
_IMAGE = re.compile(r"\.(?:jpe?g|png|webp|tiff?|bmp|gif|heic|avif)(?:$|[?#])", re.IGNORECASE)
_HASH = re.compile(r"^[0-9a-f]{8}-(?=.)")


@dataclasses.dataclass(frozen=True)
class Annotation:
    """Labels of one image by one annotator: paths by control, and the number of regions with labels.

    ``unclear`` are controls whose choices may be those of regions: JSON-MIN and CSV write a single choice as a plain
    text, without the place of its region.
    """

    paths: Mapping[str, tuple[Names, ...]]
    regions: int
    created: str = ""
    unclear: frozenset[str] = frozenset()


@dataclasses.dataclass
class Task:
    """An image and its annotations."""

    data: Mapping[str, Any]
    annotations: list[Annotation]


def read(
    path: Path,
    root: Path | None = None,
    *,
    control: str | None = None,
    image: str | None = None,
    annotators: Annotators = "agree",
) -> Labelled:
    """Read an export in JSON, JSON-MIN or CSV.

    Args:
        path: The file.
        root: Folder of the images; by default that of the file. Uploads are looked for under their whole path, and by
            name with and without the prefix that Label Studio adds.
        control: Name of the control whose results are the labels, needed if there are several.
        image: Key of the task's data with the image, needed if several could be.
        annotators: For an image with several annotations: ``agree``, if all of them say the same; ``majority``, what
            more than half say; ``latest``, the one created last; or ``all`` labels together.

    Raises:
        InputError: The file is no such export, or an option is needed.
    """
    one_of("annotators", annotators, get_args(Annotators))
    table = path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
    tasks, cancelled = _tasks_of_rows(_rows(path), str(path)) if table else _tasks(read_json(path), str(path))
    if not tasks:
        raise InputError("tasks with annotations", "none", at=str(path))
    key = _image_key(tasks, image, str(path))
    name = _control(tasks, control, str(path))
    folder = root or path.parent
    paths: list[str] = []
    images: list[int] = []
    labels: list[int] = []
    numbers: dict[Names, int] = {}
    skipped: list[Skipped] = []
    torn = 0
    for task in tasks:
        place = _place(str(task.data.get(key) or ""), folder)
        found, reason = _agreed([a.paths.get(name, ()) for a in _latest(task.annotations, annotators)], annotators)
        regions = sum(annotation.regions for annotation in task.annotations)
        if not reason and any(name in annotation.unclear for annotation in task.annotations):
            skipped.append(Skipped(place, "a choice next to regions, which may be theirs: export JSON, which tells"))
            continue
        if reason or (not found and regions):
            torn += bool(reason)
            skipped.append(Skipped(place, reason or f"no label of the whole image, but {counted(regions, 'region')}"))
            continue
        images += [len(paths)] * len(found)
        labels += [numbers.setdefault(names, len(numbers)) for names in found]
        paths.append(place)
    if torn:
        first = next(skip for skip in skipped if "annotators disagree" in skip.reason)
        text = f"{counted(torn, 'image')} whose annotators disagree, left out of {len(tasks):,}"
        advice = 'Pass annotators="majority", "latest" or "all".'
        warn(f"{text}, such as {first.path} ({first.reason})", at=str(path), advice=advice)
    regions = sum(annotation.regions for task in tasks for annotation in task.annotations)
    notes = [f"{counted(regions, 'label')} of regions, not used"] if regions else []
    if cancelled:
        notes.append(f"{counted(cancelled, 'cancelled annotation')}, not used")
    return Labelled(
        root=folder,
        paths=paths,
        labels=list(numbers),
        image=np.array(images, dtype=np.int64),
        label=np.array(labels, dtype=np.int64),
        skipped=tuple(skipped),
        notes=tuple(notes),
    )


# ---------------------------------------------------------------- the three formats


def _tasks(document: Any, source: str) -> tuple[list[Task], int]:
    """Tasks of JSON or JSON-MIN, and the number of cancelled annotations."""
    entries = document if isinstance(document, list) else [document]
    odd = next((entry for entry in entries if not isinstance(entry, dict)), None)
    if odd is not None:
        raise InputError("a list of tasks", repr(odd)[:60], at=source)
    if not any("annotations" in entry or "completions" in entry for entry in entries):
        return _tasks_of_rows(entries, source)
    tasks: list[Task] = []
    cancelled = 0
    for number, entry in enumerate(entries):
        data, listed = entry.get("data"), entry.get("annotations", entry.get("completions"))
        if not isinstance(data, dict) or not isinstance(listed, list):
            raise InputError("tasks with data and annotations", repr(entry)[:60], at=f"{source}, task {number}")
        valid = [a for a in listed if isinstance(a, dict) and not (a.get("was_cancelled") or a.get("skipped"))]
        cancelled += len(listed) - len(valid)
        tasks.append(Task(data, [_annotation(a) for a in valid]))
    return tasks, cancelled


def _annotation(entry: Mapping[str, Any]) -> Annotation:
    results = [result for result in entry.get("result") or () if isinstance(result, dict)]
    # results of one region share its id, and not all of them repeat its place
    placed = {result.get("id") for result in results if _is_placed(result.get("value"))} - {None}
    paths: dict[str, list[Names]] = {}
    regions = 0
    for result in results:
        value = result.get("value")
        if result.get("type") not in _KINDS or not isinstance(value, dict):
            continue
        if _is_placed(value) or result.get("id") in placed:
            regions += 1
        else:
            paths.setdefault(str(result.get("from_name")), []).extend(_paths(value))
    return Annotation({key: tuple(found) for key, found in paths.items()}, regions, str(entry.get("created_at") or ""))


def _tasks_of_rows(rows: Sequence[Mapping[str, Any]], source: str) -> tuple[list[Task], int]:
    """Tasks of JSON-MIN and CSV, which have a row for each annotation."""
    tasks: dict[str, Task] = {}
    for number, row in enumerate(rows):
        if "annotation_id" not in row and "annotator" not in row:
            raise InputError("rows with annotation_id", repr(dict(row))[:60], at=f"{source}, row {number}")
        data = {key: value for key, value in row.items() if key not in _OWN}
        task = tasks.setdefault(str(row.get("id", number)), Task(data, []))
        paths: dict[str, list[Names]] = {}
        regions = 0
        values = {key: _value(value) for key, value in data.items() if not key.startswith(_DATA)}
        outlined = any(_is_placed(entry) for value in values.values() if isinstance(value, list) for entry in value)
        unclear = frozenset(key for key, value in values.items() if outlined and _has_text(value))
        for key, value in values.items():
            for result in _results(value):
                if _is_placed(result):
                    regions += 1
                else:
                    paths.setdefault(key, []).extend(_paths(result))
        created = str(row.get("created_at") or "")
        if row.get("annotation_id") not in (None, ""):
            found = {key: tuple(listed) for key, listed in paths.items()}
            task.annotations.append(Annotation(found, regions, created, unclear))
    return list(tasks.values()), 0


def _value(value: Any) -> Any:
    """A cell, parsed if it is JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _has_text(value: Any) -> bool:
    return bool(value) and isinstance(value, str | list) and not any(isinstance(entry, dict | list) for entry in value)


def _results(value: Any) -> Iterator[Mapping[str, Any]]:
    """Results in a cell: a list of them, a list of paths, or the only choice as a plain text."""
    if isinstance(value, str):
        if value.strip() and not _IMAGE.search(value) and "://" not in value:
            yield {"choices": [value]}
        return
    for entry in value if isinstance(value, list) else [value] if isinstance(value, dict) else ():
        if isinstance(entry, dict) and any(kind in entry for kind in _KINDS):
            yield entry
        elif isinstance(entry, list):
            yield {"taxonomy": [entry]}
        elif isinstance(entry, str):
            yield {"choices": [entry]}


def _rows(path: Path) -> list[dict[str, str]]:
    return read_delimited(path, ReadOptions()).frame.to_dicts()


def _paths(value: Mapping[str, Any]) -> list[Names]:
    found = [path for kind in _KINDS for path in value.get(kind) or ()]
    listed = [tuple(map(str, path)) if isinstance(path, list) else (str(path),) for path in found]
    return [path for path in listed if path and all(name.strip() for name in path)]


def _is_placed(value: Any) -> bool:
    return isinstance(value, dict) and any(key in value for key in _REGION)


# ---------------------------------------------------------------- what is meant


def _control(tasks: Sequence[Task], chosen: str | None, source: str) -> str:
    """The control whose results are the labels."""
    counts = Counter(key for task in tasks for found in task.annotations for key, paths in found.paths.items() if paths)
    known = ", ".join(f"{key!r} ({counted(number, 'annotation')})" for key, number in counts.most_common()) or "none"
    if chosen is not None and chosen not in counts:
        raise InputError(f"a control with labels of whole images: {known}", repr(chosen), at=source)
    if chosen is None and len(counts) != 1:
        regions = sum(found.regions for task in tasks for found in task.annotations)
        others = f", but {counted(regions, 'label')} of regions" if regions and not counts else ""
        advice = f'Choose one: control="{counts.most_common(1)[0][0]}".' if counts else ""
        raise InputError("one control with labels of whole images", f"{known}{others}", at=source, advice=advice)
    return chosen or next(iter(counts))


def _image_key(tasks: Sequence[Task], chosen: str | None, source: str) -> str:
    """The key of the data that holds the image."""
    keys = list(dict.fromkeys(key for task in tasks for key in task.data))
    if chosen is not None:
        if chosen not in keys:
            raise InputError(f"a key of the data: {', '.join(keys)}", repr(chosen), at=source)
        return chosen
    likely = [
        key
        for key in keys
        if any(isinstance(task.data.get(key), str) for task in tasks)
        and all(_is_image(task.data.get(key)) for task in tasks if task.data.get(key))
    ]
    if len(likely) != 1:
        got = some(likely) if likely else f"none among {some(keys)}"
        advice = f'Choose one: image="{(likely or keys)[0]}".' if keys else ""
        raise InputError("one key of the data with the image", got, at=source, advice=advice)
    return likely[0]


def _is_image(value: Any) -> bool:
    return isinstance(value, str) and (_IMAGE.search(value) is not None or value.startswith("/data/"))


def _latest(annotations: Sequence[Annotation], annotators: Annotators) -> Sequence[Annotation]:
    return [max(annotations, key=lambda a: a.created)] if annotators == "latest" and annotations else annotations


def _agreed(said: Sequence[Sequence[Names]], annotators: Annotators) -> tuple[list[Names], str]:
    """The labels of an image from those of its annotators, or the reason why there are none."""
    votes = Counter(frozenset(paths) for paths in said)
    if annotators == "all" or len(votes) <= 1:
        return list(dict.fromkeys(path for paths in said for path in paths)), ""
    (best, number), *_ = votes.most_common()
    if annotators == "majority" and 2 * number > len(said):
        return sorted(best), ""
    shown = ", ".join(f"{_shown(paths)} ({count})" for paths, count in votes.most_common(5))
    return [], f"{len(said)} annotators disagree: {shown}"


def _shown(paths: frozenset[Names]) -> str:
    return " + ".join(path_text(path) for path in sorted(paths)) or "nothing"


def _place(url: str, folder: Path) -> str:
    """Path of an image in a folder.

    A file of local storage is named by ``d=``, and an upload by its project; other URLs by their path.
    """
    parts = urlsplit(url)
    if parts.path.rstrip("/").endswith("/data/local-files"):
        return first_existing(folder, [(parse_qs(parts.query).get("d") or [""])[-1].lstrip("/") or url])
    path = unquote(parts.path).lstrip("/")
    if "data/upload/" in path:
        path = path.split("data/upload/", 1)[1]  # project/prefix-name
        name = path.rsplit("/", 1)[-1]
        return first_existing(folder, [f"upload/{path}", path, name, _HASH.sub("", name)])
    if parts.scheme in ("http", "https", "s3", "gs", "azure-blob"):
        place = first_existing(folder, [path, f"{parts.netloc}/{path}"]) if path else url
        return place if (folder / place).exists() else url
    return first_existing(folder, [url, path]) if url else "no image"
