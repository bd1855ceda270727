"""The class hierarchy of Open Images: ``bbox_labels_600_hierarchy.json``, whose classes may have several parents.

Each class has its machine id (MID) in ``LabelName``, kinds of it under ``Subcategory`` and parts of it under ``Part``,
which have kinds themselves. A part is no kind of its whole: a guitar is no musician. So a class that is mentioned as a
part alone is placed below the root, and the column ``part_of`` has the MIDs of the wholes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cladewise.errors import warn
from cladewise.taxonomy.checks.problems import placed_at
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.documents.values import Place, name_at, wrong_at
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.names.columns import ID, join_names
from cladewise.taxonomy.tree import Taxonomy

_NAME, _KINDS, _PARTS = "LabelName", "Subcategory", "Part"
_DESCRIPTIONS = ("*class-descriptions-boxable*.csv", "*class-descriptions*.csv")
_ROOT = {"/m/0bl9f": "Entity"}
"""The root, which the table of boxable classes lacks."""
PART_OF = "part_of"
"""Column with the MIDs of the classes that a class is a part of."""


def is_open_images(document: Any) -> bool:
    """Whether a document is the root of Open Images' hierarchy.

    Example:
        >>> is_open_images({"LabelName": "/m/0bl9f", "Subcategory": []}), is_open_images({"name": "Entity"})
        (True, False)
    """
    return isinstance(document, dict) and _NAME in document and not {_KINDS, _PARTS}.isdisjoint(document)


OPEN_IMAGES = Form[Any](
    "open-images",
    "Open Images' hierarchy",
    lambda document: f"{_NAME!r} next to {_KINDS!r}" if is_open_images(document) else None,
)


def read_open_images(document: Any, source: str, options: ReadOptions) -> Taxonomy:
    """Build a tree from Open Images' hierarchy, with names from a table of class descriptions in the same folder.

    Raises:
        InputError: A class has several parents, unless ``parents`` says which to keep, or the document is damaged.
    """
    root = name_at(document[_NAME], Place(_NAME), source)
    edges: dict[tuple[str, str], None] = {}
    wholes: dict[str, dict[str, None]] = {}
    mentioned: dict[str, None] = {root: None}
    for above, below, is_part in _walk(document, source):
        mentioned[below] = None
        if is_part:
            wholes.setdefault(below, {})[above] = None
        else:
            edges[above, below] = None
    placed = {below for _, below in edges}
    loose = [(root, mid) for mid in mentioned if mid != root and mid not in placed]
    names = _names(source, list(mentioned))
    with placed_at(source):
        tree = Taxonomy.from_edges([*edges, *loose], direction="parent-child", names=names, parents=options.parents)
    if not wholes:
        return tree
    parts = [join_names(wholes.get(mid, ())) for mid in tree.columns[ID].tolist()]
    return tree.with_columns({**tree.columns, PART_OF: parts})


def _walk(document: Any, source: str) -> Iterator[tuple[str, str, bool]]:
    """Every class below another one: MIDs of both, and whether it is a part."""
    waiting: list[tuple[Any, Place | None]] = [(document, None)]
    while waiting:
        node, place = waiting.pop()
        mid = name_at(node[_NAME], Place(_NAME, place), source)
        inside: list[tuple[Any, Place | None]] = []
        for key in (_KINDS, _PARTS):
            listed = node.get(key) or []
            if not isinstance(listed, list):
                raise wrong_at("a list of classes", listed, Place(key, place), source)
            for position, child in enumerate(listed):
                here = Place(position, Place(key, place))
                if not isinstance(child, dict) or _NAME not in child:
                    raise wrong_at(f"a class with a {_NAME}", child, here, source)
                yield mid, name_at(child[_NAME], Place(_NAME, here), source), key == _PARTS
                inside.append((child, here))
        waiting += inside[::-1]


def _names(source: str, mids: list[str]) -> dict[str, str]:
    """Display name of each class from tables beside the file; its MID where they have none, with a warning."""
    folder = Path(source).parent
    found = dict[str, str]()
    for table in dict.fromkeys(file for pattern in _DESCRIPTIONS for file in sorted(folder.glob(pattern))):
        for row in csv.reader(read_text(table).splitlines()):
            if len(row) >= 2:
                found.setdefault(row[0], row[1])
    found = _ROOT | found
    lacking = [mid for mid in mids if mid not in found]
    if lacking:
        text = f"{len(lacking)} of {len(mids)} classes have no name but their MID, such as {lacking[0]}"
        warn(text, at=source, advice="Put class-descriptions-boxable.csv into the same folder.")
    return {mid: found.get(mid, mid) for mid in mids}
