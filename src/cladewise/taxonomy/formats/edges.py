"""Edge lists and node tables: a row a node, with the name or id of its parent."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.formats.edge_columns import EdgeColumns
from cladewise.taxonomy.formats.level_order import level_order, split_levels
from cladewise.taxonomy.formats.levels import strings
from cladewise.taxonomy.formats.options import Parents, Roots
from cladewise.taxonomy.formats.table import Table
from cladewise.taxonomy.labels import folded, near_duplicates, tidy
from cladewise.taxonomy.problems import Problem, some
from cladewise.taxonomy.tree import IntArray, StrArray, Taxonomy


@dataclasses.dataclass(frozen=True)
class Edges:
    """An edge list with its rows resolved.

    Attributes:
        row: Row that each node is defined by; -1 for a root that no row defines.
        parent: Position of each node's parent; -1 at a root.
        key: What each node is called by others.
    """

    row: IntArray
    parent: IntArray
    key: pl.Series


def resolve_edges(
    table: Table, columns: EdgeColumns, *, parents: Parents = "error", roots: Roots = "error"
) -> tuple[Edges, list[Problem]]:
    """Give every node a position and find its parent's; list whatever stands in the way."""
    frame = table.frame.select(key=pl.col(columns.key), parent=pl.col(columns.parent), name=pl.col(columns.name))
    frame = frame.with_row_index("row").with_columns(root=pl.col("parent").str.strip_chars() == "")
    problems = [] if columns.has_ids else _blank(table, frame)
    if columns.has_ids:
        blank = (pl.col("name").str.strip_chars() == "") & ~pl.col("root") | (pl.col("key").str.strip_chars() == "")
        problems += [Problem(table.line(r), "blank", "a row without a name", "error") for r in _rows(frame, blank)]
    distinct = frame.unique(["key", "parent"], keep="first", maintain_order=True)
    problems += _several_rows(table, frame, distinct, columns, parents)
    single = distinct.unique("key", keep="last" if parents == "last" else "first", maintain_order=True).sort("row")
    explicit = single.filter(pl.col("root"))
    told = distinct if parents == "error" else single
    undefined = (
        told.filter(~pl.col("root") & ~pl.col("parent").is_in(single["key"].implode()))
        .group_by("parent", maintain_order=True)
        .agg(pl.col("row").first(), pl.col("key").first())
    )
    implied = undefined if explicit.height == 0 else undefined.clear()
    problems += _wrong_roots(table, explicit, implied, roots)
    if explicit.height:
        keys = single["key"].to_list() if undefined.height else []
        near = {folded(key): key for key in keys}
        for above, row, key in undefined.iter_rows():
            guess = near.get(folded(above))
            hint = f" (is it {guess!r}?)" if guess else ""
            text = f"parent {above!r} of {key!r}, which no row defines{hint}"
            problems.append(Problem(table.line(row), "orphan", text))
    keys = pl.concat([implied["parent"].alias("key"), single["key"]])
    position = pl.DataFrame({"parent": keys, "position": np.arange(keys.len())})
    found = single.select("parent", "root").join(position, on="parent", how="left", maintain_order="left")
    known = found.select(pl.when("root").then(None).otherwise(pl.col("position")).fill_null(-1)).to_series()
    parent = np.concatenate([np.full(implied.height, -1), known.to_numpy().astype(np.int64)])
    row = np.concatenate([np.full(implied.height, -1), single["row"].to_numpy().astype(np.int64)])
    problems += _cycles(table, parent, row, keys)
    return Edges(row, parent, keys), problems


