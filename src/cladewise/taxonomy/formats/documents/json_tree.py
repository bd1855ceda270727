"""JSON files that hold a tree."""

from __future__ import annotations

import json
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.taxonomy.formats.documents.json_text import read_json_document
from cladewise.taxonomy.formats.documents.nesting import nested_from_taxonomy, taxonomy_from_nested
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.tree import Taxonomy


def read_json_tree(path: Path, options: ReadOptions = PLAIN) -> Taxonomy:
    """Read a tree from JSON, in any form of :mod:`cladewise.taxonomy.formats.documents.nesting`.

    A file called ``.jsonl`` or ``.ndjson`` has one record per line.

    Raises:
        InputError: The text is not JSON, a key repeats in an object, or the document is not a tree.
    """
    return taxonomy_from_nested(read_json_document(path), source=str(path), options=options)


def write_json_tree(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as nested JSON: names in names if that is lossless, otherwise nodes with children.

    Raises:
        InputError: The tree is too deep to nest.
    """
    write_text(path, json.dumps(nested_from_taxonomy(taxonomy), indent=2, ensure_ascii=False) + "\n")
