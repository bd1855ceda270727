"""CVAT: the labels of a task or project, in JSON or in the header of its annotations.

CVAT's labels are a flat list. Names that are paths (``Fruit/Apple``) make a tree, and so do the values of attributes
that are chosen from a list, if ``levels`` names the attributes, coarse to fine: label ``bird`` with the values ``wren``
and ``robin`` of an attribute ``species``. Sublabels, which are the points of a skeleton, are no classes.

Written are labels of the type ``tag`` for whole images, in JSON as the "Raw" editor of a task takes it: one per node,
named by its path. Format: https://docs.cvat.ai/docs/manual/advanced/xml_format/.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text
from cladewise.errors import InputError, warn
from cladewise.taxonomy.formats.documents.json_text import read_json_document
from cladewise.taxonomy.formats.documents.values import Place, name_at, shown
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.losses import tell_losses
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.safe_xml import Element, each_element
from cladewise.taxonomy.names.paths import label_steps
from cladewise.taxonomy.tree import Taxonomy

TYPES = {"any", "bbox", "cuboid", "ellipse", "mask", "points", "polygon", "polyline", "rectangle", "skeleton", "tag"}
_CHOSEN = ("select", "radio")
_COLOURS = ("#33ddff", "#ff6037", "#fafa37", "#24b353", "#b83df5", "#ff007c")


@dataclasses.dataclass(frozen=True)
class Label:
    """A label and the values of its attributes that are chosen from a list."""

    name: str
    values: dict[str, list[str]]


def _evidence(document: Any) -> str | None:
    if not isinstance(document, list) or not document:
        return None
    found = all(
        isinstance(entry, dict)
        and "name" in entry
        and isinstance(entry.get("attributes", []), list)
        and ("attributes" in entry or entry.get("type") in TYPES)
        and not any(entry[key] is not None for key in entry if key.startswith("parent"))
        for entry in document
    )
    return "labels with 'attributes' or a type of shapes" if found else None


CVAT = Form[Any]("cvat", "labels of CVAT", _evidence)


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the labels of a JSON file or of a file of annotations.

    Raises:
        InputError: The file has no labels, or they do not have the attributes in ``levels``.
    """
    if path.name.lower().removesuffix(".gz").endswith(".json"):
        document = read_json_document(path)
        if _evidence(document) is None:
            raise InputError("labels of CVAT", f"{shown(document)} without them", at=str(path))
        return read_labels(document, str(path), options)
    found = labels_of_annotations(path)
    if not found:
        raise InputError("labels in the header of CVAT's annotations", "none", at=str(path))
    return tree_of(found, options.levels or (), str(path))


def read_labels(document: Any, source: str, options: ReadOptions) -> Taxonomy:
    """Build a tree from labels in JSON.

    Raises:
        InputError: A label has no name, or lacks the attributes in ``levels``.
    """
    labels: list[Label] = []
    points = 0
    for number, entry in enumerate(document):
        name = name_at(entry.get("name"), Place("name", Place(number)), source)
        points += len(entry.get("sublabels") or ())
        values = {
            str(attribute.get("name")): [str(value) for value in attribute.get("values") or ()]
            for attribute in entry.get("attributes") or ()
            if isinstance(attribute, dict) and attribute.get("input_type") in _CHOSEN
        }
        labels.append(Label(name, values))
    if points:
        warn(f"{points} sublabels, which are points of skeletons and no classes, left out", at=source)
    return tree_of(labels, options.levels or (), source)


def labels_of_annotations(path: Path) -> list[Label]:
    """The labels in the header of a file of annotations; empty if it has none."""
    for element in each_element(path, 1):
        if element.tag == "meta":
            return [_label(entry) for entry in element.iter("label") if entry.find("name") is not None]
        if element.tag in ("image", "track"):
            break
    return []


def tree_of(labels: Sequence[Label], levels: Sequence[str], source: str) -> Taxonomy:
    """The tree of labels whose names are paths, with the values of attributes below them.

    Args:
        labels: The labels.
        levels: Attributes whose values are levels below the labels, coarse to fine.
        source: The file, for messages.

    Raises:
        InputError: No label has an attribute in ``levels`` whose values are listed, or a name is blank.

    Example:
        >>> labels = [Label("bird", {"species": ["wren", "robin"]}), Label("mammal/bat", {})]
        >>> tree = tree_of(labels, ["species"], "labels.json")
        >>> [tree.path_name(node) for node in range(1, len(tree))]
        ['bird', 'bird/wren', 'bird/robin', 'mammal', 'mammal/bat']
    """
    for level in levels:
        if not any(label.values.get(level) for label in labels):
            listed = list(dict.fromkeys(name for label in labels for name in label.values))
            known = f"an attribute whose values are listed: {', '.join(listed) or 'there is none'}"
            raise InputError(known, repr(level), at=source)
    paths = list(_paths(labels, levels))
    blank = next((path for path in paths if not all(name.strip() for name in path)), None)
    if blank is not None:
        raise InputError("labels that are names, or paths as in Fruit/Apple", repr("/".join(blank)), at=source)
    return Taxonomy.from_paths(paths)


def write(taxonomy: Taxonomy, path: Path) -> None:
    """Write a label of the type ``tag`` for every node, named by its path.

    Columns and levels are lost, with a warning.
    """
    tell_losses(taxonomy, str(path), columns=())
    first = 1 if taxonomy.synthetic_root else 0
    labels = [
        {
            "name": taxonomy.path_name(node),
            "color": _COLOURS[node % len(_COLOURS)],
            "type": "tag",
            "attributes": list[Any](),
        }
        for node in range(first, taxonomy.num_nodes)
    ]
    write_text(path, json.dumps(labels, indent=2, ensure_ascii=False) + "\n")


def _paths(labels: Sequence[Label], levels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for label in labels:
        paths = [label_steps(label.name)]
        yield paths[0]
        for level in levels:
            paths = [(*path, value) for path in paths for value in label.values.get(level, ())]
            yield from paths


def _label(entry: Element) -> Label:
    values = {
        attribute.findtext("name", ""): [line for line in attribute.findtext("values", "").splitlines() if line.strip()]
        for attribute in entry.iter("attribute")
        if attribute.findtext("input_type", "") in _CHOSEN
    }
    return Label(entry.findtext("name", ""), values)
