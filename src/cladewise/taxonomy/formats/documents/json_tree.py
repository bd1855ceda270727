"""JSON files that hold a tree."""

from __future__ import annotations

import json
import re
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import GIBIBYTE
from cladewise.taxonomy.formats.documents.coco_categories import without_annotations
from cladewise.taxonomy.formats.documents.json_text import LINES, read_json_document
from cladewise.taxonomy.formats.documents.nesting import nested_from_taxonomy, taxonomy_from_nested
from cladewise.taxonomy.formats.kinds import beginning_of
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.tree import Taxonomy

MAX_ANNOTATIONS = 4 * GIBIBYTE
"""Most bytes of an annotation file, of which only the categories are kept."""
_ANNOTATIONS = re.compile(r'\A\s*\{[\s\S]*"(?:images|annotations|categories)"\s*:\s*\[\s*\{')


def read_json_tree(path: Path, options: ReadOptions = PLAIN) -> Taxonomy:
    """Read a tree from JSON, in any form of :mod:`cladewise.taxonomy.formats.documents.nesting`.

    A file called ``.jsonl`` or ``.ndjson`` has one record per line.

    Raises:
        InputError: The text is not JSON, a key repeats in an object, or the document is not a tree.
    """
    if _ANNOTATIONS.search(beginning_of(path)):
        document = read_json_document(path, limit=MAX_ANNOTATIONS, kept=without_annotations)
    else:
        document = read_json_document(path)
    return taxonomy_from_nested(document, source=str(path), options=options)


def write_json_tree(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as nested JSON: names in names if that is lossless, otherwise nodes with children.

    Raises:
        InputError: The tree is too deep to nest, or the file is called as one with a record per line.
    """
    if path.suffix.lower() in LINES:
        got = f"{path.name!r}, as files with one record per line are called"
        raise InputError("a name for one JSON document", got, advice="Call the file .json.")
    write_text(path, json.dumps(nested_from_taxonomy(taxonomy), indent=2, ensure_ascii=False) + "\n")
