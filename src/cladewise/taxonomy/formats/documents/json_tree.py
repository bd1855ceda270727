"""JSON files that hold a tree."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text
from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.documents.nesting import nested_from_taxonomy, taxonomy_from_nested
from cladewise.taxonomy.formats.documents.values import Plain, shown, too_deep
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.tree import Taxonomy

MAX_BYTES = 2**27
LINES = (".jsonl", ".ndjson")


def read_json_tree(path: Path, options: ReadOptions = PLAIN) -> Taxonomy:
    """Read a tree from JSON, in any form of :mod:`cladewise.taxonomy.formats.documents.nesting`.

    A file called ``.jsonl`` or ``.ndjson`` has one record per line.

    Raises:
        InputError: The text is not JSON, a key repeats in an object, or the document is not a tree.
    """
    text = read_text(path, limit=MAX_BYTES)
    if any(suffix.lower() in LINES for suffix in path.suffixes[-2:]):
        lines = enumerate(text.split("\n"), start=1)
        document: Any = [_parsed(line, path, number) for number, line in lines if line.strip()]
    else:
        document = _parsed(text, path)
    return taxonomy_from_nested(document, source=str(path), options=options)


def write_json_tree(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as nested JSON: names in names if that is lossless, otherwise nodes with children.

    Raises:
        InputError: The tree is too deep to nest.
    """
    write_text(path, json.dumps(nested_from_taxonomy(taxonomy), indent=2, ensure_ascii=False) + "\n")


def _parsed(text: str, path: Path, line: int = 1) -> Any:
    def once(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                raise InputError("each name once in an object", f"{shown(key)} twice", at=str(path))
            found[key] = value
        return found

    def no_number(word: str) -> Any:
        raise InputError("JSON", f"{word}, which JSON does not have", at=str(path))

    try:
        # numbers stay as written, however long
        return json.loads(text, object_pairs_hook=once, parse_int=Plain, parse_float=Plain, parse_constant=no_number)
    except json.JSONDecodeError as error:
        lines = "If it has one record per line, call it .jsonl." if error.msg == "Extra data" else ""
        at = f"{path}:{error.lineno + line - 1}"
        raise InputError("JSON", f"an error: {error.msg}", at=at, advice=lines) from error
    except RecursionError as error:
        raise too_deep(path) from error
