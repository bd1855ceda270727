"""Datumaro, and what Geti and OpenVINO Training Extensions (OTX) make of it: labels with parents and groups.

Labels have different names and name their parent. Groups of labels say which exclude each other: an image has one label
of an ``exclusive`` group, any number of an ``inclusive`` one, and at most one of a ``restricted`` one. OTX trains one
softmax per exclusive group, and a sigmoid per label that is alone in its group. A tree whose labels at the same place
exclude each other has one group per node with children. Groups that say something else are kept in the column
``group``, with their types in ``group_type`` unless all are exclusive; a label in several groups has their names with
``|`` between.

Four documents are read: Datumaro's JSON; Geti's ``project.json``, with a group and a parent for each label, and
``label_schema.json``, with labels by id; and OTX's label information with ``label_tree_edges`` from child to parent.
Datumaro's JSON is also written. Since it needs different names, a name
in several branches is written with its path (``Fruit/Apple`` below ``Fruit``), which is undone when it is read.

Format: https://github.com/openvinotoolkit/datumaro.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text
from cladewise.catalogue import nearest
from cladewise.errors import InputError, warn
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.documents.json_text import read_json_document
from cladewise.taxonomy.formats.documents.values import Place, is_scalar, name_at, shown, wrong_at
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.labelling.label_tree import label_tree, refuse_cycles
from cladewise.taxonomy.formats.losses import tell_losses
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.names.columns import ID, join_names, split_names
from cladewise.taxonomy.names.paths import path_steps, path_text
from cladewise.taxonomy.tree import Taxonomy

EXCLUSIVE, TYPES = "exclusive", ("exclusive", "inclusive", "restricted", "empty_label")
GROUP, GROUP_TYPE, ATTRIBUTES = "group", "group_type", "attributes"


@dataclasses.dataclass(frozen=True)
class Group:
    """Labels of which an image can have one, or several, as its type says."""

    name: str
    labels: tuple[str, ...]
    kind: str = EXCLUSIVE


@dataclasses.dataclass(frozen=True)
class Labels:
    """Labels of a project: names, the parent's name or a blank, further texts, groups."""

    names: list[str]
    parents: list[str]
    columns: dict[str, list[str]]
    groups: list[Group]


def _labels_of(document: Any) -> Any:
    """The label categories of a Datumaro document, or None."""
    categories = document.get("categories") if isinstance(document, dict) else None
    return categories.get("label") if isinstance(categories, dict) else None


def _evidence(document: Any) -> str | None:
    found = _labels_of(document)
    if isinstance(found, dict) and isinstance(found.get("labels"), list):
        return "'labels' of 'label' in its categories"
    if isinstance(document, dict) and isinstance(document.get("label_tree_edges"), list):
        return "'label_tree_edges'"
    if isinstance(document, dict) and isinstance(document.get("label_tree"), dict) and "all_labels" in document:
        return "'label_tree' next to 'all_labels'"
    return "'labels' of the tasks of a 'pipeline'" if _tasks_of(document) else None


def _tasks_of(document: Any) -> list[Any]:
    """The tasks with labels of a Geti project."""
    pipeline = document.get("pipeline") if isinstance(document, dict) else None
    tasks = pipeline.get("tasks") if isinstance(pipeline, dict) else None
    return [t for t in tasks if isinstance(t, dict) and t.get("labels")] if isinstance(tasks, list) else []


