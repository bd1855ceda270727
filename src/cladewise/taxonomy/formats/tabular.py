"""Which kind of table a table is, and the tree it holds."""

from __future__ import annotations

from pathlib import Path

from cladewise.errors import InputError
from cladewise.taxonomy.formats import darwin_core
from cladewise.taxonomy.formats.edge_columns import find_edge_columns
from cladewise.taxonomy.formats.edges import taxonomy_from_edges
from cladewise.taxonomy.formats.levels import taxonomy_from_levels
from cladewise.taxonomy.formats.options import TableFormat, TableOptions
from cladewise.taxonomy.formats.table import SEPARATORS, Table, read_table, read_table_by_line
from cladewise.taxonomy.problems import some
from cladewise.taxonomy.tree import Taxonomy


def read_tabular(path: Path, options: TableOptions) -> Taxonomy:
    """Read a tree from a CSV, TSV or Parquet file.

    A file that turns out wrong is read once more, slowly, so that the error can name the line.

    Raises:
        InputError: The file is not a table that holds a tree.
    """
    try:
        return taxonomy_from_table(read_table(path), options)
    except InputError:
        if path.suffix.lower() not in SEPARATORS:
            raise
        table = read_table_by_line(path)
        table.fail(table.problems)
        return taxonomy_from_table(table, options)


def taxonomy_from_table(table: Table, options: TableOptions) -> Taxonomy:
    """Build a tree from rows of any kind.

    Raises:
        InputError: The rows are not a tree.
    """
    match kind_of(table, options):
        case "levels":
            return taxonomy_from_levels(table, levels=options.levels, columns=options.columns)
        case "darwin-core":
            return darwin_core.taxonomy_from_darwin_core(table, options)
        case _:
            columns = find_edge_columns(table, child=options.child, parent=options.parent)
            if columns is None:
                raise no_edges(table)
            return taxonomy_from_edges(table, columns, parents=options.parents, roots=options.roots)


def kind_of(table: Table, options: TableOptions) -> TableFormat:
    """The kind of table that is asked for, or that the header and the options that only one kind has speak for.

    Example:
        >>> import polars as pl
        >>> from cladewise.taxonomy.formats.table import from_frame
        >>> kind_of(from_frame(pl.DataFrame({"child": ["a"], "parent": [""]})), TableOptions())
        'edges'
    """
    if options.format is not None:
        return options.format
    if options.levels is not None:
        return "levels"
    if options.child is not None or options.parent is not None:
        return "edges"
    if darwin_core.evidence(table) is not None:
        return "darwin-core"
    return "levels" if find_edge_columns(table) is None else "edges"


def no_edges(table: Table) -> InputError:
    """The error of a table that was to be an edge list and has no columns of one."""
    return InputError(
        "a column of nodes and one of their parents",
        some(table.columns, 20),
        at=table.source,
        advice='Name them with child="..." and parent="...".',
    )
