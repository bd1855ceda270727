"""Graphs and records in JSON and YAML, which are converted to tables.

*Graphs* have a list of ``nodes`` and one of ``edges`` (or ``links``) with ``source`` and ``target``: networkx's
``node_link_data``, Cytoscape's elements. *Records* are a list of flat mappings, each with its parent.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.documents.coco_categories import records_of
from cladewise.taxonomy.formats.documents.nested_children import child_keys
from cladewise.taxonomy.formats.documents.values import Place, is_scalar, name_at, wrong_at
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.table import from_frame
from cladewise.taxonomy.formats.tabular import taxonomy_from_table
from cladewise.taxonomy.tree import Taxonomy

NAMES = ("name", "label", "title")
Records = Sequence[Mapping[str, Any]]


def _parts(document: Any) -> tuple[Any, Any]:
    """Nodes and edges of a graph, or None."""
    if not isinstance(document, dict):
        return None, None
    inside = document.get("elements")
    if isinstance(inside, dict):  # Cytoscape wraps every record
        nodes, edges = inside.get("nodes"), inside.get("edges")
        return _unwrapped(nodes), _unwrapped(edges)
    return document.get("nodes"), document.get("edges", document.get("links"))


def _unwrapped(records: Any) -> Any:
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return records
    return [record.get("data", record) for record in records]


def _are(records: Any, *keys: str) -> bool:
    """Whether a value is a list of mappings that all have some keys."""
    return isinstance(records, list) and all(
        isinstance(record, dict) and all(key in record for key in keys) for record in records
    )


def _graph(document: Any) -> str | None:
    nodes, edges = _parts(document)
    found = bool(nodes) and _are(nodes, "id") and _are(edges, "source", "target")
    return "'nodes' next to edges of 'source' and 'target'" if found else None


def _parent_keys(document: Any) -> list[str]:
    if not isinstance(document, list) or not _are(document) or child_keys(document):
        return []
    keys = list(dict.fromkeys(key for record in document for key in record if key.lower().startswith("parent")))
    # a tool that lists attributes has ids of parents for other things, and blank ones for labels
    blank = all(record.get(key) is None for record in document for key in keys)
    return [] if blank and any(isinstance(record.get("attributes"), list) for record in document) else keys


def _records(document: Any) -> str | None:
    if records_of(document) is not None:
        return None
    keys = _parent_keys(document)
    if keys:
        return f"{keys[0]!r} in a list of records"
    return "records that are the rows of a table" if _rows(document) else None


def _rows(document: Any) -> bool:
    """Whether a value is a list of table rows: flat records of several values, all with the same keys."""
    if not isinstance(document, list) or not document or not _are(document) or len(document[0]) < 2:
        return False
    values = (value for record in document for value in record.values())
    return all(record.keys() == document[0].keys() for record in document) and all(
        value is None or is_scalar(value) for value in values
    )


GRAPH = Form[Any]("graph", "a graph of nodes and edges", _graph)
RECORDS = Form[Any]("records", "records with their parents or levels", _records)


def read_graph(document: Any, source: str, options: ReadOptions) -> Taxonomy:
    """Build a tree from a directed graph, edges from parent to child.

    Raises:
        InputError: The graph is not marked as directed, or is not a tree.
    """
    nodes, edges = _parts(document)
    if document.get("directed") is not True and str(document.get("directed")) != "true":
        got = "an undirected graph" if "directed" in document else "one that does not say whether it is directed"
        advice = 'If its edges go from parent to child, add "directed": true.'
        raise InputError("a directed graph", got, at=source, advice=advice)
    ids = [name_at(node["id"], Place("id", Place(n, Place("nodes"))), source) for n, node in enumerate(nodes)]
    twice = [node for node, count in Counter(ids).items() if count > 1]
    if twice:
        raise InputError("a unique id for every node", some(twice), at=source)
    parents: dict[str, list[str]] = {node: [] for node in ids}
    for position, edge in enumerate(edges):
        place = Place(position, Place("edges"))
        child = name_at(edge["target"], Place("target", place), source)
        above = name_at(edge["source"], Place("source", place), source)
        if child not in parents or above not in parents:
            wrong = child if child not in parents else above
            raise wrong_at("edges between nodes of the file", wrong, place, source)
        parents[child].append(above)
    key = next((key for key in NAMES if all(is_scalar(node.get(key)) for node in nodes)), "id")
    rows = [
        {"id": node, "parent": above, "name": str(content[key])}
        | {k: v for k, v in content.items() if k not in ("id", "parent", "level", key)}
        for node, content in zip(ids, nodes, strict=True)
        for above in parents[node] or [""]
    ]
    tree = _from_rows(rows, source, dataclasses.replace(options, format="edges"))
    if any(row["id"] != row["name"] for row in rows):
        return tree
    return tree.with_columns({key: texts for key, texts in tree.columns.items() if key != "id"})


def read_records(document: Records, source: str, options: ReadOptions) -> Taxonomy:
    """Build a tree from records, read as the rows of a table; a list of parents is a row for each.

    Raises:
        InputError: A record contains a list or mapping, or the records are not a tree.
    """
    for position, record in enumerate(document):
        lists = (key for key, value in record.items() if isinstance(value, dict | list) and value)
        nested = next((key for key in lists if not _lists_parents(key, record[key])), None)
        if nested is not None:
            raise wrong_at("a text or number", record[nested], Place(nested, Place(position)), source)
    form = "edges" if _parent_keys(document) else None
    rows = [row for record in document for row in _per_parent(record)]
    return _from_rows(rows, source, dataclasses.replace(options, format=form))


def _lists_parents(key: str, value: Any) -> bool:
    return key.lower().startswith("parent") and isinstance(value, list) and bool(value) and all(map(is_scalar, value))


def _per_parent(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The record, or one for each parent if a list holds them."""
    for key, value in record.items():
        if _lists_parents(key, value):
            return [{**record, key: parent} for parent in value]
    return [record]


def _from_rows(rows: Records, source: str, options: ReadOptions) -> Taxonomy:
    fields = dict.fromkeys(key for row in rows for key in row)
    columns = {key: [_text(row.get(key)) for row in rows] for key in fields}
    try:
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    except UnicodeEncodeError as error:
        raise InputError("Unicode text", "half of a surrogate pair", at=source) from error
    return taxonomy_from_table(from_frame(frame, source=f"{source}, record"), options)


def _text(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)
