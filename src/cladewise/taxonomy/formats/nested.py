"""Nested mappings and lists, the content of JSON and YAML files, in two forms.

*Mappings*: a key is a name, its value what lies under it: a mapping, a list of names, one name, or nothing. One key at
the top is the root, several get a synthetic root; a blank key alone at the top stands for a synthetic root.

*Children*: each node is a mapping with ``name``, perhaps ``children``, and perhaps ``level``, the name of its level
where it skips some; further keys with texts or numbers are columns. ``levels`` at the root lists the names of the
levels. A root without a name is synthetic.
"""

from __future__ import annotations

from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.problems import some
from cladewise.taxonomy.tree import Taxonomy

KEYS = ("name", "children", "level", "levels")
MAX_DEPTH = 150  # parsers and writers of JSON and YAML recurse, several calls a level

Nested = dict[str, Any] | list[Any]


def taxonomy_from_nested(document: Any, *, source: str = "the document") -> Taxonomy:
    """Build a tree from either form; see the module's text.

    Raises:
        InputError: Something is neither a name nor a nesting of names.

    Example:
        >>> taxonomy_from_nested({"fruit": {"apple": ["fuji", "gala"], "pear": None}}).names.tolist()
        ['fruit', 'apple', 'fuji', 'gala', 'pear']
        >>> taxonomy_from_nested({"name": "fruit", "children": [{"name": "apple"}]}).names.tolist()
        ['fruit', 'apple']
    """
    if not isinstance(document, dict | list) or not document:
        got = "nothing" if document is None else f"{document!r:.40}"
        raise InputError("a mapping of names", got, at=source)
    if isinstance(document, dict) and _is_node_list(document.get("children")):
        return _from_children(document, source)
    return _from_mapping(document, source)


def nested_from_taxonomy(taxonomy: Taxonomy) -> Nested:
    """The form of mappings where it can hold all that the tree has, else the form of children.

    Mappings hold no repeated names under one node, no named levels, no holes and no further columns.

    Raises:
        InputError: The tree is too deep to nest, or a further column is called like a key of the form.

    Example:
        >>> nested_from_taxonomy(Taxonomy.from_paths([("fruit", "apple"), ("fruit", "pear"), ("fish",)]))
        {'fruit': ['apple', 'pear'], 'fish': None}
    """
    if taxonomy.max_depth > MAX_DEPTH:
        raise InputError(
            f"a tree at most {MAX_DEPTH} deep", f"depth {taxonomy.max_depth}", advice="Write the node table instead."
        )
    return _to_mapping(taxonomy) if _fits_mapping(taxonomy) else _to_children(taxonomy)


def _is_node_list(below: Any) -> bool:
    return isinstance(below, list) and all(isinstance(node, dict) and "name" in node for node in below)


def _from_mapping(document: Nested, source: str) -> Taxonomy:
    inside: Any = document
    root = ""
    if isinstance(document, dict) and len(document) == 1:
        ((root, inside),) = document.items()
    tree = Sprout(root)
    waiting: list[tuple[int, Any]] = [(0, inside)]
    while waiting:
        node, inside = waiting.pop()
        for name, below in _entries(inside, tree, node, source):
            waiting.append((tree.add(node, name), below))
    return tree.grown(source)


def _entries(inside: Any, tree: Sprout, node: int, source: str) -> list[tuple[str, Any]]:
    """Names under one node, each with what lies under it in turn."""
    if inside is None or inside == "":
        return []
    if isinstance(inside, dict):
        return [(str(name), below) for name, below in inside.items()]
    entries: list[tuple[str, Any]] = []
    for item in inside if isinstance(inside, list) else [inside]:
        if isinstance(item, dict):
            entries += [(str(name), below) for name, below in item.items()]
        elif isinstance(item, str | int | float) and not isinstance(item, bool):
            entries.append((str(item), None))
        else:
            raise InputError(
                "names, or mappings of names", f"{item!r:.40} under {tree.path(node) or 'the root'}", at=source
            )
    return entries