def taxonomy_from_edges(
    table: Table, columns: EdgeColumns, *, parents: Parents = "error", roots: Roots = "error"
) -> Taxonomy:
    """Build a tree from an edge list or a node table.

    Ids are kept as the column ``id`` unless they are the node indices; every other column is kept under its name. A
    root row with an id and a blank name is a synthetic root. One parent that has no row of its own is the root.

    Args:
        table: The rows.
        columns: Which column is what.
        parents: What to do with a node that has several parents: fail, or keep the first or the last.
        roots: What to do with several roots: fail, or join whatever there is under a synthetic root.

    Raises:
        InputError: The rows are not a tree.
    """
    table, top = split_synthetic_root(table, columns)
    roots = "join" if top else roots
    edges, problems = resolve_edges(table, columns, parents=parents, roots=roots)
    table.fail(problems)
    if edges.row.size == 0 and not top:
        raise InputError("at least one row", "none", at=table.source)
    frame = table.frame

    def texts(name: str, fallback: pl.Series | None = None) -> StrArray:
        values = strings(frame[name].gather(np.maximum(edges.row, 0)))
        implied = edges.row < 0
        if implied.any():
            values[implied] = "" if fallback is None else strings(fallback.filter(pl.Series(implied)))
        return values

    names = texts(columns.name, edges.key)
    kept = {name: texts(name) for name in columns.extra}
    if columns.has_ids:
        kept = {"id": texts(columns.key, edges.key), **kept}
    above = edges.parent
    level_texts = None if columns.level is None else texts(columns.level)
    if roots == "join":
        above = np.append(-1, above + 1)
        names = _with_first("", names)
        kept = {key: _with_first(top.get(key, ""), values) for key, values in kept.items()}
        level_texts = None if level_texts is None else _with_first(top.get(columns.level or "", ""), level_texts)
    level, level_names = _levels(above, level_texts, table, columns)
    root = int(np.flatnonzero(above < 0)[0])
    tree = Taxonomy.from_parents(
        above,
        names,
        level=level,
        level_names=level_names,
        columns=kept,
        synthetic_root=str(names[root]).strip() == "",
    )
    return _without_index(tree)


def split_synthetic_root(table: Table, columns: EdgeColumns) -> tuple[Table, dict[str, str]]:
    """Take out the row of a synthetic root that has no id: blank in id, parent and name, and not elsewhere."""
    if not columns.has_ids:
        return table, {}
    blank = table.frame.select(pl.all_horizontal(pl.col(columns.key, columns.parent, columns.name) == "")).to_series()
    if blank.sum() != 1:
        return table, {}
    lines = None if table.lines is None else table.lines[~blank.to_numpy()]
    top = table.frame.row(int(blank.arg_true()[0]), named=True)
    return dataclasses.replace(table, frame=table.frame.filter(~blank), lines=lines), top


def edge_problems(
    table: Table, columns: EdgeColumns, *, parents: Parents = "error", roots: Roots = "error"
) -> list[Problem]:
    """Everything wrong or odd about an edge list or a node table."""
    whole = table
    table, top = split_synthetic_root(table, columns)
    problems = resolve_edges(table, columns, parents=parents, roots="join" if top else roots)[1]
    names = table.frame[columns.name].to_list()
    for row, name in enumerate(names):
        if name.strip() and not tidy(name):
            problems.append(Problem(table.line(row), "white-space", f"stray white space in {name!r}", "warning"))
    for first, later in near_duplicates(table.frame[columns.parent].to_list(), names):
        text = f"{names[later]!r} beside {names[first]!r} (line {table.line(first)})"
        problems.append(Problem(table.line(later), "near-duplicate", text, "warning"))
    if not any(problem.severity == "error" for problem in problems):
        try:
            taxonomy_from_edges(whole, columns, parents=parents, roots=roots)
        except InputError as error:
            problems.append(Problem(0, "levels", f"{error.got} at {error.at}"))
    return problems


def edges_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """The edge list ``child,parent`` of a tree, the root and top nodes with an empty parent.

    Levels and further columns are left out, and so is a synthetic root: read it again with ``roots="join"``.

    Raises:
        InputError: A name repeats, so that parents need ids.
    """
    first = 1 if taxonomy.synthetic_root else 0
    names = pl.Series("child", taxonomy.names.tolist(), dtype=pl.String)
    twice = names[first:].is_duplicated()
    if twice.any():
        raise InputError(
            "names that do not repeat",
            some(names[first:].filter(twice).unique().sort().to_list()),
            advice="Write the node table, which has ids.",
        )
    above = names.gather(np.maximum(taxonomy.parents, 0)).to_list()
    above[0] = ""
    return pl.DataFrame([names, pl.Series("parent", above, dtype=pl.String)])[first:]


def _rows(frame: pl.DataFrame, where: pl.Expr) -> list[int]:
    return frame.filter(where)["row"].to_list()


def _blank(table: Table, frame: pl.DataFrame) -> list[Problem]:
    rows = _rows(frame, pl.col("key").str.strip_chars() == "")
    return [Problem(table.line(row), "blank", "a row without a name") for row in rows]


