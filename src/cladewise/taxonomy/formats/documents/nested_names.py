"""Names in names: a key is a name, its value the children: a mapping, a list, a single name, or null.

A single key at the top is the root, several get a synthetic root; a single blank key is a synthetic root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cladewise.taxonomy.formats.documents.values import Place, Plain, is_scalar, shown
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.formats.tables.column_names import IMAGE_FILE
from cladewise.taxonomy.tree import Taxonomy

LONGEST_NAME = 200
FILE = re.compile(rf"{IMAGE_FILE}|\S\.(?:md|rst|html?|ya?ml|json|csv|txt|py|ipynb)$")
FIELDS = frozenset(
    """
    _id annotations attributes attrs categories child child_ids children classes columns count created data definition
    depth description directed edges elements features fields format graph id idx ids images index info items key keys
    label labels level levels licenses links mappings meta metadata msg name names nc nodes num_classes parent parent_id
    parent_ids parentid parents path paths properties rank records result results root_id schema size source status
    subcategories subcategory subclasses supercategory synonyms tag tags target taxonomy test text title type
    uri url uuid val value values version
    """.split()  # noqa: SIM905  (a list would take a line for each)
)
"""Keys that are typical fields of records, not names."""


def hindrance(document: Any) -> str | None:
    """Reason why a document is not names in names; None if it is.

    Names in names are recognised by what is absent: fields of records, numbers, addresses, counting keys, texts under
    the same key in several places, and names that are listed in one place and defined in another.

    Example:
        >>> hindrance({"fruit": {"apple": ["fuji", "gala"], "pear": None}, "fish": "salmon"})
        >>> hindrance({"bird": {"latin": "Aves", "young": None}, "moth": {"latin": "Lepidoptera", "young": None}})
        "a text under 'latin' a second time in /moth/latin"
    """
    if not isinstance(document, dict | list) or not document:
        return "nothing in it"
    waiting: list[tuple[Any, Place | None]] = [(document, None)]
    with_texts: set[str] = set()
    while waiting:
        inside, place = waiting.pop()
        wrong = _in_list(inside, place) if isinstance(inside, list) else _in_mapping(inside, place, with_texts)
        if wrong is not None:
            return wrong
        entries = enumerate(inside) if isinstance(inside, list) else inside.items()
        waiting += [(below, Place(key, place)) for key, below in entries if isinstance(below, dict | list)][::-1]
    return _adjacency(document)


NAMES = Form[Any](
    "names",
    'names in names ({"fruit": ["apple"]})',
    lambda document: "names in names" if hindrance(document) is None else None,
)


def read_names(document: Any, source: str) -> Taxonomy:
    """Build a tree from names in names.

    Raises:
        InputError: A name is blank.
    """
    inside = document
    root = ""
    if isinstance(document, dict) and len(document) == 1:
        ((root, inside),) = document.items()
    tree = Sprout(str(root))
    waiting: list[tuple[int, Any]] = [(0, inside)]
    while waiting:
        node, inside = waiting.pop()
        waiting += [(tree.add(node, name), below) for name, below in _entries(inside)]
    return tree.grown(source)


def names_from_taxonomy(taxonomy: Taxonomy) -> dict[str, Any] | list[Any] | None:
    """The tree as names in names; None if names repeat under one node, which the form cannot represent."""
    names: list[str] = taxonomy.names.tolist()
    if len(set(zip(taxonomy.parents.tolist(), names, strict=True))) < taxonomy.num_nodes:
        return None
    flat = taxonomy.height <= 1  # only leaves below, so a list suffices
    inside: list[Any] = [None] * taxonomy.num_nodes
    for node in range(taxonomy.num_nodes - 1, -1, -1):
        below = taxonomy.children(node).tolist()
        if below:
            inside[node] = [names[v] for v in below] if flat[node] else {names[v]: inside[v] for v in below}
    if taxonomy.synthetic_root and taxonomy.num_children[0] > 1:
        return inside[0]
    return {"" if taxonomy.synthetic_root else names[0]: inside[0]}


def _entries(inside: Any) -> Iterator[tuple[str, Any]]:
    """Names under one node, each with its own children."""
    if isinstance(inside, dict):
        yield from ((str(name), below) for name, below in inside.items())
    elif isinstance(inside, list):
        for item in inside:
            if isinstance(item, dict):
                yield from ((str(name), below) for name, below in item.items())
            else:
                yield str(item), None
    elif inside is not None and inside != "":
        yield str(inside), None


def _in_list(inside: list[Any], place: Place | None) -> str | None:
    for position, item in enumerate(inside):
        if isinstance(item, list) or not (isinstance(item, dict) or is_scalar(item)) or _no_name(item):
            return f"{shown(item)} in {Place(position, place)}"
    return None


def _in_mapping(inside: Mapping[str, Any], place: Place | None, with_texts: set[str]) -> str | None:
    at = f" in {place}" if place else ""
    field = next((key for key in inside if key.lower() in FIELDS or key.startswith(("@", "$"))), None)
    if field is not None:
        return f"the key {field!r}{at}"
    if inside and all(key.isdecimal() and len(key) < 10 for key in inside):
        numbers = sorted(int(key) for key in inside)
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] < 2:
            return f"keys that count from {numbers[0]}{at}"
    texts = [value for value in inside.values() if isinstance(value, str) and value]
    if len(texts) == len(inside) and (len(texts) > 1 or place is None):
        return f"a text for every key{at}, which could be the parent as well as the child"
    if len(set(texts)) < len(texts):
        return f"the same text for several keys{at}, which could be the parent as well as the child"
    for key, value in inside.items():
        if _no_name(key):
            return f"the key {shown(key)}{at}"
        if isinstance(value, dict | list) or value is None or value == "":
            continue
        if not isinstance(value, str) or isinstance(value, Plain) or _no_name(value):
            return f"{shown(value)} in {Place(key, place)}"
        if key in with_texts:
            return f"a text under {key!r} a second time in {Place(key, place)}"
        with_texts.add(key)
    return None


def _no_name(value: Any) -> bool:
    """Whether a text cannot be the name of a class: an address, a path, a file or a long passage."""
    if not isinstance(value, str):
        return False
    return "://" in value or len(value) > LONGEST_NAME or value[:1] == "/" or FILE.search(value) is not None


def _adjacency(document: Any) -> str | None:
    """Detect adjacency lists: ``{"food": ["fruit"], "fruit": ["apple"]}`` would have ``fruit`` twice."""
    if not isinstance(document, dict) or not all(isinstance(below, list) for below in document.values()):
        return None
    for key, below in document.items():
        for name in below:
            if isinstance(name, str) and name != key and name in document:
                return f"{name!r} both as a key and under {key!r}"
    return None
