"""Level tables: a row a leaf (or an internal node), a column a level, coarse to fine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.formats.table import Table
from cladewise.taxonomy.labels import near_duplicates, tidy
from cladewise.taxonomy.problems import Problem, some
from cladewise.taxonomy.tree import StrArray, Taxonomy

ROOT_COLUMN = "root"
STRING_CHUNK = 100_000


@dataclasses.dataclass(frozen=True)
class LevelNodes:
    """The nodes of a level table in order of their first row, the synthetic root first.

    Attributes:
        parents, names, level: Of every node.
        first_row: First row that mentions each node; -1 for the root.
        node_of_row: Deepest node of every row.
    """

    parents: NDArray[np.int64]
    names: StrArray
    level: NDArray[np.int64]
    first_row: NDArray[np.int64]
    node_of_row: NDArray[np.int64]


def taxonomy_from_levels(
    table: Table,
    *,
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    level_names: Sequence[str] | None = None,
) -> Taxonomy:
    """Build a tree from a level table.

    A cell that is empty, or holds white space only, skips its level: at the end of a row it makes the leaf shallow,
    in the middle it makes a hole. The same row twice is harmless. A name under two parents is two nodes. A first
    column called ``root`` with one value throughout is a root that is a label; otherwise the root is synthetic.

    Args:
        table: The rows.
        levels: Columns that are levels, coarse to fine. Defaults to all columns that ``columns`` does not take.
        columns: Columns to keep as further texts of the node that a row ends at; of several rows, the first text.
        level_names: Names of the levels, where they are not the columns'.

    Raises:
        InputError: A column is missing, or there are no rows.
    """
    chosen = level_columns(table, levels, columns)
    frame = table.frame
    if frame.height == 0:
        raise InputError("at least one row", "none", at=table.source)
    root = ""
    if chosen[0] == ROOT_COLUMN and frame[ROOT_COLUMN].n_unique() == 1:
        root, chosen = frame[ROOT_COLUMN][0], chosen[1:]
    nodes = nodes_of_levels(frame, chosen)
    kept: dict[str, StrArray] = {}
    for name in columns:
        filled = np.flatnonzero((frame[name] != "").to_numpy())
        reached, first = np.unique(nodes.node_of_row[filled], return_index=True)
        texts = np.zeros(nodes.parents.size, dtype=np.dtypes.StringDType())
        texts[reached] = strings(frame[name].gather(filled[first]))
        kept[name] = texts
    nodes.names[0] = root
    return Taxonomy.from_parents(
        nodes.parents,
        nodes.names,
        level=nodes.level,
        level_names=chosen if level_names is None else level_names,
        columns=kept,
        synthetic_root=not root,
    )


def level_columns(table: Table, levels: Sequence[str] | None, columns: Sequence[str] = ()) -> list[str]:
    """The columns that are levels, coarse to fine.

    Raises:
        InputError: A column is missing, or none is left.
    """
    missing = [name for name in (*(levels or ()), *columns) if name not in table.columns]
    if missing:
        raise InputError(f"the columns {some(missing)}", f"{some(table.columns, 20)}", at=table.source)
    chosen = list(levels) if levels is not None else [name for name in table.columns if name not in columns]
    if not chosen:
        raise InputError("at least one column that is a level", "none", at=table.source)
    return chosen


def nodes_of_levels(frame: pl.DataFrame, levels: Sequence[str]) -> LevelNodes:
    """Number the distinct prefixes of the rows, a level at a time; no loop over rows."""
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
        names.append(strings(texts.gather(origin)))
        level.append(np.full(origin.size, position))
        first_row.append(origin)
        node_of_row[rows] = num_nodes + inverse
        num_nodes += origin.size
    born = np.concatenate(first_row)
    order = np.argsort(born, kind="stable")  # a row creates a parent before its child, so levels stay in order
    new_by_old = np.empty_like(order)
    new_by_old[order] = np.arange(order.size)
    above = np.concatenate(parents)[order]
    return LevelNodes(
        parents=np.where(above < 0, -1, new_by_old[above]),
        names=np.concatenate(names)[order],
        level=np.concatenate(level)[order],
        first_row=born[order],
        node_of_row=new_by_old[node_of_row],
    )


def strings(series: pl.Series) -> StrArray:
    """A polars text column as a NumPy array of variable-width strings, a slice at a time: the way leads by objects."""
    texts = np.empty(series.len(), dtype=np.dtypes.StringDType())
    for start in range(0, series.len(), STRING_CHUNK):
        texts[start : start + STRING_CHUNK] = series[start : start + STRING_CHUNK].to_numpy()
    return texts


def level_cells(taxonomy: Taxonomy, nodes: NDArray[np.int64]) -> dict[str, StrArray]:
    """Name of each node's ancestor-or-self at every level, blank where the path skips it.

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
    """The level table of a tree: a row a leaf. A root that is a label becomes a first column ``root``.

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


def level_problems(
    table: Table, levels: Sequence[str] | None = None, columns: Sequence[str] = (), *, repeats: bool = True
) -> list[Problem]:
    """Everything odd about a level table; nothing but a bad file keeps it from being read.

    Args:
        table: The rows.
        levels: Columns that are levels.
        columns: Columns that are not.
        repeats: Whether to tell of names that a level has in several places, perhaps for a slip in the column above.
    """
    chosen = level_columns(table, levels, columns)
    frame = table.frame
    problems: list[Problem] = []
    cells = frame.select(chosen)
    for row in cells.select(pl.all_horizontal(pl.all().str.strip_chars() == "")).to_series().arg_true().to_list():
        problems.append(Problem(table.line(row), "blank", "a row without any label", "warning"))
    for row in (~cells.to_struct("row").is_first_distinct()).arg_true().to_list():
        problems.append(Problem(table.line(row), "duplicate", "the same labels as an earlier row", "warning"))
    nodes = nodes_of_levels(frame, chosen)
    names: list[str] = nodes.names.tolist()
    lines = [0, *(table.line(int(row)) for row in nodes.first_row[1:])]
    for node, name in enumerate(names):
        if node and not tidy(name):
            problems.append(Problem(lines[node], "white-space", f"stray white space in {name!r}", "warning"))
    for first, later in near_duplicates(nodes.parents.tolist(), names):
        text = f"{names[later]!r} beside {names[first]!r} (line {lines[first]})"
        problems.append(Problem(lines[later], "near-duplicate", text, "warning"))
    return problems + (_repeated_names(nodes, names, lines) if repeats else [])


def _repeated_names(nodes: LevelNodes, names: list[str], lines: list[int]) -> list[Problem]:
    problems: list[Problem] = []
    first_place: dict[tuple[int, str], int] = {}
    told: set[tuple[int, str]] = set()
    for node in range(1, len(names)):
        key = (int(nodes.level[node]), names[node])
        first = first_place.setdefault(key, node)
        if first == node or key in told:
            continue
        told.add(key)
        above = [names[int(nodes.parents[v])] or "(root)" for v in (first, node)]
        text = f"{names[node]!r} under both {above[0]!r} (line {lines[first]}) and {above[1]!r}: two nodes"
        problems.append(Problem(lines[node], "repeated-name", text, "warning"))
    return problems
