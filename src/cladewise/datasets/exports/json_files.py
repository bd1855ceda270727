"""JSON of exports, which may hold millions of annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import GIBIBYTE, read_text

MAX_BYTES = 2 * GIBIBYTE


def read_json(path: Path) -> Any:
    """The content of a JSON file, plain or gzipped.

    Raises:
        InputError: The file cannot be read, is larger than 2 GiB, or is not JSON; the message names the line.

    Example:
        >>> path = getfixture("tmp_path") / "labels.json"
        >>> _ = path.write_text('{"items": [\\n')
        >>> read_json(path)
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected JSON, but got an error: Expecting value at ...labels.json:2.
    """
    try:
        return json.loads(read_text(path, limit=MAX_BYTES))
    except json.JSONDecodeError as error:
        raise InputError("JSON", f"an error: {error.msg}", at=f"{path}:{error.lineno}") from error
    except RecursionError as error:
        raise InputError("JSON that is not nested too deeply", "deeper nesting", at=str(path)) from error