DATUMARO = Form[Any]("datumaro", "labels of Datumaro, Geti or OTX with their groups", _evidence)


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the labels of a JSON file.

    Raises:
        InputError: The file has no labels in a known place, or they are not a tree.
    """
    document = read_json_document(path)
    if _evidence(document) is None:
        raise InputError("labels of Datumaro, Geti or OTX", f"{shown(document)} without them", at=str(path))
    return read_labels(document, str(path), options)


def read_labels(document: Any, source: str, options: ReadOptions) -> Taxonomy:
    """Build a tree from a document in one of the forms.

    Raises:
        InputError: Two labels have one name, a parent is not a label, a group lists a label that does not exist, or
            labels are their own ancestors.
    """
    return tree_of(labels_of(document, source), source, orphans_at_top=options.roots == "join")


def labels_of(document: Any, source: str) -> Labels:
    """The labels of a document in one of the forms."""
    if _labels_of(document) is not None:
        return _from_datumaro(_labels_of(document), source)
    if "label_tree_edges" in document:
        return _from_otx(document, source)
    return _from_project(document, source) if _tasks_of(document) else _from_schema(document, source)


def tree_of(labels: Labels, source: str, *, orphans_at_top: bool = False) -> Taxonomy:
    """The tree of some labels.

    Args:
        labels: The labels.
        source: The file, for messages.
        orphans_at_top: Put labels whose parent does not exist at the top, with a warning.

    Raises:
        InputError: The labels are not a tree; see :func:`read_labels`.
    """
    names, groups = labels.names, labels.groups
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError("a different name for every label", f"{some(twice)} twice", at=source)
    position = {name: k for k, name in enumerate(names)}
    orphans = [name for name, above in zip(names, labels.parents, strict=True) if above and above not in position]
    if orphans:
        above = labels.parents[position[orphans[0]]]
        text = f"{len(orphans)} with another, such as {orphans[0]!r} below {above!r}"
        if not orphans_at_top:
            advice = 'Name the parent as it is called now, or pass roots="join" to put these labels at the top.'
            raise InputError("a parent that is a label", text, at=source, advice=advice)
        warn(f"labels put at the top, since their parent is no label: {text}", at=source)
    unknown = [(group.name, name) for group in groups for name in group.labels if name not in position]
    again = [name for name, count in Counter(group.name for group in groups if group.name).items() if count > 1]
    if again:
        raise InputError("a different name for every group", f"{some(again)} twice", at=source)
    if unknown:
        got = f"{len(unknown)} that are not, such as {unknown[0][1]!r} in the group {unknown[0][0]!r}"
        raise InputError("groups of labels", got, at=source)
    parents = [position.get(above, -1) for above in labels.parents]
    refuse_cycles(names, parents, source)
    columns = {**labels.columns, **_group_columns(labels, position, parents, source)}
    return label_tree([path[-1] for path in _paths(names, parents)], parents, source, columns)


def only_groups(labels: Labels, groups: Sequence[str], source: str) -> Labels:
    """The labels of some groups, with those below them and above them.

    Raises:
        InputError: There is no such group.
    """
    by_name = {group.name: group for group in labels.groups}
    unknown = [name for name in groups if name not in by_name]
    if unknown:
        known = ", ".join(by_name) or "there are none"
        raise InputError(f"groups of labels: {known}", some(unknown), at=source, advice=nearest(unknown[0], by_name))
    above = dict(zip(labels.names, labels.parents, strict=True))
    chosen = {name for group in groups for name in by_name[group].labels}
    kept: set[str] = set()
    for name in labels.names:
        path = [name]
        while (parent := above.get(path[-1], "")) and parent not in path:
            path.append(parent)
        within = [place for place, step in enumerate(path) if step in chosen]
        kept.update(path if within and within[0] == 0 else path[: within[0]] if within else ())
    rows = [row for row, name in enumerate(labels.names) if name in kept]
    return Labels(
        [labels.names[row] for row in rows],
        [labels.parents[row] for row in rows],
        {key: [texts[row] for row in rows] for key, texts in labels.columns.items()},
        [
            dataclasses.replace(group, labels=tuple(n for n in group.labels if n in kept))
            for group in labels.groups
            if kept.intersection(group.labels)
        ],
    )


def nodes_of(taxonomy: Taxonomy, labels: Labels) -> dict[str, int]:
    """The node of every label in the tree of the labels."""
    by_path = {taxonomy.path_names(node): node for node in range(taxonomy.num_nodes)}
    position = {name: k for k, name in enumerate(labels.names)}
    parents = [position.get(above, -1) for above in labels.parents]
    return {name: by_path[path] for name, path in zip(labels.names, _paths(labels.names, parents), strict=True)}


def label_names(taxonomy: Taxonomy, source: str = "") -> list[str]:
    """A different name for every node: its name, or its path if another node has that name; blank for a synthetic root.

    Raises:
        InputError: A name is also the path of another node.

    Example:
        >>> label_names(Taxonomy.from_paths([("fruit", "apple"), ("juice", "apple"), ("juice", "pear")]))
        ['', 'fruit', 'fruit/apple', 'juice', 'juice/apple', 'pear']
    """
    first = 1 if taxonomy.synthetic_root else 0
    plain: list[str] = taxonomy.names.tolist()
    counts = Counter(plain)

    def label(node: int) -> str:
        name = plain[node]
        path = taxonomy.path_names(node)
        if len(path) < 2:
            return name
        like_a_path = "/" in name and path_steps(name)[:-1] == path[:-1]
        return path_text(path) if counts[name] > 1 or like_a_path else name

    names = ["" if node < first else label(node) for node in range(taxonomy.num_nodes)]
    taken = Counter(names)
    names = [
        path_text(taxonomy.path_names(node)) if taken[name] > 1 and taxonomy.depth[node] > first else name
        for node, name in enumerate(names)
    ]
    again = [name for name, count in Counter(names).items() if count > 1]
    if again:
        raise InputError("a name for each label", f"{some(again)} for several", at=source)
    return names


def categories_of(taxonomy: Taxonomy, source: str) -> dict[str, Any]:
    """The tree as Datumaro's ``categories``: labels with parents, and groups.

    Columns other than those of groups and attributes, and levels, are lost, with a warning.
    """
    tell_losses(taxonomy, source, columns=(GROUP, GROUP_TYPE, ATTRIBUTES))
    names = label_names(taxonomy, source)
    first = 1 if taxonomy.synthetic_root else 0
    attributes = taxonomy.columns.get(ATTRIBUTES)
    labels = [
        {
            "name": names[node],
            "parent": names[int(taxonomy.parents[node])] if taxonomy.parents[node] >= first else "",
            "attributes": split_names(str(attributes[node])) if attributes is not None else [],
        }
        for node in range(first, taxonomy.num_nodes)
    ]
    groups = [
        {"name": group.name, "group_type": group.kind, "labels": list(group.labels)}
        for group in _groups_of(taxonomy, names, source)
    ]
    return {"label": {"labels": labels, "label_groups": groups, "attributes": []}}


def document_of(taxonomy: Taxonomy, items: Sequence[Mapping[str, Any]], source: str) -> dict[str, Any]:
    """A document of Datumaro with labels and items."""
    return {
        "dm_format_version": "1.0",
        "media_type": 2,  # images
        "infos": {},
        "categories": categories_of(taxonomy, source),
        "items": list(items),
    }


def write(taxonomy: Taxonomy, path: Path) -> None:
    """Write the tree as a Datumaro document without images.

    Raises:
        InputError: A name is also the path of another node.
    """
    write_text(path, json.dumps(document_of(taxonomy, (), str(path)), indent=2, ensure_ascii=False) + "\n")


# ---------------------------------------------------------------- the three forms


def _from_datumaro(found: Any, source: str) -> Labels:
    place = Place("label", Place("categories"))
    entries = found.get("labels") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise wrong_at("labels", found, place, source)
    names: list[str] = []
    parents: list[str] = []
    attributes: list[str] = []
    for number, entry in enumerate(entries):
        here = Place(number, Place("labels", place))
        if not isinstance(entry, dict):
            raise wrong_at("a label with its name", entry, here, source)
        names.append(name_at(entry.get("name"), Place("name", here), source))
        parents.append("" if entry.get("parent") is None else name_at(entry["parent"], Place("parent", here), source))
        attributes.append(join_names(str(text) for text in entry.get("attributes") or ()))
    groups = [
        Group(
            str(g.get("name", "")), tuple(map(str, g.get("labels") or ())), str(g.get("group_type", EXCLUSIVE)).lower()
        )
        for g in found.get("label_groups") or ()
    ]
    return Labels(names, parents, {ATTRIBUTES: attributes}, groups)


def _from_otx(document: dict[str, Any], source: str) -> Labels:
    edges = [
        (str(child), str(parent)) for child, parent in _pairs(document["label_tree_edges"], "label_tree_edges", source)
    ]
    listed = document.get("label_names") or dict.fromkeys(name for edge in edges for name in edge)
    names = [name_at(name, Place(k, Place("label_names")), source) for k, name in enumerate(listed)]
    groups = document.get("label_groups") or document.get("all_groups") or []
    named = [Group("", tuple(map(str, group))) for group in groups]
    return Labels(names, _parents(names, edges, source), {}, named)


def _from_project(document: dict[str, Any], source: str) -> Labels:
    entries = [entry for task in _tasks_of(document) for entry in task["labels"] if isinstance(entry, dict)]
    empty = [str(entry.get("name")) for entry in entries if entry.get("is_empty")]
    if empty:
        warn(f"labels for images without any, left out: {some(empty)}", at=source)
    kept = [entry for entry in entries if not entry.get("is_empty")]
    names = [
        name_at(entry.get("name"), Place("name", Place(k, Place("labels"))), source) for k, entry in enumerate(kept)
    ]
    name_by_id = {str(entry["id"]): name for entry, name in zip(kept, names, strict=True) if entry.get("id")}
    above = [str(entry.get("parent_id") or "") for entry in kept]
    groups: dict[str, list[str]] = {}
    for entry, name in zip(kept, names, strict=True):
        groups.setdefault(str(entry.get("group") or ""), []).append(name)
    return Labels(
        names,
        [name_by_id.get(parent, parent) for parent in above],  # a name in exports, an id on the server
        {ID: [str(entry.get("id") or "") for entry in kept]},
        [Group(group, tuple(members)) for group, members in groups.items() if group],
    )


def _from_schema(document: dict[str, Any], source: str) -> Labels:
    labels: dict[str, Any] = document["all_labels"]
    empty = [key for key, label in labels.items() if label.get("is_empty")]
    if empty:
        warn(
            f"labels for images without any, left out: {some([str(labels[key].get('name')) for key in empty])}",
            at=source,
        )
    kept = [key for key in labels if key not in empty]
    name = {
        key: name_at(labels[key].get("name"), Place("name", Place(key, Place("all_labels"))), source) for key in kept
    }
    edges = _pairs(document["label_tree"].get("edges", []), "label_tree", source)
    groups = [
        Group(
            str(group.get("name", "")),
            tuple(name[str(key)] for key in group.get("label_ids", ()) if str(key) in name),
            str(group.get("relation_type", EXCLUSIVE)).lower(),
        )
        for group in document.get("label_groups") or ()
    ]
    between = [(name.get(str(child), str(child)), name.get(str(parent), str(parent))) for child, parent in edges]
    names = list(name.values())
    return Labels(names, _parents(names, between, source), {ID: kept}, [group for group in groups if group.labels])


def _pairs(edges: Any, key: str, source: str) -> list[tuple[Any, Any]]:
    if not isinstance(edges, list) or not all(isinstance(edge, list) and len(edge) >= 2 for edge in edges):
        raise wrong_at("edges from child to parent", edges, Place(key), source)
    return [(edge[0], edge[1]) for edge in edges if is_scalar(edge[0]) and is_scalar(edge[1])]


def _parents(names: Sequence[str], edges: Sequence[tuple[str, str]], source: str) -> list[str]:
    above: dict[str, str] = {}
    for child, parent in edges:
        if above.setdefault(child, parent) != parent:
            raise InputError("one parent for each label", f"{above[child]!r} and {parent!r} above {child!r}", at=source)
    unknown = sorted(set(above).difference(names))
    if unknown:
        raise InputError("edges between labels", f"{some(unknown)}, which are none", at=source)
    return [above.get(name, "") for name in names]


# ---------------------------------------------------------------- names and groups


def _paths(names: Sequence[str], parents: Sequence[int]) -> list[tuple[str, ...]]:
    """Path of every label; a name that is the label's whole path stands for its last step."""
    undone = _paths_by(names, parents, undo=True)
    return undone if len(set(undone)) == len(undone) else _paths_by(names, parents, undo=False)


