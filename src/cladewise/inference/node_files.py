"""Files of node names, with or without a number per node, that users pass to rules."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy


def version(path: str | Path) -> tuple[str, int, int]:
    """Path, modification time and size of a file, which change when the file does.

    Raises:
        InputError: There is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("a file", f"{str(path)!r}, which {'is not one' if file.exists() else 'does not exist'}")
    status = file.stat()
    return str(file.resolve()), status.st_mtime_ns, status.st_size


def nodes_of_lines(path: str | Path, taxonomy: Taxonomy) -> list[int]:
    """Nodes by name, id or path, one per line; blank lines are skipped.

    Raises:
        InputError: The file is not a text, or lines name no node, or several; all of them are listed.
    """
    labels = {line: at for at, line in reversed(list(enumerate(_text(path).splitlines(), start=1))) if line.strip()}
    return taxonomy.find(list(labels), at=str(path), place=lambda label: f"line {labels[label]}").tolist()


def numbers_of_nodes(path: str | Path, taxonomy: Taxonomy) -> dict[int, float]:
    """A number for each of some nodes, from a CSV or TSV file with the columns ``node`` and another.

    Raises:
        InputError: The file is not a text, a row has not two cells, names no node or several, or has no number, or
            two rows name one node.
    """
    rows = list(_labelled_numbers(Path(path)))
    labels = {label: line for line, label, _ in reversed(rows)}
    nodes = taxonomy.find(
        [label for _, label, _ in rows], at=str(path), place=lambda label: f"line {labels[label]}"
    ).tolist()
    first: dict[int, int] = {}
    for node, (line, label, _) in zip(nodes, rows, strict=True):
        if first.setdefault(node, line) != line:
            raise InputError(
                "each node once", f"{label!r}, which is already in line {first[node]}", at=f"{path}:{line}"
            )
    return {node: number for node, (_, _, number) in zip(nodes, rows, strict=True)}


def _labelled_numbers(path: Path) -> Iterator[tuple[int, str, float]]:
    """Line, label and number of each row."""
    rows = csv.reader(io.StringIO(_text(path), newline=""), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    for row in rows:
        at = f"{path}:{rows.line_num}"
        if not row or (rows.line_num == 1 and row[0].strip() == "node"):
            continue
        if len(row) != 2:
            raise InputError("two cells per row, a node and a number", f"{len(row)}", at=at)
        try:
            yield rows.line_num, row[0], float(row[1])
        except ValueError:
            raise InputError("a number next to the node", repr(row[1]), at=at) from None


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("UTF-8 text", f"{error.reason} after {error.start} bytes", at=str(path)) from None
