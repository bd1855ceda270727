"""COCO ``categories`` as trees.

Format: https://cocodataset.org/#format-data. A category has an ``id``, a ``name`` and a ``supercategory``. Data sets
extend it: iNaturalist with the ranks ``kingdom`` to ``genus`` and a ``common_name``, others with supercategories that
are categories themselves or with the id or name of a ``parent``, LVIS with a ``synset``, ``synonyms`` and a ``def``.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import IntArray
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.documents.values import NodeTexts, Place, few, is_scalar, name_at
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.formats.tables.edge_list import MARKS_FOR_NONE, WORDS_FOR_NONE
from cladewise.taxonomy.further_edges import COLUMN as FURTHER
from cladewise.taxonomy.names.columns import ID, SYNONYMS, join_names, vernacular_column
from cladewise.taxonomy.names.paths import path_text
from cladewise.taxonomy.order import cycle_text, cycles, preorder
from cladewise.taxonomy.tree import Taxonomy

RANKS = ("domain", "kingdom", "phylum", "class", "order", "family", "subfamily", "tribe", "genus")
_SUPERCATEGORY, _PARENT, _LEVEL, _LEVELS = "supercategory", "parent", "level", "levels"
_PARENT_KEYS = (_PARENT, "parent_id", "parent_category_id")
_DRAWING = ("keypoints", "skeleton", "color", "keypoints_colors")
"""Keys with lists that only say how to draw a category."""
_COLUMNS = {"common_name": vernacular_column("en"), "def": "description"}
"""Columns for texts that have another key in these files."""
Records = Sequence[Mapping[str, Any]]


def records_of(document: Any) -> Records | None:
    """The categories of a COCO file, or of a file of categories alone; None if a document has none.

    Example:
        >>> records_of({"categories": [{"name": "wren"}]}), records_of([{"id": 1, "name": "wren"}])
        ([{'name': 'wren'}], None)
    """
    records: Any = document.get("categories") if isinstance(document, dict) else document
    if not isinstance(records, list) or not all(isinstance(record, dict) and "name" in record for record in records):
        return None
    alone = isinstance(document, list) and not all({ID, _SUPERCATEGORY} <= record.keys() for record in records)
    return None if alone or not records else records


def without_annotations(entry: dict[str, Any]) -> dict[str, Any] | None:
    """An object of an annotation file, or nothing for an annotation or an image, of which there may be millions.

    Example:
        >>> without_annotations({"id": 1, "image_id": 7, "bbox": []}), without_annotations({"id": 1, "name": "wren"})
        (None, {'id': 1, 'name': 'wren'})
    """
    is_image = "id" in entry and ("file_name" in entry or "coco_url" in entry)
    return None if "image_id" in entry or is_image else entry


def _evidence(document: Any) -> str | None:
    if records_of(document) is None:
        return None
    return "'categories' with names" if isinstance(document, dict) else f"records with a {_SUPERCATEGORY!r}"


CATEGORIES = Form[Any]("categories", "COCO categories with ranks, supercategories or parents", _evidence)


def read_categories(document: Any, source: str) -> Taxonomy:
    """Build a tree from COCO categories; see :func:`tree_of_categories`.

    Raises:
        InputError: Nothing says how the categories are grouped, or they are not a tree.
    """
    records = records_of(document)
    assert records is not None  # the form's evidence
    if _grouping(records) is None:
        has_synsets = any(is_scalar(record.get("synset")) for record in records)
        raise InputError(
            f"categories with a {_SUPERCATEGORY} or {_PARENT}, or keys such as {', '.join(RANKS[1:])}",
            f"COCO categories with {few(records[0])}",
            at=source,
            advice="Read WordNet's folder with ids= this file for the tree of their synsets."
            if has_synsets
            else "Write their tree as a table: one row per category, one column per level.",
        )
    return tree_of_categories(records, source, level_names=_listed_levels(document)).taxonomy


@dataclasses.dataclass(frozen=True)
class Categories:
    """Categories as nodes of a tree.

    Attributes:
        taxonomy: The tree.
        nodes: Node of every category, in the order of the file.
    """

    taxonomy: Taxonomy
    nodes: IntArray


@dataclasses.dataclass(frozen=True)
class _Placed:
    """Nodes of the categories and of the groups above them; the first nodes are those of the categories.

    Attributes:
        parents: Parent of every node, -1 at the top.
        names: Name of every node.
        keys: Keys of the categories that the places follow from, which are no columns.
        levels: Level of every node; None for the depth.
        level_names: Names of the levels.
        has_root: Whether one of the nodes is the root of the tree, instead of a synthetic one above all.
        further: Pairs of a node and a further parent.
    """

    parents: list[int]
    names: list[str]
    keys: Sequence[str]
    levels: list[int] | None = None
    level_names: Sequence[str] | None = None
    has_root: bool = False
    further: Sequence[tuple[int, int]] = ()


def tree_of_categories(records: Records, source: str, *, level_names: Sequence[str] = ()) -> Categories:
    """The tree of COCO categories, and the node of each.

    Every category is a node of its own with its ``id``, even if its name repeats. It is placed below its ``parent``, an
    id or a name; otherwise, if two or more of its keys are ranks, below the taxa that they name; otherwise below its
    ``supercategory``, which may be a category itself, and is ``none`` or blank at the top. Categories without any of
    these are below the root.

    Args:
        records: The categories.
        source: The file, for messages.
        level_names: Names of all levels, if categories with parents have a ``level`` each.

    Raises:
        InputError: An id repeats, a parent is missing or ambiguous, or there is a cycle.

    Example:
        >>> categories = [{"id": 3, "name": "wren", "supercategory": "bird"}, {"id": 1, "name": "person"}]
        >>> found = tree_of_categories(categories, "here")
        >>> [found.taxonomy.path_name(node) for node in found.nodes.tolist()]
        ['bird/wren', 'person']
    """
    names = [name_at(record["name"], _place(n, "name"), source) for n, record in enumerate(records)]
    ids = _ids(records, source)
    match _grouping(records):
        case "parent":
            placed = _by_parent(records, ids, names, source, level_names)
        case "ranks":
            placed = _by_ranks(records, names)
        case _:
            placed = _by_supercategory(records, names, source)
    texts = NodeTexts()
    for node, record in enumerate(records):
        texts.keep(node, _columns(record), but=("name", ID, *_DRAWING, *placed.keys))
    columns = texts.finished(len(placed.names), source)
    if any(ids):
        columns = {ID: _all_ids(ids, placed), **columns}
    shift = 0 if placed.has_root else 1
    tree = Sprout()
    tree.parents = [-1] * shift + [parent + shift if shift or parent >= 0 else -1 for parent in placed.parents]
    tree.names = [""] * shift + placed.names
    grown = tree.grown(
        source,
        level=None if placed.levels is None else [0] * shift + placed.levels,
        level_names=placed.level_names,
        columns={key: [""] * shift + list(values) for key, values in columns.items()},
        further_parents=[(node + shift, above + shift) for node, above in placed.further],
    )
    position = np.empty(len(tree.parents), dtype=np.int64)
    position[preorder(np.asarray(tree.parents))] = np.arange(len(tree.parents))
    return Categories(grown, position[shift : shift + len(records)])


def _listed_levels(document: Any) -> Sequence[str]:
    listed = document.get(_LEVELS) if isinstance(document, dict) else None
    return [str(name) for name in listed] if isinstance(listed, list) else []


def _place(number: int, key: str) -> Place:
    return Place(key, Place(number, Place("categories")))


def _text(value: Any) -> str:
    return str(value).strip() if is_scalar(value) else ""


def _is_none(text: str) -> bool:
    return not text or text.lower() in WORDS_FOR_NONE


def _grouping(records: Records) -> str | None:
    """The keys that say where categories belong: ``parent``, ``ranks`` or ``supercategory``."""
    if any(_text(record.get(key)) or record.get(FURTHER) for record in records for key in _PARENT_KEYS):
        return "parent"
    if len(_ranks(records)) > 1:
        return "ranks"
    return "supercategory" if any(_text(record.get(_SUPERCATEGORY)) for record in records) else None


def _ranks(records: Records) -> list[str]:
    return [rank for rank in RANKS if any(_text(record.get(rank)) for record in records)]


def _ids(records: Records, source: str) -> list[str]:
    """Id of every category, blank where it has none.

    Raises:
        InputError: An id repeats.
    """
    ids = [_text(record.get(ID)) for record in records]
    twice = [identifier for identifier, count in Counter(ids).items() if identifier and count > 1]
    if twice:
        raise InputError("a different id for every category", some(twice), at=source)
    return ids


def _all_ids(ids: Sequence[str], placed: _Placed) -> list[str]:
    """Id of every node; that of a group is its path, since a table of nodes needs an id for each."""
    found = [*ids, *[""] * (len(placed.names) - len(ids))]
    taken = set(ids)
    for node in (node for node, identifier in enumerate(found) if not identifier):
        steps, above = list[str](), node
        while above >= 0:
            steps.append(placed.names[above])
            above = placed.parents[above]
        path = path_text(steps[::-1])
        while path in taken:
            path = f"/{path}"
        taken.add(path)
        found[node] = path
    return found


def _columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of a category under the names of columns."""
    found = {_COLUMNS.get(key, key): value for key, value in record.items()}
    if isinstance(found.get(SYNONYMS), list):
        others = [str(text) for text in found[SYNONYMS] if is_scalar(text) and str(text) != str(record["name"])]
        found[SYNONYMS] = join_names(others)
    return found


