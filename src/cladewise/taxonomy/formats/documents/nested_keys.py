"""Nodes by name: a name is a key whose value is a mapping with the node's children and further texts.

treelib writes ``{"fruit": {"children": ["apple", {"pear": {"children": [...]}}]}}``, with ``data`` alongside children,
and bigtree ``{"fruit": {"children": {"apple": {}}}}``, or ``{"/fruit": {}, "/fruit/apple": {}}`` with paths for keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.documents.values import NodeTexts, Place, is_scalar, name_at, wrong_at
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.tree import Taxonomy

NAME_KEYS = ("name", "label", "title", "text")


def _keyed(document: Any) -> str | None:
    if not isinstance(document, dict) or len(document) != 1:
        return None
    ((_, content),) = document.items()
    if not isinstance(content, dict) or not content.keys().isdisjoint(NAME_KEYS):
        return None
    inside = content.get("children")
    return "'children' under a name" if isinstance(inside, dict | list) else None


def _paths(document: Any) -> str | None:
    if not isinstance(document, dict) or not document:
        return None
    paths = all(key.startswith("/") and isinstance(value, dict | None) for key, value in document.items())
    return "paths for keys" if paths else None


KEYED = Form[Any]("keyed", 'nodes by name ({"fruit": {"children": [...]}})', _keyed)
PATHS = Form[Any]("paths", 'nodes by path ({"/fruit/apple": {}})', _paths)


def read_keyed(document: Any, source: str) -> Taxonomy:
    """Build a tree from nodes by name.

    Raises:
        InputError: A value is neither a name nor a node.
    """
    ((root, inside),) = document.items()
    tree, columns = Sprout(str(root)), NodeTexts()
    waiting: list[tuple[int, Any, Place]] = [(0, inside, Place(root))]
    while waiting:
        node, content, place = waiting.pop()
        if content is None:
            continue
        if not isinstance(content, dict):
            raise wrong_at("a mapping with children", content, place, source)
        _keep(columns, node, content)
        children = Place("children", place)
        for name, below, here in _children(content.get("children"), children, source):
            waiting.append((tree.add(node, name), below, here))
    return tree.grown(source, columns=columns.finished(len(tree.names), source))


def read_paths(document: Mapping[str, Any], source: str) -> Taxonomy:
    """Build a tree from nodes by path.

    Raises:
        InputError: The parent of a path is missing.
    """
    tops = [path for path in document if path.rfind("/") == 0]
    tree, columns = Sprout("" if len(tops) != 1 else tops[0][1:]), NodeTexts()
    nodes = {"": 0} if len(tops) != 1 else {"": -1, tops[0]: 0}
    for path, content in sorted(document.items(), key=lambda item: item[0].count("/")):
        above, _, name = path.rpartition("/")
        if above not in nodes:
            raise InputError("the parent of every path to be a path too", repr(path), at=source)
        if path not in nodes:
            nodes[path] = tree.add(nodes[above], name)
        content = content or {}
        _keep(columns, nodes[path], {k: v for k, v in content.items() if k != "name" or v != name})
    return tree.grown(source, columns=columns.finished(len(tree.names), source))


def _children(below: Any, place: Place, source: str) -> Iterator[tuple[str, Any, Place]]:
    if isinstance(below, dict):
        yield from ((name, content, Place(name, place)) for name, content in below.items())
        return
    if not isinstance(below, list | None):
        raise wrong_at("a list or mapping of children", below, place, source)
    for position, item in enumerate(below or []):
        here = Place(position, place)
        if isinstance(item, dict) and len(item) == 1:
            ((name, content),) = item.items()
            yield name, content, Place(name, here)
        elif is_scalar(item):
            yield name_at(item, here, source), None, here
        else:
            raise wrong_at("a name, or a mapping with one name", item, here, source)


def _keep(columns: NodeTexts, node: int, content: Mapping[str, Any]) -> None:
    columns.keep(node, content, but=("children", "data"))
    data = content.get("data")
    columns.keep(node, data if isinstance(data, dict) else {"data": data})
