"""Check a taxonomy file and list all its problems at once."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy.checks.odd_names import (
    NodeNames,
    names_of_tree,
    nothing_problems,
    overlap_problems,
    same_siblings,
    shape_problems,
    sight_problems,
    spelling_problems,
)
from cladewise.taxonomy.checks.other_names import other_name_problems
from cladewise.taxonomy.checks.problems import Problem
from cladewise.taxonomy.formats.options import (
    TABLE_FORMATS,
    Format,
    Header,
    Parents,
    ReadOptions,
    Roots,
    Support,
    Underscores,
)
from cladewise.taxonomy.formats.reading import existing, format_of, read_tree
from cladewise.taxonomy.formats.tabular import interpret, load_table
from cladewise.taxonomy.tree import Taxonomy


@dataclasses.dataclass(frozen=True)
class Examination:
    """The result of checking a file.

    Attributes:
        problems: Errors and warnings, ordered by line.
        taxonomy: The tree; None if an error makes the file unreadable.
    """

    problems: list[Problem]
    taxonomy: Taxonomy | None

    @property
    def num_errors(self) -> int:
        """Number of problems that make the file unreadable."""
        return sum(problem.severity == "error" for problem in self.problems)


def check(
    path: str | PathLike[str],
    *,
    format: Format | None = None,
    separator: str | None = None,
    header: Header | None = None,
    id: str | None = None,
    parent: str | None = None,
    name: str | None = None,
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    parents: Parents = "error",
    roots: Roots = "error",
    ids: str | PathLike[str] | Sequence[str] | None = None,
    fill_down: bool = False,
    support: Support | None = None,
    underscores: Underscores | None = None,
    control: str | None = None,
) -> list[Problem]:
    """List all errors and oddities of a taxonomy file, by line.

    Tables are checked completely; for a JSON, YAML or Newick file that cannot be parsed only the first error is listed.
    The options are those of :func:`cladewise.taxonomy.read`; what they resolve is not a problem.

    Returns:
        Errors, which make the file unreadable, and warnings, ordered by line. Empty if there are none.

    Raises:
        InputError: There is no such file, or its format does not show in its name.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "classes.csv"
        >>> _ = path.write_text("child,parent\\napple,fruit\\nfruit,\\nApple,fruit\\nkale,herb\\n")
        >>> for problem in check(path):
        ...     print(problem)
        4: warning: 'Apple' next to 'apple' (line 2) [near-duplicate]
        5: error: parent 'herb' of 'kale', which no row defines [orphan]
    """
    options = ReadOptions(
        format=format,
        separator=separator,
        header=header,
        id=id,
        parent=parent,
        name=name,
        levels=levels,
        columns=columns,
        parents=parents,
        roots=roots,
        ids=ids,
        fill_down=fill_down,
        support=support,
        underscores=underscores,
        control=control,
    )
    return examine(path, options).problems


def examine(path: str | PathLike[str], options: ReadOptions) -> Examination:
    """The problems of a file and, if it can be read, its tree.

    Raises:
        InputError: There is no such file, or its format does not show in its name.
    """
    place = existing(path)
    kind = options.format or format_of(place)
    if kind == "table" or kind in TABLE_FORMATS:
        problems, tree = _examine_table(place, options)
    else:
        problems, tree = _examine_tree(place, kind, options)
    return Examination(sorted(set(problems)), tree)


def _examine_table(path: Path, options: ReadOptions) -> tuple[list[Problem], Taxonomy | None]:
    problems: list[Problem] = []
    try:
        table = load_table(path, options)
        problems += table.problems
        if not table.columns or any(problem.kind == "column-name" for problem in problems):
            return problems, None
        if table.frame.height == 0:
            return [*problems, Problem(1, "unreadable", "no rows")], None
        interpretation = interpret(table, options)
    except InputError as error:
        return [*problems, _as_problem(error, path)], None
    problems += interpretation.problems
    tree = None
    if not any(problem.severity == "error" for problem in problems):
        try:
            tree = interpretation.build()
        except InputError as error:
            problems.append(dataclasses.replace(_as_problem(error, path), kind="levels"))
    nodes = interpretation.nodes or (names_of_tree(tree) if tree else None)
    problems += [*interpretation.oddities(), *_odd_names(nodes), *(nothing_problems(nodes) if nodes else [])]
    if tree is not None and interpretation.by_column:
        problems += shape_problems(tree)
    if tree is not None:
        problems += [*other_name_problems(tree), *overlap_problems(tree)]
    return problems, tree


def _examine_tree(path: Path, kind: str, options: ReadOptions) -> tuple[list[Problem], Taxonomy | None]:
    """Problems of a file in a format without line numbers."""
    told: list[Problem] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        try:
            tree = read_tree(path, kind, options)
        except InputError as error:
            return [_as_problem(error, path)], None
    for message in (warning.message for warning in caught):
        found, advice = (message.found, message.advice) if isinstance(message, InputWarning) else (str(message), "")
        told.append(Problem(0, "ambiguous", found, "warning", advice))
    nodes = names_of_tree(tree)
    odd = [*shape_problems(tree), *other_name_problems(tree), *overlap_problems(tree)]
    return [*told, *same_siblings(nodes), *_odd_names(nodes), *odd], tree


def _odd_names(nodes: NodeNames | None) -> list[Problem]:
    return [] if nodes is None else [*sight_problems(nodes), *spelling_problems(nodes)]


def _as_problem(error: InputError, path: Path) -> Problem:
    """A reading error as a problem, with the line number that its place ends in."""
    place, _, line = error.at.rpartition(":")
    known = place == str(path) and line.isdigit()
    kind = "encoding" if error.expected == "UTF-8 text" else "unreadable"
    where = f" at {error.at}" if error.at not in ("", str(path)) and not known else ""
    text = f"expected {error.expected}, but got {error.got}{where}"
    return Problem(int(line) if known else 0, kind, text, advice=error.advice if kind == "unreadable" else "")
