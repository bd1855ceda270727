"""Trees in parsed JSON and YAML documents, in all known forms.

Each form is a module: :mod:`~cladewise.taxonomy.formats.documents.nested_names` and
:mod:`~cladewise.taxonomy.formats.documents.nested_children`, which are also written,
:mod:`~cladewise.taxonomy.formats.documents.nested_keys`, :mod:`~cladewise.taxonomy.formats.documents.flat_records` and
:mod:`~cladewise.taxonomy.formats.documents.coco_categories`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.documents.coco_categories import CATEGORIES, read_categories
from cladewise.taxonomy.formats.documents.flat_records import (
    GRAPH,
    RECORDS,
    read_graph,
    read_records,
)
from cladewise.taxonomy.formats.documents.nested_children import CHILDREN, children_from_taxonomy, read_children
from cladewise.taxonomy.formats.documents.nested_keys import KEYED, PATHS, read_keyed, read_paths
from cladewise.taxonomy.formats.documents.nested_names import NAMES, hindrance, names_from_taxonomy, read_names
from cladewise.taxonomy.formats.documents.open_images import OPEN_IMAGES, read_open_images
from cladewise.taxonomy.formats.documents.plain_levels import has_plain_levels
from cladewise.taxonomy.formats.documents.values import few, shown
from cladewise.taxonomy.formats.evidence import Form, only_form
from cladewise.taxonomy.formats.labelling import cvat, datumaro
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.formats.synset_lists import CLASS_INDEX, refuse_class_index
from cladewise.taxonomy.tree import Taxonomy

MAX_DEPTH = 150  # parsers and writers of JSON and YAML recurse, several calls a level
ADVICE = 'If its keys are names, write each node as {"name": ..., "children": [...]}.'

READERS: dict[Form[Any], Callable[[Any, str, ReadOptions], Taxonomy]] = {
    NAMES: lambda document, source, _: read_names(document, source),
    CHILDREN: lambda document, source, options: read_children(document, source, options.name),
    KEYED: lambda document, source, _: read_keyed(document, source),
    PATHS: lambda document, source, _: read_paths(document, source),
    GRAPH: read_graph,
    RECORDS: read_records,
    CATEGORIES: lambda document, source, _: read_categories(document, source),
    OPEN_IMAGES: read_open_images,
    CLASS_INDEX: refuse_class_index,
    datumaro.DATUMARO: datumaro.read_labels,
    cvat.CVAT: cvat.read_labels,
}
"""Reader of each form."""


def taxonomy_from_nested(document: Any, *, source: str = "the document", options: ReadOptions = PLAIN) -> Taxonomy:
    """Build a tree from a document in the form detected from its content.

    Args:
        document: Mappings, lists, texts and numbers.
        source: Name of the document in messages.
        options: How to resolve several parents and several roots, if the form can have them.

    Raises:
        InputError: The document has no known form or several, or is not a tree of names.

    Example:
        >>> taxonomy_from_nested({"fruit": {"apple": ["fuji", "gala"], "pear": None}}).names.tolist()
        ['fruit', 'apple', 'fuji', 'gala', 'pear']
        >>> taxonomy_from_nested({"title": "fruit", "children": [{"title": "apple"}]}).names.tolist()
        ['fruit', 'apple']
    """
    form = only_form(document, list(READERS), saw=_described(document), source=source, advice=ADVICE)
    return READERS[form](document, source, options)


def nested_from_taxonomy(taxonomy: Taxonomy) -> dict[str, Any] | list[Any]:
    """Names in names if that form is lossless and unambiguous for the tree, otherwise nodes with children.

    Names in names cannot represent repeated names under a node, named levels, holes, further columns and further
    parents.

    Raises:
        InputError: The tree is too deep to nest, or a further column has the name of a key of the form.

    Example:
        >>> nested_from_taxonomy(Taxonomy.from_paths([("fruit", "apple"), ("fruit", "pear"), ("fish",)]))
        {'fruit': ['apple', 'pear'], 'fish': None}
    """
    if taxonomy.max_depth > MAX_DEPTH:
        raise InputError(
            f"a tree at most {MAX_DEPTH} deep", f"depth {taxonomy.max_depth}", advice="Write the node table instead."
        )
    plain = has_plain_levels(taxonomy)
    names = (
        names_from_taxonomy(taxonomy) if plain and not taxonomy.columns and not taxonomy.has_further_parents else None
    )
    shows = [form for form in READERS if names is not None and form.evidence(names) is not None]
    return names if names is not None and shows == [NAMES] else children_from_taxonomy(taxonomy, plain_levels=plain)


def _described(document: Any) -> str:
    if not isinstance(document, dict | list):
        return shown(document) if document is not None else "nothing"
    if not document:
        return f"{shown(document)} with nothing in it"
    first = document if isinstance(document, dict) else document[0]
    keys = f"with the keys {few(first)}" if isinstance(first, dict) else f"that begins with {shown(first)}"
    kind = "a mapping" if isinstance(document, dict) else "a list of mappings" if isinstance(first, dict) else "a list"
    return f"{kind} {keys} (not names in names, because of {hindrance(document) or 'nothing'})"
