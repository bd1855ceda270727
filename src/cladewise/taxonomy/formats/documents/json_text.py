"""JSON files parsed without changing what they say: numbers as written, and no key twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.documents.values import Plain, shown, too_deep

MAX_BYTES = 2**27
LINES = (".jsonl", ".ndjson")
Kept = Callable[[dict[str, Any]], Any]


def read_json_document(path: Path, *, limit: int = MAX_BYTES, kept: Kept | None = None) -> Any:
    """The content of a JSON file with numbers as written; a list of the lines of one called ``.jsonl`` or ``.ndjson``.

    Args:
        path: The file.
        limit: Most bytes to read.
        kept: Called with each object as soon as it is read, to keep something else in its place.

    Raises:
        InputError: The text is not JSON, or a key repeats in an object.
    """
    text = read_text(path, limit=limit)
    if any(suffix.lower() in LINES for suffix in path.suffixes[-2:]):
        lines = enumerate(text.split("\n"), start=1)
        return [_parsed(line, path, kept, number) for number, line in lines if line.strip()]
    return _parsed(text, path, kept)


def _parsed(text: str, path: Path, kept: Kept | None, line: int = 1) -> Any:
    def once(items: Iterable[tuple[str, Any]]) -> Any:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                raise InputError("each name once in an object", f"{shown(key)} twice", at=str(path))
            found[key] = value
        return found if kept is None else kept(found)

    def no_number(word: str) -> Any:
        raise InputError("JSON", f"{word}, which JSON does not have", at=str(path))

    try:
        # numbers stay as written, however long
        return json.loads(text, object_pairs_hook=once, parse_int=Plain, parse_float=Plain, parse_constant=no_number)
    except json.JSONDecodeError as error:
        lines = "If it has one record per line, call it .jsonl." if error.msg == "Extra data" else ""
        at = f"{path}:{error.lineno + line - 1}"
        raise InputError("JSON", f"an error: {error.msg.removesuffix(' at')}", at=at, advice=lines) from error
    except RecursionError as error:
        raise too_deep(path) from error
