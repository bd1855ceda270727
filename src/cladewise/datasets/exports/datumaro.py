"""Datumaro, and projects of Geti in its format: one JSON file per subset, next to the folder of images.

Labels of whole images count; boxes and other shapes with labels are not images, and are counted. Geti writes the labels
above a label as well, which it implies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Skipped
from cladewise.datasets.exports.json_files import read_json
from cladewise.datasets.exports.kinds import files_of
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.exports.places import first_existing, listed
from cladewise.datasets.files.other_files import counted
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.labelling import datumaro as label_format

FILES = ("annotations/*.json",)
_SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG", ".bmp", ".webp", ".tif")


def read(path: Path, root: Path | None = None, *, groups: str | Sequence[str] | None = None) -> Labelled:
    """Read an export: its folder, or the file of one subset.

    Args:
        path: The folder with ``annotations/``, or a file of it.
        root: Folder of the images; by default ``images`` next to ``annotations``.
        groups: Groups of labels to keep, with the labels above and below theirs; by default all. For projects in which
            an image has a label of each of several groups.

    Raises:
        InputError: There is no annotation file, the files have different labels, or an annotation has no label of them.
    """
    files = files_of(path, FILES) if path.is_dir() else [path]
    if not files:
        raise InputError(f"files of annotations ({FILES[0]})", "none", at=str(path))
    top = path if path.is_dir() else path.parent.parent if path.parent.name == "annotations" else path.parent
    folder = root or top / "images"
    documents = {file: read_json(file) for file in files}
    labels = _same_labels(documents)
    names = labels.names
    kept = label_format.only_groups(labels, listed(groups), str(files[0])) if groups is not None else labels
    tree = label_format.tree_of(kept, str(files[0]))
    node_of = label_format.nodes_of(tree, kept)
    number_of = {label: number for number, label in enumerate(node_of)}

    paths: list[str] = []
    splits: list[str] = []
    image: list[int] = []
    label: list[int] = []
    skipped: list[Skipped] = []
    shapes: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for file, document in documents.items():
        subset, place = file.stem, str(folder)
        for number, item in enumerate(_items(document, file)):
            found, others = _path(item, place, subset), Counter[str]()
            whole: list[int] = []
            for annotation in item.get("annotations") or ():
                kind, index = str(annotation.get("type", "")), annotation.get("label_id")
                if index is None:
                    continue
                if not isinstance(index, int) or not 0 <= index < len(names):
                    raise InputError(f"a label_id from 0 to {len(names) - 1}", repr(index), at=f"{file}, item {number}")
                if kind != "label":
                    others[kind] += 1
                elif names[index] in number_of:
                    whole.append(number_of[names[index]])
                else:
                    left_out[names[index]] += 1
            shapes.update(others)
            if not whole and others:
                skipped.append(Skipped(found, f"no label of the whole image, but {_counts(others)}"))
                continue
            image += [len(paths)] * len(whole)
            label += whole
            paths.append(found)
            splits.append(subset)
    notes = [f"{_counts(shapes)} with labels, not used"] if shapes else []
    if left_out:
        notes.append(f"{counted(left_out.total(), 'label')} of other groups, not used: {some(list(left_out))}")
    return Labelled(
        root=folder,
        paths=paths,
        labels=[tree.path_names(node) for node in node_of.values()],
        image=np.array(image, dtype=np.int64),
        label=np.array(label, dtype=np.int64),
        splits=splits if len(files) > 1 else [],
        taxonomy=tree,
        nodes=list(node_of.values()),
        skipped=tuple(skipped),
        notes=tuple(notes),
    )


def _same_labels(documents: dict[Path, Any]) -> label_format.Labels:
    """The labels of all files."""
    first: label_format.Labels | None = None
    for file, document in documents.items():
        if not isinstance(document, dict) or label_format.DATUMARO.evidence(document) is None:
            raise InputError("labels of Datumaro in every file of annotations", "none", at=str(file))
        found = label_format.labels_of(document, str(file))
        if first is not None and (found.names, found.parents) != (first.names, first.parents):
            odd = sorted({*found.names} ^ {*first.names}) or [
                name for k, name in enumerate(found.names) if found.parents[k] != first.parents[first.names.index(name)]
            ]
            got = f"others, such as {odd[0]!r}" if odd else "the same in another order"
            raise InputError(f"the same labels in every file, those of {next(iter(documents)).name}", got, at=str(file))
        first = first or found
    assert first is not None
    return first


def _items(document: Any, file: Path) -> Iterator[dict[str, Any]]:
    items = document.get("items")
    if not isinstance(items, list):
        raise InputError("a list of items", "none", at=str(file))
    for number, item in enumerate(items):
        if not isinstance(item, dict) or "id" not in item:
            raise InputError("an item with an id", repr(item)[:60], at=f"{file}, item {number}")
        yield item


def _path(item: dict[str, Any], folder: str, subset: str) -> str:
    """Path of the image of an item, in its subset's folder or directly in the folder of images."""
    image = item.get("image")
    path = image.get("path") if isinstance(image, dict) else None
    names = [str(path).replace("\\", "/")] if path else [f"{item['id']}{suffix}" for suffix in _SUFFIXES]
    return first_existing(folder, [place for name in names for place in (f"{subset}/{name}", name)])


def _counts(kinds: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
