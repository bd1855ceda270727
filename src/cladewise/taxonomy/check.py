"""Everything wrong with a taxonomy file, at once."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats import darwin_core
from cladewise.taxonomy.formats.edge_columns import find_edge_columns
from cladewise.taxonomy.formats.edges import edge_problems
from cladewise.taxonomy.formats.levels import level_problems
from cladewise.taxonomy.formats.options import FORMATS, TABLE_FORMATS, Format, TableOptions, one_of
from cladewise.taxonomy.formats.reading import format_of, read
from cladewise.taxonomy.formats.table import Table, read_table_by_line
from cladewise.taxonomy.formats.tabular import kind_of, no_edges
from cladewise.taxonomy.labels import near_duplicates, tidy
from cladewise.taxonomy.problems import Problem
from cladewise.taxonomy.tree import Taxonomy


def check(path: str | PathLike[str], *, format: Format | None = None, **options: Any) -> list[Problem]:
    """List everything that is wrong or odd about a taxonomy file, by line.

    Tables are gone through whole; of a JSON, YAML or Newick file that cannot be parsed the first fault is told.

    Args:
        path: The file or folder.
        format: Which format it is; see :func:`cladewise.taxonomy.read`.
        **options: Further options of :func:`cladewise.taxonomy.read`: what they resolve is not wrong.

    Returns:
        Errors, which keep the file from being read, and warnings, ordered by line. Empty if all is well.

    Raises:
        InputError: There is no such file, or its name does not say what it is.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "classes.csv"
        >>> _ = path.write_text("child,parent\\napple,fruit\\nfruit,\\nApple,fruit\\nkale,herb\\n")
        >>> for problem in check(path):
        ...     print(problem)
        4: warning: 'Apple' beside 'apple' (line 2) [near-duplicate]
        5: error: parent 'herb' of 'kale', which no row defines [orphan]
    """
    place = Path(path)
    if not place.exists():
        raise InputError("a taxonomy file or folder", "nothing of that name", at=str(place))
    one_of("format", format, (None, *FORMATS))
    kind = format or format_of(place)
    if kind == "table" or kind in TABLE_FORMATS:
        options = {key: value for key, value in options.items() if key != "ids"}
        return sorted(_check_table(place, TableOptions(format=kind if kind in TABLE_FORMATS else None, **options)))
    try:
        return sorted(_check_tree(read(place, format=kind, **options)))
    except InputError as error:
        return [_as_problem(error, place)]


def _check_table(path: Path, options: TableOptions) -> list[Problem]:
    try:
        table = read_table_by_line(path)
    except InputError as error:
        return [_as_problem(error, path)]
    problems = list(table.problems)
    if not table.columns or any(problem.kind == "header" for problem in problems):
        return problems
    if table.frame.height == 0:
        return [*problems, Problem(1, "unreadable", "no rows")]
    try:
        return problems + _check_rows(table, options)
    except InputError as error:
        return [*problems, _as_problem(error, path)]


def _check_rows(table: Table, options: TableOptions) -> list[Problem]:
    kind = kind_of(table, options)
    if kind == "levels":
        return level_problems(table, options.levels, options.columns)
    if kind == "darwin-core":
        return darwin_core.problems(table, options)
    columns = find_edge_columns(table, child=options.child, parent=options.parent)
    if columns is None:
        raise no_edges(table)
    return edge_problems(table, columns, parents=options.parents, roots=options.roots)


def _check_tree(tree: Taxonomy) -> list[Problem]:
    """What is odd about a tree that could be read, from a format without lines."""
    names: list[str] = tree.names.tolist()
    parents: list[int] = tree.parents.tolist()
    problems = [
        Problem(0, "white-space", f"stray white space in {names[node]!r}", "warning")
        for node in range(1, tree.num_nodes)
        if not tidy(names[node])
    ]
    seen: set[tuple[int, str]] = set()
    for node, key in enumerate(zip(parents, names, strict=True)):
        if key in seen:
            problems.append(Problem(0, "duplicate", f"two nodes at {tree.path_name(node)!r}", "warning"))
        seen.add(key)
    for first, later in near_duplicates(parents, names):
        text = f"{tree.path_name(later)!r} beside {tree.path_name(first)!r}"
        problems.append(Problem(0, "near-duplicate", text, "warning"))
    return problems


def _as_problem(error: InputError, path: Path) -> Problem:
    """An error of reading, with the line that its text ends in."""
    place, _, line = error.at.rpartition(":")
    known = place == str(path) and line.isdigit()
    kind = "encoding" if error.expected == "UTF-8 text" else "unreadable"
    return Problem(int(line) if known else 0, kind, f"expected {error.expected}, but got {error.got}")
