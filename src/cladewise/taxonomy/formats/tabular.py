"""Detection of a table's form, and the tree that it represents."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import cast

from cladewise.errors import InputError
from cladewise.taxonomy.checks.odd_names import nothing_problems, sight_problems
from cladewise.taxonomy.checks.problems import Problem, placed_at, some, warn_of
from cladewise.taxonomy.formats.evidence import Form, only_form
from cladewise.taxonomy.formats.options import PLAIN, TABLE_FORMATS, ReadOptions, TableFormat, argument
from cladewise.taxonomy.formats.species import bird_lists
from cladewise.taxonomy.formats.tables import node_table
from cladewise.taxonomy.formats.tables.delimited import read_delimited
from cladewise.taxonomy.formats.tables.edge_columns import ADVICE, EdgeColumns, find_edge_columns
from cladewise.taxonomy.formats.tables.edge_list import interpret_edges
from cladewise.taxonomy.formats.tables.foreign import refuse_foreign
from cladewise.taxonomy.formats.tables.header_row import header_problems, repeated_header
from cladewise.taxonomy.formats.tables.interpretation import Interpretation
from cladewise.taxonomy.formats.tables.level_evidence import Doubt, doubt_levels
from cladewise.taxonomy.formats.tables.level_table import interpret_levels
from cladewise.taxonomy.formats.tables.path_table import (
    as_levels,
    find_paths,
    likely_paths,
    path_row,
    sure_paths,
    without_comments,
)
from cladewise.taxonomy.formats.tables.table import Table, is_parquet, read_parquet_table
from cladewise.taxonomy.formats.tables.tree_numbers import as_edges, numbers_column
from cladewise.taxonomy.formats.taxa.darwin_core import evidence, interpret_taxa
from cladewise.taxonomy.names.columns import VERNACULAR, is_language
from cladewise.taxonomy.tree import Taxonomy


def load_table(path: Path, options: ReadOptions) -> Table:
    """Read a table from a file: Parquet if its first bytes say so, otherwise text.

    Raises:
        InputError: The file is not a table.
    """
    if not path.is_file():
        raise InputError("a file", "a folder" if path.is_dir() else "no such file or folder", at=str(path))
    if is_parquet(path):
        return read_parquet_table(path)
    table = without_comments(read_delimited(path, options))
    if options.header is None and path_row(table):
        return read_delimited(path, dataclasses.replace(options, header="none"))
    return table


def interpret(table: Table, options: ReadOptions) -> Interpretation:
    """Interpret a table as a tree, in the form given by the options or detected from its content.

    Raises:
        InputError: No form, or more than one, fits; or the table lacks what its form needs.
    """
    if options.format is None:
        refuse_foreign(table)
    if table.frame.height == 0:
        raise InputError("at least one row", "none", at=table.source)
    again = repeated_header(table)
    if again:
        return Interpretation(again, None, lambda: _no_tree(table))
    form = form_of(table, options)
    match form:
        case "levels":
            names = [name for name in _names_in_languages(table, options) if name not in options.columns]
            return interpret_levels(table, dataclasses.replace(options, columns=(*options.columns, *names)))
        case "darwin-core":
            return interpret_taxa(table, options)
        case "bird-list":
            taxa = bird_lists.as_taxa(table)
            found = interpret_taxa(taxa, dataclasses.replace(options, format="darwin-core"))
            return dataclasses.replace(found, problems=[*taxa.problems[len(table.problems) :], *found.problems])
        case "tree-numbers":
            return interpret_edges(*as_edges(table), options)
        case "paths":
            paths, options = as_levels(table, options)
            found = interpret_levels(paths, options)
            return dataclasses.replace(found, problems=[*paths.problems[len(table.problems) :], *found.problems])
        case _:
            columns = find_edge_columns(table, options)
            if columns is None:
                shown = some(table.columns, 20)
                raise InputError("a column of nodes and one of their parents", shown, at=table.source, advice=ADVICE)
            return dataclasses.replace(interpret_edges(table, columns, options), ours=form == "nodes")


def form_of(table: Table, options: ReadOptions = PLAIN) -> TableFormat:
    """The form given by ``format``, implied by options of only one form, or detected from the content.

    Raises:
        InputError: No form, or more than one, has evidence; or the table is known not to be a tree.

    Example:
        >>> import polars as pl
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> form_of(from_frame(pl.DataFrame({"child": ["a", "b"], "parent": ["", "a"]})))
        'edges'
    """
    for form in TABLE_FORMATS:
        if form == options.format:
            return form
    kept = [table.column(name) for name in options.columns]
    rest = [name for name in table.columns if name not in kept]
    if options.levels or options.fill_down:
        return "levels"
    if options.id or options.parent or options.name:
        return "edges"
    doubt = None
    names = _names_in_languages(table, options)
    if names:
        rest = [name for name in rest if name not in names]
        table = dataclasses.replace(table, frame=table.frame.drop(names))
    if not _other_than_levels(table):
        header_problems(table, rest)  # its error takes precedence, since columns cannot be judged without a header
        doubt = _doubt_of_paths(table) or doubt_levels(table, rest)
    forms = [
        Form[Table]("nodes", "nodes (columns id, parent, name, level)", _node_table),
        Form[Table]("edges", "edges (a column of nodes and one of their parents)", _edge_list),
        Form[Table]("darwin-core", "darwin-core (its terms for ranks or parents)", _darwin_core),
        Form[Table]("bird-list", "bird-list (the eBird taxonomy or AviList)", bird_lists.evidence),
        Form[Table]("tree-numbers", "tree-numbers (dotted numbers such as C04.588)", _tree_numbers),
        Form[Table]("paths", "paths (one column of paths such as 'fruit > apple')", _path_column),
        Form[Table](
            "levels",
            "levels (one column per level, coarse to fine)",
            lambda seen: None if doubt or _other_than_levels(seen) else "columns that nest",
        ),
    ]
    saw = f"a table with the columns {some([*table.columns, *names], 20)}" + (f" ({doubt.text})" if doubt else "")
    advice = doubt.advice if doubt and doubt.advice else f'Pass format="levels" if these are levels. {ADVICE}'
    if table.header_line and not (doubt and doubt.advice):
        advice += ' Pass header="none" if there is no header.'
    found = only_form(table, forms, saw=saw, source=table.source, advice=advice)
    return cast("TableFormat", found.name)


def _names_in_languages(table: Table, options: ReadOptions) -> list[str]:
    """The columns called ``name:<language>``, which are texts of a row's node whatever the form, unless levels."""
    names = [name for name in table.columns if name.startswith(VERNACULAR) and is_language(name[len(VERNACULAR) :])]
    return [name for name in names if name not in map(table.column, options.levels or ())]


