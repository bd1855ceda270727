"""Which kind of table a table is, and the tree it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cladewise.errors import InputError
from cladewise.taxonomy.formats import darwin_core
from cladewise.taxonomy.formats.edges import Parents, Roots, find_edge_columns, taxonomy_from_edges
from cladewise.taxonomy.formats.levels import taxonomy_from_levels
from cladewise.taxonomy.formats.table import SEPARATORS, Table, read_table, read_table_by_line
from cladewise.taxonomy.problems import some
from cladewise.taxonomy.tree import Taxonomy

TableFormat = Literal["levels", "edges", "nodes", "darwin-core"]


def read_tabular(
    path: Path,
    *,
    format: TableFormat | None = None,
    parents: Parents = "error",
    roots: Roots = "error",
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    child: str | None = None,
    parent: str | None = None,
) -> Taxonomy:
    """Read a tree from a CSV, TSV or Parquet file; see :func:`cladewise.taxonomy.read` for the options.

    A file that turns out wrong is read once more, slowly, so that the error can name the line.

    Raises:
        InputError: The file is not a table that holds a tree.
    """

    def build(table: Table) -> Taxonomy:
        return taxonomy_from_table(
            table,
            format=format,
            parents=parents,
            roots=roots,
            levels=levels,
            columns=columns,
            child=child,
            parent=parent,
        )

    try:
        return build(read_table(path))
    except InputError:
        if path.suffix.lower() not in SEPARATORS:
            raise
        table = read_table_by_line(path)
        table.fail(table.problems)
        return build(table)


def taxonomy_from_table(
    table: Table,
    *,
    format: TableFormat | None = None,
    parents: Parents = "error",
    roots: Roots = "error",
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    child: str | None = None,
    parent: str | None = None,
) -> Taxonomy:
    """Build a tree from rows of any kind; see :func:`cladewise.taxonomy.read` for the options.

    Raises:
        InputError: The rows are not a tree.
    """
    kind = format or kind_of(table, levels=levels, child=child, parent=parent)
    if kind == "levels":
        return taxonomy_from_levels(table, levels=levels, columns=columns)
    if kind == "darwin-core" and not darwin_core.has_parents(table):
        return darwin_core.taxonomy_from_ranks(table)
    found = find_edge_columns(table, child=child, parent=parent)
    if found is None:
        raise InputError(
            "a column of nodes and one of their parents", some(table.columns, 20), at=table.source, advice=EDGE_ADVICE
        )
    return taxonomy_from_edges(table, found, parents=parents, roots=roots)


EDGE_ADVICE = 'Name them with child="..." and parent="...".'


def kind_of(
    table: Table, *, levels: Sequence[str] | None = None, child: str | None = None, parent: str | None = None
) -> TableFormat:
    """The kind of table that a header, and the options that only one kind has, speak for.

    Example:
        >>> import polars as pl
        >>> from cladewise.taxonomy.formats.table import from_frame
        >>> kind_of(from_frame(pl.DataFrame({"child": ["a"], "parent": [""]})))
        'edges'
    """
    if levels is not None:
        return "levels"
    if child is not None or parent is not None:
        return "edges"
    if darwin_core.is_darwin_core(table):
        return "darwin-core"
    return "levels" if find_edge_columns(table) is None else "edges"
