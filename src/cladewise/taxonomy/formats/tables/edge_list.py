"""Edge lists and node tables: one row per node, with the name or id of its parent."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.checks.odd_names import NodeNames, eye, row_lines
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.growing import without_index_ids
from cladewise.taxonomy.formats.options import Parents, ReadOptions, Roots
from cladewise.taxonomy.formats.tables.edge_columns import EdgeColumns
from cladewise.taxonomy.formats.tables.interpretation import Interpretation
from cladewise.taxonomy.formats.tables.level_order import level_order, split_levels
from cladewise.taxonomy.formats.tables.level_table import string_array
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.further_edges import COLUMN, edge_on_cycle
from cladewise.taxonomy.names.columns import split_names
from cladewise.taxonomy.order import cycle_text, cycles
from cladewise.taxonomy.several_parents import most_specific_first
from cladewise.taxonomy.tree import IntArray, StrArray, Taxonomy

MARKS_FOR_NONE = ("0", "-1", "0.0", "-1.0", "#")
"""Values for the parent of a root in numeric tables and jsTree, unless a row has them as its id."""

WORDS_FOR_NONE = ("null", "none", "nan", "na", "n/a", "<na>", "nil", "-", "--", "nd")
"""Words for the parent of a root, in lower case; reported, since a label could have such a name."""


@dataclasses.dataclass(frozen=True)
class ResolvedEdges:
    """An edge list with its rows resolved.

    Attributes:
        row: Row that defines each node; -1 for a root that no row defines.
        parent: Position of each node's parent; -1 at a root.
        key: Text by which other rows refer to each node.
        further: Pairs of positions (node, further parent), of shape ``[edge, 2]``.
    """

    row: IntArray
    parent: IntArray
    key: pl.Series
    further: IntArray


def interpret_edges(table: Table, columns: EdgeColumns, options: ReadOptions) -> Interpretation:
    """Interpret a table as an edge list or a node table.

    Ids are kept as the column ``id`` unless they are the node indices; other columns are kept under their names. A root
    row with an id and a blank name is a synthetic root. A single parent without a row is the root. A column
    ``further_parents`` holds the ids of further parents with ``|`` between them, as node tables write it.
    """
    table, top = split_synthetic_root(table, columns)
    roots: Roots = "join" if top else options.roots
    edges, problems = resolve_edges(table, columns, parents=options.parents, roots=roots)
    names = _names(table, edges, columns)
    nodes = NodeNames(names, edges.parent, row_lines(edges.row, table.all_lines()))
    return Interpretation(
        problems=[*problems, *_other_texts(table, columns)],
        nodes=nodes,
        build=lambda: _build(table, columns, edges, string_array(names), roots, top),
        oddities=lambda: _same_rows(table, columns),
    )


def resolve_edges(
    table: Table, columns: EdgeColumns, *, parents: Parents = "error", roots: Roots = "error"
) -> tuple[ResolvedEdges, list[Problem]]:
    """Number the nodes and find their parents; list the problems.

    With ``parents="all"`` the primary parent is the first listed one that is not an ancestor of another.
    """
    frame = table.frame.select(key=pl.col(columns.key), parent=pl.col(columns.parent), name=pl.col(columns.name))
    frame, told = _without_conventions(table, frame.with_row_index("row"))
    frame = frame.with_columns(root=pl.col("parent").str.strip_chars() == "")
    problems = told if columns.has_ids else told + _blank(table, frame)
    if columns.has_ids:
        blank = (pl.col("name").str.strip_chars() == "") & ~pl.col("root") | (pl.col("key").str.strip_chars() == "")
        problems += [Problem(table.line(r), "blank", "a row without a name", "error") for r in _rows(frame, blank)]
    distinct = frame.unique(["key", "parent"], keep="first", maintain_order=True)
    problems += _several_rows(table, frame, distinct, columns, parents)
    if parents == "all":  # a node that has a parent is no root
        distinct = distinct.filter(~pl.col("root") | pl.col("root").all().over("key"))
    single = distinct.unique("key", keep="last" if parents == "last" else "first", maintain_order=True).sort("row")
    explicit = single.filter(pl.col("root"))
    others = _further_rows(table, frame, distinct, single, columns, parents)
    told = distinct if parents in ("error", "all") else single
    if others.height:
        told = pl.concat([told, others], how="diagonal").with_columns(pl.col("root").fill_null(False))
    undefined = (
        told.filter(~pl.col("root") & ~pl.col("parent").is_in(single["key"].implode()))
        .group_by("parent", maintain_order=True)
        .agg(pl.col("row").first(), pl.col("key").first())
    )
    implied = undefined if explicit.height == 0 else undefined.clear()
    problems += _wrong_roots(table, explicit, implied, roots)
    if explicit.height and undefined.height:
        problems += _orphans(table, undefined, single["key"])
    keys = pl.concat([implied["parent"].alias("key"), single["key"]])
    position = pl.DataFrame({"parent": keys, "position": np.arange(keys.len())})
    found = single.select("parent", "root").join(position, on="parent", how="left", maintain_order="left")
    known = found.select(pl.when("root").then(None).otherwise(pl.col("position")).fill_null(-1)).to_series()
    parent = np.concatenate([np.full(implied.height, -1), known.to_numpy().astype(np.int64)])
    row = np.concatenate([np.full(implied.height, -1), single["row"].to_numpy().astype(np.int64)])
    further = _positions_of(others, position)
    further = further[parent[further[:, 0]] != further[:, 1]]
    cyclic = _cycles(table, parent, row, keys)
    if further.size and not cyclic:
        cyclic = _cycles_through_further(table, parent, row, keys, further)
    if further.size and parents == "all" and not cyclic:
        parent, further = _most_specific_first(parent, further)
    return ResolvedEdges(row, parent, keys, further), [*problems, *cyclic]


def _further_rows(
    table: Table,
    frame: pl.DataFrame,
    distinct: pl.DataFrame,
    single: pl.DataFrame,
    columns: EdgeColumns,
    parents: Parents,
) -> pl.DataFrame:
    """Row, node and parent of the edges to further parents: of other rows, and of the column that lists them."""
    found = frame.select("row", "key", "parent").clear()
    if parents == "all" and distinct.height > single.height:
        rest = distinct.join(single.select("row"), on="row", how="anti", maintain_order="left")
        found = rest.select("row", "key", "parent")
    if COLUMN not in columns.extra:
        return found
    cells = frame.select("row", "key", parent=table.frame[COLUMN]).filter(pl.col("parent").str.strip_chars() != "")
    texts = [split_names(cell) for cell in cells["parent"].to_list()]
    named = cells.select("row", "key")[np.repeat(np.arange(len(texts)), [len(names) for names in texts])]
    above = pl.Series("parent", [name for names in texts for name in names], dtype=pl.String)
    return pl.concat([found, named.with_columns(above)])


def _positions_of(edges: pl.DataFrame, position: pl.DataFrame) -> IntArray:
    """Pairs of positions (node, further parent) of the edges whose ends are nodes, in their order."""
    if not edges.height:
        return np.zeros((0, 2), dtype=np.int64)
    pairs = edges.join(position.rename({"parent": "key"}), on="key", maintain_order="left")
    pairs = pairs.join(position.rename({"position": "above"}), on="parent", maintain_order="left")
    return pairs.select("position", "above").unique(maintain_order=True).to_numpy().astype(np.int64)


def _most_specific_first(parent: IntArray, further: IntArray) -> tuple[IntArray, IntArray]:
    """:func:`~cladewise.taxonomy.several_parents.most_specific_first` for any number of roots."""
    above, edges = most_specific_first(np.append(-1, parent + 1), further + 1)
    return above[1:] - 1, edges - 1


def _build(
    table: Table, columns: EdgeColumns, edges: ResolvedEdges, names: StrArray, roots: Roots, top: Mapping[str, str]
) -> Taxonomy:
    """The tree of resolved edges; joined roots get a synthetic root with the texts of ``top``."""
    if edges.row.size == 0 and not top:
        raise InputError("at least one row", "none", at=table.source)
    kept = {name: _texts(table, edges, name) for name in columns.extra if name != COLUMN}
    further = edges.further
    if columns.has_ids:
        kept = {"id": _texts(table, edges, columns.key, edges.key), **kept}
    above = edges.parent
    level_texts = None if columns.level is None else _texts(table, edges, columns.level)
    if roots == "join":
        above, further = np.append(-1, above + 1), further + 1
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
        further_parents=further,
    )
    return without_index_ids(tree)


def _names(table: Table, edges: ResolvedEdges, columns: EdgeColumns) -> pl.Series:
    """Name of every node; a root without a row is named by its key."""
    if not table.frame.height:
        return edges.key
    names = table.frame[columns.name].gather(np.maximum(edges.row, 0))
    implied = pl.Series(edges.row < 0)
    return edges.key.zip_with(implied, names) if implied.any() else names


def _texts(table: Table, edges: ResolvedEdges, name: str, fallback: pl.Series | None = None) -> StrArray:
    """Texts of a column for every node; the fallback's for a root without a row."""
    values = (
        string_array(table.frame[name].gather(np.maximum(edges.row, 0)))
        if table.frame.height
        else string_array(pl.Series([""] * edges.row.size, dtype=pl.String))
    )
    implied = edges.row < 0
    if implied.any():
        values[implied] = "" if fallback is None else string_array(fallback.filter(pl.Series(implied)))
    return values


