"""JSON lines: one value per line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import read_text


def json_lines(path: Path) -> list[Any]:
    """The values of JSON lines.

    Raises:
        InputError: A line is not JSON.

    Example:
        >>> path = getfixture("tmp_path") / "scores.jsonl"
        >>> _ = path.write_text('{"a": 1}\\n\\n{"a": 2}\\n')
        >>> json_lines(path)
        [{'a': 1}, {'a': 2}]
    """
    found: list[Any] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError("a JSON value in every line", error.msg, at=f"{path}:{number}") from error
    return found