def _paths_by(names: Sequence[str], parents: Sequence[int], *, undo: bool) -> list[tuple[str, ...]]:
    paths: dict[int, tuple[str, ...]] = {-1: ()}
    for label in range(len(names)):
        waiting: list[int] = []
        while label not in paths:
            waiting.append(label)
            label = parents[label]
        for below in reversed(waiting):
            above, name = paths[parents[below]], names[below]
            if undo and above and "/" in name and (steps := path_steps(name))[:-1] == above and steps[-1]:
                name = steps[-1]
            paths[below] = (*above, name)
    return [paths[label] for label in range(len(names))]


def _top(names: Sequence[str]) -> str:
    """Name of the group of the labels at the top, which no label has."""
    name = "top"
    while name in names:
        name += "_"
    return name


def _children(names: Sequence[str], parents: Sequence[int]) -> dict[frozenset[str], int]:
    """The parent of each set of siblings, -1 at the top."""
    below: dict[int, list[str]] = {}
    for name, parent in zip(names, parents, strict=True):
        below.setdefault(parent, []).append(name)
    return {frozenset(siblings): parent for parent, siblings in below.items()}


def _group_columns(
    labels: Labels, position: Mapping[str, int], parents: Sequence[int], source: str
) -> dict[str, list[str]]:
    """Columns of groups; none if the groups are those that follow from the tree."""
    siblings = _children(labels.names, parents)
    said: set[int] = set()
    for group in labels.groups:
        parent = siblings.get(frozenset(group.labels)) if group.kind == EXCLUSIVE else None
        if parent is None or group.name not in ("", _top(labels.names) if parent < 0 else labels.names[parent]):
            break
        said.add(parent)
    else:
        if not labels.groups or said == set(siblings.values()):
            return {}
    texts: list[list[str]] = [[] for _ in labels.names]
    kinds: list[list[str]] = [[] for _ in labels.names]
    for number, group in enumerate(labels.groups, start=1):
        for name in group.labels:
            texts[position[name]].append(group.name or f"group {number}")
            kinds[position[name]].append(group.kind)
    if any(not group.labels for group in labels.groups):
        warn("groups without labels, left out", at=source)
    columns = {GROUP: [join_names(part) for part in texts]}
    if any(group.kind != EXCLUSIVE for group in labels.groups):
        columns[GROUP_TYPE] = ["|".join(part) for part in kinds]
    return columns


