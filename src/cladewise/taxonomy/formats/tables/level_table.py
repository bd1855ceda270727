"""Level tables: one row per leaf (or internal node), one column per level, coarse to fine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.checks.odd_names import NodeNames, row_lines, text_series
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.header_row import header_problems
from cladewise.taxonomy.formats.tables.interpretation import Interpretation
from cladewise.taxonomy.formats.tables.level_evidence import ROOT_COLUMN
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.tree import StrArray, Taxonomy

STRING_CHUNK = 100_000
TOTALS = ("total", "totals", "grand total", "sum", "summe", "gesamt", "somme", "suma", "totale", "合计", "总计")


@dataclasses.dataclass(frozen=True)
class LevelTableNodes:
    """The nodes of a level table in order of their first row, the synthetic root first.

    Attributes:
        parents, names, level: Parent, name and level of every node.
        first_row: First row that mentions each node; -1 for the root.
        node_of_row: Deepest node of every row.
    """

    parents: NDArray[np.int64]
    names: StrArray
    level: NDArray[np.int64]
    first_row: NDArray[np.int64]
    node_of_row: NDArray[np.int64]


def interpret_levels(table: Table, options: ReadOptions) -> Interpretation:
    """Interpret a table as a level table; see :func:`taxonomy_from_levels` for what its cells mean.

    Raises:
        InputError: A column is missing, or the first row could be labels.
    """
    chosen = chosen_level_columns(table, options.levels, options.columns)
    problems = [] if options.levels else header_problems(table, chosen)
    problems += _total(table, chosen)
    if options.fill_down:
        table = filled_down(table, chosen)
    else:
        problems += merged_cells(table, chosen)
    root, levels = _root(table, chosen)
    nodes = nodes_of_levels(table.frame, levels)
    lines = row_lines(nodes.first_row[1:], table.all_lines())
    below = NodeNames(text_series(nodes.names[1:]), nodes.parents[1:] - 1, lines)
    kept = [table.column(name) for name in options.columns]
    return Interpretation(
        problems=problems,
        nodes=below,
        build=lambda: _build(table, nodes, root, levels, kept),
        oddities=lambda: _odd_rows(table, levels, nodes),
        by_column=True,
    )


def taxonomy_from_levels(
    table: Table,
    *,
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    level_names: Sequence[str] | None = None,
) -> Taxonomy:
    """Build a tree from a level table.

    A blank cell skips its level: at the end of a row it makes the leaf shallow, in the middle it makes a hole. Repeated
    rows are harmless. A name under two parents is two nodes. A first
    column called ``root`` with one value throughout is a root that is a label; otherwise the root is synthetic.

    Args:
        table: The rows.
        levels: Columns that are levels, coarse to fine. Defaults to all columns that ``columns`` does not take.
        columns: Columns to keep as further texts of the node that a row ends at; of several rows, the first text.
        level_names: Names of the levels, where they are not the columns'.

    Raises:
        InputError: A column is missing, or there are no rows.
    """
    chosen = chosen_level_columns(table, levels, columns)
    if table.frame.height == 0:
        raise InputError("at least one row", "none", at=table.source)
    root, chosen = _root(table, chosen)
    return _build(table, nodes_of_levels(table.frame, chosen), root, level_names or chosen, columns)


def _root(table: Table, levels: list[str]) -> tuple[str, list[str]]:
    """The label of the root, blank if it is synthetic, and the columns below it."""
    if levels[0] == ROOT_COLUMN and table.frame[ROOT_COLUMN].n_unique() == 1:
        return str(table.frame[ROOT_COLUMN][0]), levels[1:]
    return "", levels


def _build(
    table: Table, nodes: LevelTableNodes, root: str, level_names: Sequence[str], columns: Sequence[str]
) -> Taxonomy:
    frame = table.frame
    kept: dict[str, StrArray] = {}
    for name in columns:
        filled = np.flatnonzero((frame[name] != "").to_numpy())
        reached, first = np.unique(nodes.node_of_row[filled], return_index=True)
        texts = np.zeros(nodes.parents.size, dtype=np.dtypes.StringDType())
        texts[reached] = string_array(frame[name].gather(filled[first]))
        kept[name] = texts
    names = nodes.names.copy()
    names[0] = root
    return Taxonomy.from_parents(
        nodes.parents,
        names,
        level=nodes.level,
        level_names=level_names,
        columns=kept,
        synthetic_root=not root,
    )


def chosen_level_columns(table: Table, levels: Sequence[str] | None, columns: Sequence[str] = ()) -> list[str]:
    """The columns to use as levels, coarse to fine.

    Raises:
        InputError: A column is missing, or none is left.
    """
    missing = [name for name in (*(levels or ()), *columns) if name not in table.columns and not name.isdecimal()]
    if missing:
        raise InputError(f"the columns {some(missing)}", f"{some(table.columns, 20)}", at=table.source)
    others = [table.column(name) for name in columns]
    every = [name for name in table.columns if name not in others]
    chosen = every if levels is None else [table.column(name) for name in levels]
    twice = sorted({name for name in chosen if chosen.count(name) > 1})
    if twice:
        raise InputError("each column once among the levels", f"{some(twice)} twice", at=table.source)
    if not chosen:
        raise InputError("at least one column that is a level", "none", at=table.source)
    return chosen


def nodes_of_levels(frame: pl.DataFrame, levels: Sequence[str]) -> LevelTableNodes:
    """Number the distinct prefixes of the rows, level by level, without a loop over rows."""
    height = frame.height
    node_of_row = np.zeros(height, dtype=np.int64)
    parents, names = [np.array([-1])], [np.array([""], dtype=np.dtypes.StringDType())]
    level, first_row = [np.array([0])], [np.array([-1])]
    num_nodes = 1
    for position, column in enumerate(levels, start=1):
        texts = frame[column]
        codes = texts.cast(pl.Categorical).to_physical().to_numpy().astype(np.int64)
        rows = np.flatnonzero((texts.str.strip_chars() != "").to_numpy())
        width = int(codes.max(initial=0)) + 1
        _, first, inverse = np.unique(node_of_row[rows] * width + codes[rows], return_index=True, return_inverse=True)
        origin = rows[first]
        parents.append(node_of_row[origin])
        names.append(string_array(texts.gather(origin)))
        level.append(np.full(origin.size, position))
        first_row.append(origin)
        node_of_row[rows] = num_nodes + inverse
        num_nodes += origin.size
    born = np.concatenate(first_row)
    order = np.argsort(born, kind="stable")  # a row creates a parent before its child, so parents stay first
    new_by_old = np.empty_like(order)
    new_by_old[order] = np.arange(order.size)
    above = np.concatenate(parents)[order]
    return LevelTableNodes(
        parents=np.where(above < 0, -1, new_by_old[above]),
        names=np.concatenate(names)[order],
        level=np.concatenate(level)[order],
        first_row=born[order],
        node_of_row=new_by_old[node_of_row],
    )


def string_array(series: pl.Series) -> StrArray:
    """A polars text column as a StringDType array, converted in slices: the way leads through Python objects."""
    texts = np.empty(series.len(), dtype=np.dtypes.StringDType())
    for start in range(0, series.len(), STRING_CHUNK):
        texts[start : start + STRING_CHUNK] = series[start : start + STRING_CHUNK].to_numpy()
    return texts


def level_cells(taxonomy: Taxonomy, nodes: NDArray[np.int64]) -> dict[str, StrArray]:
    """Name of each node's ancestor-or-self at every level, blank if the path skips the level.

    Raises:
        InputError: Two children of a node have one name and one level, so that the cells could not tell them apart.
    """
    key = {"parent": taxonomy.parents, "level": taxonomy.level, "name": taxonomy.names.astype(object)}
    twice = pl.DataFrame(key)[1:].is_duplicated()
    if twice.any():
        node = int(twice.arg_true()[0]) + 1
        raise InputError(
            "children of a node with different names",
            f"two of {taxonomy.path_name(node)!r}",
            advice="Write the node table, which has ids.",
        )
    cells: dict[str, StrArray] = {}
    for level, name in enumerate(taxonomy.level_names, start=1):
        above = taxonomy.at_level(level)[nodes]
        cells[name] = np.where(taxonomy.level[above] == level, taxonomy.names[above], "")
    return cells


def levels_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """The level table of a tree, one row per leaf; a root with a name becomes a first column ``root``.

    Further columns of the nodes are left out.

    Raises:
        InputError: Two children of a node have one name, or a level is called ``root`` already.
    """
    leaves = taxonomy.leaf_nodes
    cells = level_cells(taxonomy, leaves)
    if not taxonomy.synthetic_root:
        if ROOT_COLUMN in cells:
            raise InputError("levels with names other than 'root'", some(list(taxonomy.level_names)))
        root = np.full(leaves.size, str(taxonomy.names[0]), dtype=np.dtypes.StringDType())
        cells = {ROOT_COLUMN: root, **cells}
    return pl.DataFrame({name: pl.Series(texts.tolist(), dtype=pl.String) for name, texts in cells.items()})


def merged_cells(table: Table, levels: Sequence[str]) -> list[Problem]:
    """Problems for rows that begin with a blank below a filled cell, as merged cells produce."""
    first, *finer = levels
    if not finer:
        return []
    cells = table.frame.select(pl.col(levels).str.strip_chars() != "")
    blank = ~cells[first] & cells.select(pl.any_horizontal(finer)).to_series() & cells[first].cum_max()
    return [
        Problem(table.line(row), "merged-cells", f"a blank {first!r} below a filled one", "warning")
        for row in blank.arg_true().to_list()
    ]


def _total(table: Table, levels: Sequence[str]) -> list[Problem]:
    """Problem for a last row with totals, as spreadsheets have."""
    last = table.frame.height - 1
    if last < 1:
        return []
    word = next((str(text) for text in table.frame.select(levels).row(last) if str(text).strip()), "")
    if word.strip(" :").lower() not in TOTALS:
        return []
    return [Problem(table.line(last), "total", f"a last row {word!r}, which could be a sum", "warning")]


def filled_down(table: Table, levels: Sequence[str]) -> Table:
    """The table with blank cells filled from the row above, if a finer cell of the row is filled.

    A cell is filled only as long as the cells before it stay the same.
    """
    frame = table.frame.with_columns(pl.col(levels).str.strip_chars().replace("", None))
    for position, name in enumerate(levels[:-1]):
        finer = pl.any_horizontal(pl.col(levels[position + 1 :]).is_not_null())
        value = pl.col(name).forward_fill()
        if position:
            value = value.over(pl.struct(levels[:position]).rle_id())
        frame = frame.with_columns(pl.when(pl.col(name).is_null() & finer).then(value).otherwise(name).alias(name))
    return dataclasses.replace(table, frame=frame.with_columns(pl.col(levels).fill_null("")))


def _odd_rows(table: Table, levels: Sequence[str], nodes: LevelTableNodes) -> list[Problem]:
    """Problems for blank rows, repeated rows, and names with several places at one level."""
    cells = table.frame.select(levels)
    blank = cells.select(pl.all_horizontal(pl.all().str.strip_chars() == "")).to_series().arg_true().to_list()
    again = (~cells.to_struct("row").is_first_distinct()).arg_true().to_list()
    return [
        *(Problem(table.line(row), "blank", "a row without any label", "warning") for row in blank),
        *(Problem(table.line(row), "duplicate", "the same labels as an earlier row", "warning") for row in again),
        *_repeated_names(table, nodes),
    ]


def _repeated_names(table: Table, nodes: LevelTableNodes) -> list[Problem]:
    """One problem per name that occurs in two places of a level."""
    frame = pl.DataFrame({"name": text_series(nodes.names), "level": nodes.level, "parent": nodes.parents})
    frame = frame.with_row_index("node")[1:].filter(pl.struct("level", "name").is_duplicated())
    pairs = frame.group_by("level", "name", maintain_order=True).agg(pl.col("node").head(2))
    problems: list[Problem] = []
    for name, (first, later) in pairs.select("name", "node").iter_rows():
        above = [str(nodes.names[nodes.parents[v]]) or "(root)" for v in (first, later)]
        lines = [table.line(int(nodes.first_row[v])) for v in (first, later)]
        text = f"{name!r} under both {above[0]!r} (line {lines[0]}) and {above[1]!r}: two nodes"
        problems.append(Problem(lines[1], "repeated-name", text, "warning"))
    return problems