def _several_rows(
    table: Table, frame: pl.DataFrame, distinct: pl.DataFrame, columns: EdgeColumns, parents: Parents
) -> list[Problem]:
    problems: list[Problem] = []
    same = ["key", "parent", "name"]
    for row in frame.filter(~pl.struct(same).is_first_distinct())["row"].to_list():
        problems.append(Problem(table.line(row), "duplicate", "the same node as an earlier row", "warning"))
    renamed = frame.filter(pl.col("name").n_unique().over("key") > 1) if columns.has_ids else frame.clear()
    for (key,), group in renamed.group_by("key", maintain_order=True):
        names = some(group["name"].unique(maintain_order=True).to_list())
        text = f"id {key!r} for several names: {names}"
        problems.append(Problem(table.line(group["row"][1]), "duplicate", text))
    if parents == "error":
        several = distinct.filter(pl.len().over("key") > 1)
        for (key,), group in several.group_by("key", maintain_order=True):
            above = some([parent or "(none)" for parent in group["parent"].to_list()])
            text = f"{group.height} parents of {group['name'][0] or key!r}: {above}"
            problems.append(Problem(table.line(group["row"][1]), "several-parents", text))
    return problems


def _wrong_roots(table: Table, explicit: pl.DataFrame, implied: pl.DataFrame, roots: Roots) -> list[Problem]:
    found, name = (explicit, "name") if explicit.height else (implied, "parent")
    if roots == "join" or found.height < 2:
        return []
    first = found.row(0, named=True)
    return [
        Problem(
            table.line(row["row"]),
            "roots",
            f"another root {row[name]!r} beside {first[name]!r} (line {table.line(first['row'])})",
        )
        for row in found[1:].iter_rows(named=True)
    ]


def _cycles(table: Table, parent: NDArray[np.int64], row: NDArray[np.int64], keys: pl.Series) -> list[Problem]:
    """One problem a cycle, by doubling the stride of every pointer until only cycles are left to land on."""
    size = parent.size
    jump = np.append(np.where(parent < 0, size, parent), size)
    for _ in range(int(size).bit_length() + 1):
        if (jump == size).all():
            return []
        jump = jump[jump]
    waiting = set(np.unique(jump[jump != size]).tolist())
    problems: list[Problem] = []
    while waiting:
        cycle = [min(waiting)]
        while int(parent[cycle[-1]]) != cycle[0]:
            cycle.append(int(parent[cycle[-1]]))
        waiting -= set(cycle)
        names = [str(keys[v]) for v in cycle]
        shown = " → ".join([*names[:6], "..."] if len(names) > 6 else [*names, names[0]])
        problems.append(Problem(table.line(int(row[cycle[0]])), "cycle", f"a cycle: {shown}"))
    return problems


def _levels(
    parents: IntArray, texts: StrArray | None, table: Table, columns: EdgeColumns
) -> tuple[IntArray | None, list[str] | None]:
    """Level of every node and the names of the levels, coarse to fine; the depth where there are none."""
    if texts is None:
        return None, None
    root = int(np.flatnonzero(parents < 0)[0])
    below = np.arange(parents.size) != root
    used = set(texts[below].tolist())
    if (columns.level or "").lower() == "level":
        listed = split_levels(str(texts[root]))
        order = listed if len(listed) > 1 or used <= set(listed) else level_order(parents, texts, root)
    else:
        order = level_order(parents, texts, root)
        if order is None:
            return None, None  # ranks such as "clade" nest in themselves: no levels
    rank = {name: position for position, name in enumerate(order or [], start=1)}
    unknown = sorted(used - set(rank))
    if unknown:
        raise InputError(
            "a level for every node, in one order from coarse to fine",
            some(unknown) if order else "levels that nest in both orders",
            at=table.source,
        )
    series = pl.Series(texts.tolist(), dtype=pl.String).replace_strict(rank, default=0, return_dtype=pl.Int64)
    level = series.to_numpy().astype(np.int64)
    level[root] = 0
    return level, list(order or [])


def _with_first(text: str, values: StrArray) -> StrArray:
    return np.concatenate([np.array([text], dtype=np.dtypes.StringDType()), values])


def _without_index(tree: Taxonomy) -> Taxonomy:
    """Drop ids that say no more than the node index does."""
    ids = tree.columns.get("id")
    if ids is None or not (ids == np.arange(tree.num_nodes).astype(np.dtypes.StringDType())).all():
        return tree
    return Taxonomy(
        tree.parents,
        tree.names,
        level=tree.level,
        level_names=tree.level_names,
        columns={key: values for key, values in tree.columns.items() if key != "id"},
        synthetic_root=tree.synthetic_root,
    )