def _groups_of(taxonomy: Taxonomy, names: Sequence[str], source: str) -> list[Group]:
    """Groups in the column of a tree, otherwise one group per node with children."""
    first = 1 if taxonomy.synthetic_root else 0
    if GROUP not in taxonomy.columns:
        found: dict[int, list[str]] = {}
        for node in range(first, taxonomy.num_nodes):
            parent = int(taxonomy.parents[node])
            found.setdefault(parent if parent >= first else -1, []).append(names[node])
        return [Group(_top(names) if parent < 0 else names[parent], tuple(below)) for parent, below in found.items()]
    kinds = taxonomy.columns.get(GROUP_TYPE)
    members: dict[str, list[str]] = {}
    kind_of: dict[str, str] = {}
    alone: list[str] = []
    for node in range(first, taxonomy.num_nodes):
        groups = split_names(str(taxonomy.columns[GROUP][node]))
        types = split_names(str(kinds[node])) if kinds is not None else []
        for number, group in enumerate(groups):
            members.setdefault(group, []).append(names[node])
            kind = types[number] if number < len(types) else types[0] if types else EXCLUSIVE
            if kind_of.setdefault(group, kind) != kind:
                raise InputError("one type for each group", f"{kind_of[group]} and {kind} for {group!r}", at=source)
        if not groups:
            alone.append(names[node])
    if alone:
        text = f"labels in no group, for which OTX has no output: {some(alone)}"
        warn(text, at=source, advice="Drop the column group to have one group per node with children.")
    return [Group(name, tuple(labels), kind_of[name]) for name, labels in members.items()]
