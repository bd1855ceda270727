"""Nodes with children: each node is a mapping with a name and perhaps a list of children.

The name is under the key ``name``, ``label``, ``title``, ``text`` or ``id``, the same in every node; further keys with
texts or numbers become columns. A child that only has a name may be a plain text. ``level`` is the name of a node's
level if it skips some, and ``levels`` at the root lists all levels. A root without a name is synthetic, and so is the
root of a list of several nodes. ``further_parents`` holds the ids of a node's parents other than the one above it, with
``|`` between them, or as a list.

This is the form of d3, networkx (``tree_data``), anytree, bigtree and many tree components.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cladewise.errors import InputError, warn
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.documents.open_images import is_open_images
from cladewise.taxonomy.formats.documents.values import NodeTexts, Place, few, is_scalar, name_at, wrong_at
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.growing import Sprout, without_index_ids
from cladewise.taxonomy.formats.tables.level_order import level_order
from cladewise.taxonomy.formats.tables.node_table import further_ids, unique_ids
from cladewise.taxonomy.further_edges import COLUMN
from cladewise.taxonomy.names.columns import join_names, split_names
from cladewise.taxonomy.tree import Taxonomy

KEYS = ("name", "children", "level", "levels", COLUMN)
NAME_KEYS = ("name", "label", "title", "text", "labelname", "node_name", "id", "tag", "key", "value")
ADVICE = 'Pass name="..." if names are under another key.'
CHILD_KEYS = ("children", "child", "subclasses", "subcategories", "subcategory", "subtypes")


def _evidence(document: Any) -> str | None:
    tops = [node for node in (document if isinstance(document, list) else [document]) if isinstance(node, dict)]
    if (
        not tops
        or is_open_images(document)
        or (isinstance(document, list) and not all(isinstance(n, dict) or is_scalar(n) for n in document))
    ):
        return None
    found = child_keys(tops)
    if len(found) != 1 or not any(isinstance(node.get(found[0]), list) or "name" in node for node in tops):
        return None
    lists = [node[found[0]] for node in tops if isinstance(node.get(found[0]), list)]
    first = [child for children in lists for child in children if isinstance(child, dict)]
    named = any(key.lower() in NAME_KEYS for node in [*tops, *first[:1]] for key in node)
    return f"{found[0]!r} next to a name" if named else None


CHILDREN = Form[Any]("children", 'nodes with children ({"name": "fruit", "children": [...]})', _evidence)


def child_keys(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys that could contain the children: known names with a list or null as value."""
    found = (
        k for node in nodes for k, v in node.items() if k.lower() in CHILD_KEYS and (v is None or isinstance(v, list))
    )
    return list(dict.fromkeys(found))


def read_children(document: Any, source: str, name: str | None = None) -> Taxonomy:
    """Build a tree from nodes with children.

    Args:
        document: The root, or a list of nodes.
        source: Name of the document in messages.
        name: The key of the names. Defaults to the first known one that the nodes have.

    Raises:
        InputError: A node has no name, or a level that ``levels`` does not list.
    """
    tops = document if isinstance(document, list) else [document]
    (below,) = child_keys([node for node in tops if isinstance(node, dict)])
    many = isinstance(document, list) and len(document) > 1
    root: Any = {below: document} if many else tops[0]
    start = None if many or root is document else Place(0)
    nodes = list(_walk(root, below, start, source, forest=many))
    key = _name_key([(node, place) for _, node, place in nodes if isinstance(node, dict)], source, name)
    tree = Sprout(name_at(root[key], Place(key, start), source) if key in root else "")
    columns = NodeTexts()
    levels: dict[int, str] = {}
    for node, (above, content, place) in enumerate(nodes):
        if not isinstance(content, dict):
            tree.add(above, name_at(content, place or Place(""), source))
            continue
        if node:
            tree.add(above, name_at(content[key], Place(key, place), source))
        if node and content.get("level") is not None:
            levels[node] = name_at(content["level"], Place("level", place), source)
        listed = content.get(COLUMN)
        if isinstance(listed, list):
            place_of = Place(COLUMN, place)
            ids = [name_at(parent, Place(position, place_of), source) for position, parent in enumerate(listed)]
            content = {**content, COLUMN: join_names(ids)}
        columns.keep(node, content, but=(key, below, "level", "levels"))
    kept = columns.finished(len(nodes), source)
    _drop_parents(kept, tree)
    level, level_names = _levels(root.get("levels"), levels, tree, source)
    further = _further_parents(kept, source)
    grown = tree.grown(source, level=level, level_names=level_names, columns=kept, further_parents=further)
    return without_index_ids(grown) if further else grown


def children_from_taxonomy(taxonomy: Taxonomy, *, plain_levels: bool) -> dict[str, Any]:
    """The tree as nodes with children, without loss.

    Raises:
        InputError: A further column has the name of a key of the form, or there are further parents and ids repeat.
    """
    taken = [name for name in taxonomy.columns if name in KEYS]
    if taken:
        raise InputError(f"further columns with other names than {', '.join(KEYS)}", some(taken))
    names: list[str] = taxonomy.names.tolist()
    columns: dict[str, list[str]] = {key: texts.tolist() for key, texts in taxonomy.columns.items()}
    if taxonomy.has_further_parents:
        columns = {"id": unique_ids(taxonomy), **columns}
        columns[COLUMN] = further_ids(taxonomy, columns["id"])
    level, parents = taxonomy.level.tolist(), taxonomy.parents.tolist()
    nodes: list[dict[str, Any]] = [{"name": name} for name in names]
    for node, content in enumerate(nodes):
        if node == 0 and not plain_levels:
            content["levels"] = list(taxonomy.level_names)
        elif node and level[node] != level[parents[node]] + 1:
            content["level"] = taxonomy.level_names[level[node] - 1]
        # the root has every column, so that blank ones are kept too
        content.update({key: texts[node] for key, texts in columns.items() if texts[node] or node == 0})
        if taxonomy.num_children[node]:
            content["children"] = [nodes[v] for v in taxonomy.children(node).tolist()]
    if taxonomy.synthetic_root:
        nodes[0]["name"] = ""
    nodes[0].setdefault("children", [])
    return nodes[0]