def _from_children(document: dict[str, Any], source: str) -> Taxonomy:
    listed = document.get("levels")
    rank = {name: position for position, name in enumerate(listed or [], start=1)}
    tree = Sprout(str(document.get("name") or ""))
    level = [0]
    columns: dict[str, list[str]] = {}
    _keep_texts(columns, document, 1)
    waiting: list[tuple[int, dict[str, Any]]] = [(0, document)]
    while waiting:
        node, inside = waiting.pop()
        below = inside.get("children") or []
        if not _is_node_list(below):
            raise InputError("children that each have a name", f"{below!r:.40}", at=f"{source}, {tree.path(node)}")
        for child in below:
            waiting.append((tree.add(node, str(child["name"])), child))
            level.append(level[node] + 1 if child.get("level") is None else rank.get(child["level"], -1))
            if level[-1] < 0:
                raise InputError(
                    f"a level among {some(list(rank)) or 'levels listed at the root'}",
                    repr(child["level"]),
                    at=f"{source}, {tree.path(len(level) - 1)}",
                )
            _keep_texts(columns, child, len(level))
    for values in columns.values():
        values += [""] * (len(level) - len(values))
    return tree.grown(source, level=level, level_names=listed, columns=columns)


def _keep_texts(columns: dict[str, list[str]], node: dict[str, Any], count: int) -> None:
    """Append the texts of node number ``count`` to their columns; blanks for the nodes before that had none."""
    for key, value in node.items():
        if key not in KEYS and isinstance(value, str | int | float):
            values = columns.setdefault(key, [])
            values += [""] * (count - 1 - len(values)) + [str(value)]


def _plain_levels(taxonomy: Taxonomy) -> bool:
    default = tuple(f"level_{k}" for k in range(1, taxonomy.max_depth + 1))
    return taxonomy.level_names == default and bool((taxonomy.level == taxonomy.depth).all())


def _fits_mapping(taxonomy: Taxonomy) -> bool:
    names: list[str] = taxonomy.names.tolist()
    distinct = set(zip(taxonomy.parents.tolist(), names, strict=True))
    return not taxonomy.columns and _plain_levels(taxonomy) and len(distinct) == taxonomy.num_nodes


def _to_mapping(taxonomy: Taxonomy) -> Nested:
    names: list[str] = taxonomy.names.tolist()
    flat = taxonomy.height <= 1  # only leaves below: a list will do
    inside: list[Any] = [None] * taxonomy.num_nodes
    for node in range(taxonomy.num_nodes - 1, -1, -1):
        below = taxonomy.children(node).tolist()
        if below:
            inside[node] = [names[v] for v in below] if flat[node] else {names[v]: inside[v] for v in below}
    if taxonomy.synthetic_root and taxonomy.num_children[0] > 1:
        return inside[0]
    return {"" if taxonomy.synthetic_root else names[0]: inside[0]}


def _to_children(taxonomy: Taxonomy) -> Nested:
    taken = [name for name in taxonomy.columns if name in KEYS]
    if taken:
        raise InputError(f"further columns with other names than {', '.join(KEYS)}", some(taken))
    plain = _plain_levels(taxonomy)
    names: list[str] = taxonomy.names.tolist()
    columns: dict[str, list[str]] = {key: texts.tolist() for key, texts in taxonomy.columns.items()}
    level, parents = taxonomy.level.tolist(), taxonomy.parents.tolist()
    nodes: list[dict[str, Any]] = [{"name": name} for name in names]
    for node, content in enumerate(nodes):
        if node == 0 and not plain:
            content["levels"] = list(taxonomy.level_names)
        elif node and level[node] != level[parents[node]] + 1:
            content["level"] = taxonomy.level_names[level[node] - 1]
        # the root names every column, so that those without any text come back too
        content.update({key: texts[node] for key, texts in columns.items() if texts[node] or node == 0})
        if taxonomy.num_children[node]:
            content["children"] = [nodes[v] for v in taxonomy.children(node).tolist()]
    if taxonomy.synthetic_root:
        nodes[0]["name"] = ""
    nodes[0].setdefault("children", [])
    return nodes[0]