def _by_ranks(records: Records, names: list[str]) -> _Placed:
    """Categories below the taxa of their ranks; a category with the name of its finest taxon is that taxon."""
    ranks = _ranks(records)
    parents, names, levels = [-1] * len(names), list(names), [len(ranks) + 1] * len(names)
    taxa: dict[tuple[tuple[int, str], ...], int] = {}
    above: list[tuple[tuple[int, str], ...]] = []
    for node, record in enumerate(records):
        path = tuple((level, str(record[rank])) for level, rank in enumerate(ranks, 1) if _text(record.get(rank)))
        if path and path[-1][1] == names[node]:
            taxa.setdefault(path, node)
            levels[node], path = path[-1][0], path[:-1]
        above.append(path)
    for node, path in enumerate(above):
        below = node
        while path and path not in taxa:
            taxa[path] = len(names)
            parents[below] = below = len(names)
            parents.append(-1)
            names.append(path[-1][1])
            levels.append(path[-1][0])
            path = path[:-1]
        parents[below] = taxa[path] if path else -1
    return _Placed(parents, names, ranks, levels, [*ranks, "species"])


def _by_parent(
    records: Records, ids: Sequence[str], names: list[str], source: str, level_names: Sequence[str]
) -> _Placed:
    """Categories below their parents, which are ids if all of them are, otherwise names."""
    key = next((key for key in _PARENT_KEYS if any(_text(record.get(key)) for record in records)), _PARENT)
    texts = [_text(record.get(key)) for record in records]
    node_by_id = {identifier: node for node, identifier in enumerate(ids) if identifier}
    by_id = all(_no_parent(text, node_by_id) or text in node_by_id for text in texts)
    nodes: dict[str, list[int]] = {text: [node] for text, node in node_by_id.items()} if by_id else _by_name(names)
    parents: list[int] = []
    for node, text in enumerate(texts):
        found = nodes.get(text, [])
        if not found and not _no_parent(text, nodes):
            raise InputError("parents that are ids or names of categories", f"{text!r} of {names[node]!r}", at=source)
        parents.append(_only(found, text, names[node], source) if found else -1)
    further: list[tuple[int, int]] = []
    for node, record in enumerate(records):
        listed = record.get(FURTHER)
        for above in listed if isinstance(listed, list) else []:
            if _text(above) not in node_by_id:
                raise InputError(f"ids of categories in {FURTHER!r}", repr(_text(above)), at=source)
            further.append((node, node_by_id[_text(above)]))
    _check_cycles(parents, names, source)
    tops = [node for node, parent in enumerate(parents) if parent < 0]
    given = [_text(record.get(_LEVEL)) for record in records]
    order = {name: number for number, name in enumerate(level_names, start=1)}
    has_root = len(tops) == 1 and given[tops[0]] not in order
    if not order or any(text not in order for node, text in enumerate(given) if parents[node] >= 0 or not has_root):
        return _Placed(parents, names, [key, FURTHER], has_root=has_root, further=further)
    levels = [order.get(text, 0) for text in given]
    return _Placed(parents, names, [key, FURTHER, _LEVEL], levels, level_names, has_root, further)