def _walk(
    root: Mapping[str, Any], below: str, start: Place | None, source: str, *, forest: bool
) -> Iterator[tuple[int, Any, Place | None]]:
    """Every node in the order of numbering, with its parent's number and its place."""
    yield -1, root, start
    waiting: list[tuple[int, Any, Place | None]] = [(0, root, start)]
    count = 1
    while waiting:
        node, content, place = waiting.pop()
        children = content.get(below)
        others = [key for key in child_keys([content]) if key != below and content[key]]
        if others:
            got = f"some under {others[0]!r} in {place or '/'}"
            raise InputError(f"children under {below!r} alone", got, at=source)
        inside = place if forest and node == 0 else Place(below, place)
        if children is None or children == "":
            continue
        if not isinstance(children, list):
            raise wrong_at("a list of children", children, inside, source)
        for position, child in enumerate(children):
            here = Place(position, inside)
            if not isinstance(child, dict) and not is_scalar(child):
                raise wrong_at("a node or a name", child, here, source)
            yield node, child, here
            if isinstance(child, dict):
                waiting.append((count, child, here))
            count += 1


def _name_key(nodes: Sequence[tuple[Mapping[str, Any], Place | None]], source: str, chosen: str | None = None) -> str:
    """The key of the names: the first known one of any node, which then every node must have.

    Only a root may lack it, if it has no other name key except an id.
    """
    (root, _), *below = nodes
    present = dict.fromkeys(key for node, _ in below or nodes for key in node if key.lower() in NAME_KEYS)
    key = chosen or min(present, key=lambda key: NAME_KEYS.index(key.lower()), default="name")
    nameless = not any(key.lower() in NAME_KEYS and key.lower() != "id" for key in root)
    for node, place in below if nameless and below else nodes:
        if key not in node:
            got = f"one with {few(node)}" if node else "one with nothing in it"
            raise InputError(f"{key!r} in every node", f"{got} in {place or '/'}", at=source, advice=ADVICE)
    return key


def _drop_parents(columns: dict[str, list[str]], tree: Sprout) -> None:
    """Drop a column ``parent`` that only repeats the parents' names or ids."""
    for known in (tree.names, columns.get("id", [])):
        texts = columns.get("parent")
        if texts and known and all(not text or known[tree.parents[v]] == text for v, text in enumerate(texts) if v):
            del columns["parent"]


def _further_parents(columns: dict[str, list[str]], source: str) -> list[tuple[int, int]]:
    """Pairs of a node and a further parent, found by id; takes them out of the columns.

    Raises:
        InputError: A further parent is the id of no node, or of several.
    """
    cells = columns.pop(COLUMN, [])
    nodes_by_id: dict[str, list[int]] = {}
    for node, text in enumerate(columns.get("id", [])):
        nodes_by_id.setdefault(text, []).append(node)
    found: list[tuple[int, int]] = []
    for node, cell in enumerate(cells):
        for parent in split_names(cell):
            nodes = nodes_by_id.get(parent, [])
            if len(nodes) != 1:
                whose = "the id of several nodes" if nodes else "the id of no node"
                raise InputError(f"ids of nodes in {COLUMN!r}", f"{parent!r}, {whose}", at=source)
            found.append((node, nodes[0]))
    return found


def _levels(
    listed: Any, levels: Mapping[int, str], tree: Sprout, source: str
) -> tuple[list[int] | None, list[str] | None]:
    """Level of every node and the names of the levels."""
    if not isinstance(listed, list):
        return _levels_by_order(levels, tree, source)
    names = [name_at(name, Place(position, Place("levels")), source) for position, name in enumerate(listed)]
    rank = {name: position for position, name in enumerate(names, start=1)}
    level = [0]
    for node in range(1, len(tree.names)):
        chosen = rank.get(levels[node], -1) if node in levels else level[tree.parents[node]] + 1
        if chosen < 0:
            raise InputError(f"a level among {some(names)}", f"{levels[node]!r} of {tree.path(node)!r}", at=source)
        level.append(chosen)
    return level, names


def _levels_by_order(levels: Mapping[int, str], tree: Sprout, source: str) -> tuple[list[int] | None, list[str] | None]:
    """Levels of a file that names one at every node but does not list them."""
    if not levels:
        return None, None
    texts = np.array([levels.get(node, "") for node in range(len(tree.names))], dtype=np.dtypes.StringDType())
    order = level_order(np.array(tree.parents), texts, 0)
    if order is None:
        warn("Levels that nest in both orders or are missing in some nodes, left out", at=source)
        return None, None
    rank = {name: position for position, name in enumerate(order, start=1)}
    return [0, *(rank[levels[node]] for node in range(1, len(tree.names)))], order