def split_synthetic_root(table: Table, columns: EdgeColumns) -> tuple[Table, dict[str, str]]:
    """Separate the row of a synthetic root without an id: blank in id, parent and name only."""
    if not columns.has_ids:
        return table, {}
    blank = table.frame.select(pl.all_horizontal(pl.col(columns.key, columns.parent, columns.name) == "")).to_series()
    if blank.sum() != 1:
        return table, {}
    top = table.frame.row(int(blank.arg_true()[0]), named=True)
    return table.where(~blank), top


def edges_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """The edge list ``child,parent`` of a tree, with an empty parent at the root.

    A node with further parents has a row for each, the primary one first; such a file is read with ``parents="all"``.
    Levels, further columns and a synthetic root are left out; with a synthetic root, read it with ``roots="join"``.

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
    child, parent = taxonomy.further_parents.T
    rows = np.argsort(np.concatenate([np.arange(taxonomy.num_nodes), child]), kind="stable")  # primary parents first
    edges = pl.DataFrame(
        {"child": [*names, *names.gather(child)], "parent": [*above, *names.gather(parent)]},
        schema={"child": pl.String, "parent": pl.String},
    )
    return edges[rows][first:]


def _without_conventions(table: Table, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """Normalise parents: blank for conventional values of no parent, ``7`` for ``7.0`` if that is the id.

    Conventional values are ``0``, ``-1``, a word such as ``NULL``, or the node itself, unless a row defines such a
    node. Words and respelt numbers are reported.
    """
    bare = pl.col("parent").str.strip_chars()
    keys = frame["key"].unique().implode()
    odd = frame.filter(~pl.col("parent").is_in(keys) & (bare != "") | (pl.col("parent") == pl.col("key")))
    if not odd.height:
        return frame, []
    word = bare.str.to_lowercase().is_in(WORDS_FOR_NONE) & ~pl.col("parent").is_in(keys)
    number = bare.is_in(MARKS_FOR_NONE) & ~pl.col("parent").is_in(keys)
    itself = pl.col("parent") == pl.col("key")
    whole = bare.str.replace(r"^(-?\d+)\.0+$", "${1}")
    spelled = ~number & (whole != bare) & whole.is_in(keys) & ~pl.col("parent").is_in(keys)
    odd = odd.select("row", "parent", "name", whole=whole, word=word, spelled=spelled, none=word | number | itself)
    problems = [
        Problem(table.line(row), "no-parent", f"parent {parent!r} of {name!r} read as no parent", "warning")
        for row, parent, name in odd.filter("word").select("row", "parent", "name").iter_rows()
    ]
    problems += [
        Problem(table.line(row), "number", f"parent {parent!r} read as the id {id_!r}", "warning")
        for row, parent, id_ in odd.filter("spelled").select("row", "parent", "whole").iter_rows()
    ]
    parent = pl.when("none").then(pl.lit("")).when("spelled").then("whole").otherwise("parent")
    mended = odd.select("row", mended=parent)
    frame = frame.join(mended, on="row", how="left", maintain_order="left")
    return frame.with_columns(parent=pl.coalesce("mended", "parent")).drop("mended"), problems


def _orphans(table: Table, undefined: pl.DataFrame, keys: pl.Series) -> list[Problem]:
    """Problems for parents that no row defines, with a similar key as a hint."""
    alike = pl.DataFrame({"key": keys, "seen": _loosely(keys)}).unique("seen", keep="last")
    wanted = _loosely(undefined["parent"])
    near = dict(alike.filter(pl.col("seen").is_in(wanted.implode())).select("seen", "key").iter_rows())
    known = set(keys.to_list()) if undefined.height else set[str]()
    problems: list[Problem] = []
    for (above, row, key), seen in zip(undefined.iter_rows(), wanted, strict=True):
        hint = f" (is it {near[seen]!r}?)" if seen in near else ""
        parts = [part.strip() for part in re.split(r"[;,|/]", above)]
        if len(parts) > 1 and all(part in known for part in parts):
            hint = ", but each of its parts: write a row for each parent"
        text = f"parent {above!r} of {key!r}, which no row defines{hint}"
        problems.append(Problem(table.line(row), "orphan", text))
    return problems


def _loosely(keys: pl.Series) -> pl.Series:
    """Keys normalised for case, white space and leading zeros."""
    return eye(keys).str.replace(r"^0+(\d)", "${1}")


def _rows(frame: pl.DataFrame, where: pl.Expr) -> list[int]:
    return frame.filter(where)["row"].to_list()


def _blank(table: Table, frame: pl.DataFrame) -> list[Problem]:
    rows = _rows(frame, pl.col("key").str.strip_chars() == "")
    return [Problem(table.line(row), "blank", "a row without a name") for row in rows]


def _other_texts(table: Table, columns: EdgeColumns) -> list[Problem]:
    """Problems for rows that repeat a node and its parent with other texts; the first texts are kept."""
    if not columns.extra or table.frame[columns.key].is_unique().all():
        return []
    edge = list(dict.fromkeys((columns.key, columns.parent, columns.name)))
    rows = (
        table.frame.select(*edge, *columns.extra).with_row_index(" row").unique([*edge, *columns.extra], keep="first")
    )
    again = rows.sort(" row").filter(~pl.struct(edge).is_first_distinct())
    return [
        Problem(table.line(row), "other-texts", f"{name!r} again, with different text", "warning")
        for row, name in again.select(" row", columns.name).iter_rows()
    ]


def _same_rows(table: Table, columns: EdgeColumns) -> list[Problem]:
    """Problems for rows that repeat an earlier row."""
    said = table.frame.select(*dict.fromkeys((columns.key, columns.parent, columns.name)))
    rows = (~said.to_struct("row").is_first_distinct()).arg_true().to_list()
    return [Problem(table.line(row), "duplicate", "the same node as an earlier row", "warning") for row in rows]


def _several_rows(
    table: Table, frame: pl.DataFrame, distinct: pl.DataFrame, columns: EdgeColumns, parents: Parents
) -> list[Problem]:
    problems: list[Problem] = []
    if columns.has_ids and not frame["key"].is_unique().all():
        renamed = frame.filter(pl.col("name").n_unique().over("key") > 1)
        for (key,), group in renamed.group_by("key", maintain_order=True):
            names = some(group["name"].unique(maintain_order=True).to_list())
            text = f"id {key!r} for several names: {names}"
            problems.append(Problem(table.line(group["row"][1]), "duplicate", text))
    if parents == "error" and distinct["key"].is_duplicated().any():
        several = distinct.filter(pl.col("key").is_duplicated())
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
            f"another root {row[name]!r} next to {first[name]!r} (line {table.line(first['row'])})",
        )
        for row in found[1:].iter_rows(named=True)
    ]


def _cycles(table: Table, parent: NDArray[np.int64], row: NDArray[np.int64], keys: pl.Series) -> list[Problem]:
    """One problem per cycle."""
    problems: list[Problem] = []
    for cycle in cycles(parent):
        text = f"a cycle: {cycle_text([str(keys[node]) for node in cycle])}"
        problems.append(Problem(table.line(int(row[cycle[0]])), "cycle", text))
    return problems


def _cycles_through_further(
    table: Table, parent: IntArray, row: IntArray, keys: pl.Series, further: IntArray
) -> list[Problem]:
    """A problem if further parents close a cycle."""
    wrong = edge_on_cycle(parent, further)
    if wrong is None:
        return []
    node, above = wrong
    text = f"a cycle: {str(keys[above])!r} is a parent of {str(keys[node])!r} and a descendant of it"
    return [Problem(table.line(int(row[node])), "cycle", text)]


def _levels(
    parents: IntArray, texts: StrArray | None, table: Table, columns: EdgeColumns
) -> tuple[IntArray | None, list[str] | None]:
    """Level of every node and names of the levels, coarse to fine; None where levels are depths."""
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