def _by_supercategory(records: Records, names: list[str], source: str) -> _Placed:
    """Categories below their supercategories; a level each, unless supercategories are categories themselves."""
    texts = ["" if _is_none(text) else text for text in (_text(record.get(_SUPERCATEGORY)) for record in records)]
    named = _by_name(names)
    found = [_others(named.get(text, []), node, texts) for node, text in enumerate(texts)]
    is_own = [text == name for text, name in zip(texts, names, strict=True)]
    keys = [_SUPERCATEGORY]
    parents = [-1] * len(names)
    if not any(found) and all(text == "" or own for text, own in zip(texts, is_own, strict=True)):
        return _Placed(parents, names, keys)
    groups: dict[str, int] = {}
    is_chain = any(found)
    for node, text in enumerate(texts):
        if found[node]:
            parents[node] = _only(found[node], text, names[node], source)
        elif text and not (is_chain and is_own[node]):
            parents[node] = groups.setdefault(text, len(names) + len(groups))
    every = [*parents, *[-1] * len(groups)], [*names, *groups]
    if is_chain:
        _check_cycles(*every, source)
        return _Placed(*every, keys, has_root=every[0].count(-1) == 1)
    levels = [2] * len(names) + [1] * len(groups)
    return _Placed(*every, keys, levels, [_SUPERCATEGORY, "category"])


def _others(nodes: Sequence[int], node: int, texts: Sequence[str]) -> Sequence[int]:
    """The categories of a name apart from one; that at the top, as Roboflow writes for the project, if there is one."""
    others = [other for other in nodes if other != node]
    tops = [other for other in others if not texts[other]]
    return tops if len(tops) == 1 else others


def _by_name(names: Sequence[str]) -> dict[str, list[int]]:
    nodes: dict[str, list[int]] = {}
    for node, name in enumerate(names):
        nodes.setdefault(name, []).append(node)
    return nodes


def _no_parent(text: str, known: Collection[str]) -> bool:
    return text not in known and (_is_none(text) or text in MARKS_FOR_NONE)


def _only(nodes: Sequence[int], parent: str, name: str, source: str) -> int:
    if len(nodes) > 1:
        advice = f"Give each category the id of its {_PARENT}."
        got = f"{len(nodes)} called {parent!r}, the parent of {name!r}"
        raise InputError("one category of each parent's name", got, at=source, advice=advice)
    return nodes[0]


def _check_cycles(parents: Sequence[int], names: Sequence[str], source: str) -> None:
    found = cycles(np.asarray(parents, dtype=np.int64))
    if found:
        raise InputError("a tree", f"a cycle: {cycle_text([names[node] for node in found[0]])}", at=source)