def taxonomy_from_table(table: Table, options: ReadOptions) -> Taxonomy:
    """Build the tree of a table, with a warning for each kind of oddity.

    Raises:
        InputError: The rows are not a tree, or their form is unclear.
    """
    table.fail(table.problems)
    return tree_of(table, interpret(table, options))


def tree_of(table: Table, interpretation: Interpretation) -> Taxonomy:
    """Build the tree of an interpreted table, with a warning for each kind of oddity.

    Raises:
        InputError: A problem is an error, or the tree cannot be built.
    """
    table.fail(interpretation.problems)
    odd: list[Problem] = [*table.problems, *interpretation.problems]
    if not interpretation.ours and interpretation.nodes is not None:  # before the tree takes memory
        odd += [*sight_problems(interpretation.nodes), *nothing_problems(interpretation.nodes)]
    build = interpretation.build
    del interpretation  # its names and lines would take memory in addition to the tree
    with placed_at(table.source):
        tree = build()
    warn_of(odd, table.source, checkable=table.path is not None)
    return tree


def _node_table(table: Table) -> str | None:
    return "its columns" if set(node_table.COLUMNS) <= set(table.columns) else None


def _darwin_core(table: Table) -> str | None:
    return None if _node_table(table) or bird_lists.evidence(table) else evidence(table)


def _edge_list(table: Table) -> str | None:
    """Evidence of an edge list: a column of parents, and rows that describe one node each."""
    if _node_table(table) or _darwin_core(table) or bird_lists.evidence(table):
        return None
    columns = find_edge_columns(table, PLAIN)
    if columns is None or _says_more(table, columns):
        return None
    return f"parents of {columns.key!r} in {columns.parent!r}"


def _tree_numbers(table: Table) -> str | None:
    """Evidence of tree numbers in a table that has no parents."""
    if _node_table(table) or _darwin_core(table) or bird_lists.evidence(table) or _edge_list(table):
        return None
    column = numbers_column(table)
    return None if column is None else f"tree numbers in {column!r}"


def _path_column(table: Table) -> str | None:
    if any(of(table) is not None for of in (_node_table, _darwin_core, bird_lists.evidence, _edge_list, _tree_numbers)):
        return None
    paths = find_paths(table)
    return paths.because if paths else None


def _doubt_of_paths(table: Table) -> Doubt | None:
    """Doubt because of a column of paths next to other columns, which could belong to the paths' nodes."""
    paths = sure_paths(table) or likely_paths(table)
    if paths is None:
        return None
    advice = f'For a table of paths pass format="paths" and {argument("levels", [paths.column])}; else format="levels".'
    return Doubt(paths.because, advice)


def _says_more(table: Table, columns: EdgeColumns) -> bool:
    """Whether rows have finer levels below their node: a level table that happens to have a column named parent."""
    edges = table.frame.select(dict.fromkeys((columns.key, columns.parent)).keys())
    if not edges.is_duplicated().any() or edges.n_unique() == table.frame.n_unique():
        return False
    return not table.frame[columns.parent].is_in(table.frame[columns.key].implode()).any()


def _other_than_levels(table: Table) -> bool:
    found = (_node_table, _darwin_core, bird_lists.evidence, _edge_list, _tree_numbers, _path_column)
    return any(evidence(table) is not None for evidence in found)


def _no_tree(table: Table) -> Taxonomy:
    raise InputError("a tree", "a table that is none", at=table.source)
