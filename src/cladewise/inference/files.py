"""What a user hands to a rule in a file: names of nodes, and numbers beside them. Read once, then remembered."""

from __future__ import annotations

import csv
import io
import weakref
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

Made = TypeVar("Made")

_MADE: weakref.WeakKeyDictionary[Taxonomy, dict[Hashable, Any]] = weakref.WeakKeyDictionary()


def once(taxonomy: Taxonomy, key: Hashable, make: Callable[[], Made]) -> Made:
    """What ``make`` returns, made the first time and kept for as long as the taxonomy lives.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b")])
        >>> once(t, "sizes", lambda: [t.num_nodes]) is once(t, "sizes", lambda: [t.num_nodes])
        True
    """
    made = _MADE.setdefault(taxonomy, {})
    if key not in made:
        made[key] = make()
    return made[key]


def version(path: str | Path) -> tuple[str, int, int]:
    """What tells a file from the same file after a change.

    Raises:
        InputError: There is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("a file", f"{str(path)!r}, which {'is not one' if file.exists() else 'does not exist'}")
    status = file.stat()
    return str(file.resolve()), status.st_mtime_ns, status.st_size


def nodes_of_lines(path: str | Path, taxonomy: Taxonomy) -> list[int]:
    """Nodes by name or path, one a line; empty lines are passed over.

    Raises:
        InputError: The file is not a text, or a line names no node, or several.
    """
    lines = _text(path).splitlines()
    return [_find(line.strip(), taxonomy, f"{path}:{at}") for at, line in enumerate(lines, start=1) if line.strip()]


def numbers_of_nodes(path: str | Path, taxonomy: Taxonomy) -> dict[int, float]:
    """A number for each of some nodes, from a CSV or TSV file with the columns ``node`` and another.

    Raises:
        InputError: The file is not a text, or a row has not two cells, names no node or several, or has no number.
    """
    return dict(_numbers(Path(path), taxonomy))


def _numbers(path: Path, taxonomy: Taxonomy) -> Iterator[tuple[int, float]]:
    rows = csv.reader(io.StringIO(_text(path), newline=""), delimiter="\t" if path.suffix == ".tsv" else ",")
    for row in rows:
        at = f"{path}:{rows.line_num}"
        if not row or (rows.line_num == 1 and row[0].strip() == "node"):
            continue
        if len(row) != 2:
            raise InputError("two cells a row, a node and a number", f"{len(row)}", at=at)
        try:
            number = float(row[1])
        except ValueError:
            raise InputError("a number beside the node", repr(row[1]), at=at) from None
        yield _find(row[0].strip(), taxonomy, at), number


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("a text in UTF-8", f"{error.reason} after {error.start} bytes", at=str(path)) from None


def _find(name: str, taxonomy: Taxonomy, at: str) -> int:
    try:
        return taxonomy.find(name)
    except InputError as error:
        raise InputError(error.expected, error.got, at=at, advice=error.advice) from None
