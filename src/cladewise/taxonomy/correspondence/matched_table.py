"""The table ``matched.csv``: correspondences of two trees as people read and edit them.

One row per pair of corresponding nodes, or per node without a counterpart, in columns ``old``, ``new`` (whole paths,
blank for none), ``change``, ``certainty``, ``evidence`` and ``ask`` (``yes`` if a person must decide). Where nodes
share a path, the columns ``old_id`` and ``new_id`` tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.arrays import IntArray, strings
from cladewise.taxonomy.checks.problems import ADVICE, raise_first, some
from cladewise.taxonomy.correspondence.correspondence import CHANGES, Correspondence
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.delimited import read_delimited
from cladewise.taxonomy.formats.tables.table import Table, is_parquet, read_parquet_table, write_table_file
from cladewise.taxonomy.names.columns import ID
from cladewise.taxonomy.names.lookup import find_all
from cladewise.taxonomy.tree import Taxonomy

COLUMNS = ("old", "new", "change", "certainty", "evidence", "ask")
YES, NO = "yes", "no"
_DECIDE = "To accept a row, clear its ask; to refuse it, delete it, or clear its new if the old node has no other row."


def write_matched(correspondence: Correspondence, path: str | PathLike[str]) -> None:
    """Write correspondences as a table, ``.csv``, ``.tsv`` or ``.parquet``; the ones to decide have ``yes`` in ``ask``.

    Example:
        >>> old, new = Taxonomy.from_paths([("fruit", "kaki")]), Taxonomy.from_paths([("fruit", "persimmon")])
        >>> path = getfixture("tmp_path") / "matched.csv"
        >>> found = Correspondence.from_pairs(old, new, [(1, 1), (2, 2)], certainty=[1, 0.5], ask=[False, True])
        >>> write_matched(found, path)
        >>> print(path.read_text().rstrip())
        old,new,change,certainty,evidence,ask
        fruit,fruit,same,1,,
        fruit/kaki,fruit/persimmon,renamed,0.5,,yes
    """
    write_table_file(pl.DataFrame(matched_columns(correspondence)), Path(path))


def matched_columns(correspondence: Correspondence) -> dict[str, list[str]]:
    """The texts of the table by column."""
    columns: dict[str, list[str]] = {}
    ids: dict[str, list[str]] = {}
    sides = (
        ("old", correspondence.old, correspondence.old_nodes),
        ("new", correspondence.new, correspondence.new_nodes),
    )
    for side, tree, nodes in sides:
        texts = [*path_texts(tree).tolist(), ""]  # -1 is the blank at the end
        columns[side] = [texts[node] for node in nodes.tolist()]
        if distinguished := distinguishing_ids(tree):
            ids[f"{side}_id"] = [distinguished.get(node, "") for node in nodes.tolist()]
    columns["change"] = correspondence.change.tolist()
    columns["certainty"] = [f"{certainty:.4g}" for certainty in correspondence.certainty.tolist()]
    columns["evidence"] = correspondence.evidence.tolist()
    columns["ask"] = [YES if ask else "" for ask in correspondence.ask.tolist()]
    return {**columns, **ids}


def read_matched(
    path: str | PathLike[str], old: Taxonomy, new: Taxonomy, *, undecided: Literal["error", "keep"] = "error"
) -> Correspondence:
    """Read a table that :func:`write_matched` wrote and a person may have edited.

    A blank ``change`` follows from the rows, a blank ``certainty`` is 1, and new nodes without a row are added ones.
    Further columns are ignored. Paths are looked up as by :meth:`~cladewise.taxonomy.Taxonomy.find`.

    Args:
        path: The table.
        old: The old tree.
        new: The new tree.
        undecided: Whether rows with ``yes`` in ``ask`` are an error, or kept.

    Raises:
        InputError: A column is missing, a path is unknown or blank in both trees, an old node has no row, a pair has
            two, a change contradicts the rows, a certainty is not in [0, 1], or a row is left to decide.

    Example:
        >>> old, new = Taxonomy.from_paths([("apple",), ("kaki",)]), Taxonomy.from_paths([("apple",), ("fig",)])
        >>> path = getfixture("tmp_path") / "matched.csv"
        >>> header = "old,new,change,certainty,evidence,ask"
        >>> _ = path.write_text(f"{header}\\napple,apple,,,,\\nkaki,,renamed,,,\\n,fig,,,,\\n")
        >>> read_matched(path, old, new)
        Traceback (most recent call last):
        ...
        cladewise.errors.InputError: Expected 'removed', which the rows say, but got 'renamed' for 'kaki' at ...:3.
        Correct the row, or leave its change blank.
    """
    source = Path(path)
    table = opened_table(source)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"the columns {', '.join(COLUMNS)}",
            f"{some(table.columns, 10)}, without {', '.join(missing)},",
            at=str(source),
            advice="Such a table is written by: cladewise taxonomy match OLD NEW --out matched.csv.",
        )
    cells = {name: table.frame[name].to_list() for name in table.columns if name in (*COLUMNS, "old_id", "new_id")}
    nodes = [_nodes(table, cells, side, tree) for side, tree in (("old", old), ("new", new))]
    asked = _asked(table, cells["ask"], undecided)
    certainty = _certainties(table, cells["certainty"])
    _check_rows(table, old, *nodes)
    return _built(table, cells, old, new, nodes, certainty, asked)


def opened_table(path: Path) -> Table:
    """The cells of a table of correspondences.

    Raises:
        InputError: It is no table, or its header does not name the columns.
    """
    if is_parquet(path):
        return read_parquet_table(path)
    try:
        table = read_delimited(path, ReadOptions(header="first"))
        raise_first(table.problems, table.source, checkable=False)
        return table
    except InputError as error:
        if not error.advice.startswith(ADVICE["column-name"]):
            raise
        advice = f"Its first line names the columns {', '.join(COLUMNS)}."
        raise InputError(error.expected, error.got, at=error.at, advice=advice) from None


def distinguishing_ids(tree: Taxonomy) -> dict[int, str]:
    """Texts that tell nodes of the same path apart, by node: their ids or, without different ids, their numbers.

    Example:
        >>> distinguishing_ids(Taxonomy([-1, 0, 0, 0], ["", "sp.", "sp.", "alba"], columns={"id": ["", "7", "9", "8"]}))
        {1: '7', 2: '9'}
    """
    paths = path_texts(tree)
    order = np.argsort(paths, kind="stable")
    texts = paths[order]
    equal = np.concatenate([[False], texts[1:] == texts[:-1], [False]])
    shared = order[equal[1:] | equal[:-1]].tolist()
    ids = [str(tree.columns[ID][node]) for node in shared] if ID in tree.columns else []
    usable = len(set(ids)) == len(shared) and "" not in ids
    return dict(zip(shared, ids if usable else map(str, shared), strict=True))


def _nodes(table: Table, cells: dict[str, list[str]], side: str, tree: Taxonomy) -> IntArray:
    """Node of each row in one tree, -1 for a blank."""
    paths = path_texts(tree).tolist()
    known = {path: node for node, path in enumerate(paths) if path}
    shared = distinguishing_ids(tree)
    by_id = {(paths[node], text): node for node, text in shared.items()}
    several = {paths[node] for node in shared}
    found = np.full(table.frame.height, -1)
    rest: list[int] = []
    for row, text in enumerate(cells[side]):
        if text in several:
            found[row] = _of_shared(table, row, by_id, text, cells.get(f"{side}_id"), side)
        elif text:
            found[row] = known.get(text, -1)
            rest += [row] if found[row] < 0 else []
    if rest:
        lines: dict[str, int] = {}
        for row in rest:
            lines.setdefault(cells[side][row], table.line(row))
        found[rest] = find_all(
            tree,
            [cells[side][row] for row in rest],
            at=table.source,
            place=lambda label: f"line {lines[str(label)]}",
            expected=f"paths in the column {side} that each name one node of the {side} tree",
            advice="Correct them, or leave the cell blank if the node has no counterpart.",
        )
    return found


def _of_shared(
    table: Table, row: int, by_id: dict[tuple[str, str], int], text: str, ids: list[str] | None, side: str
) -> int:
    id_ = ids[row] if ids else ""
    if (text, id_) not in by_id:
        known = [other for path, other in by_id if path == text]
        raise InputError(
            f"one of {some(known)} in the column {side}_id, since several nodes have the path {text!r}",
            repr(id_),
            at=f"{table.source}:{table.line(row)}",
        )
    return by_id[text, id_]


def _asked(table: Table, cells: list[str], undecided: str) -> NDArray[np.bool_]:
    words = [cell.strip().lower() for cell in cells]
    for row, word in enumerate(words):
        if word not in (YES, NO, ""):
            raise InputError("yes, no or a blank in the column ask", repr(cells[row]), at=_at(table, row))
    asked = np.array([word == YES for word in words], dtype=np.bool_)
    if undecided == "error" and asked.any():
        rows = np.flatnonzero(asked).tolist()
        number = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
        lines = ", ".join(str(table.line(row)) for row in rows[:10]) + (", ..." if len(rows) > 10 else "")
        raise InputError(
            "rows that are all decided", f"{number} with ask=yes", at=f"{table.source}: line {lines}", advice=_DECIDE
        )
    return asked


def _certainties(table: Table, cells: list[str]) -> NDArray[np.float64]:
    found = np.ones(len(cells))
    for row, cell in enumerate(cells):
        if cell.strip():
            try:
                found[row] = float(cell)
            except ValueError:
                found[row] = np.nan
            if not 0 <= found[row] <= 1:
                raise InputError("a certainty from 0 to 1, or a blank", repr(cell), at=_at(table, row))
    return found


def _check_rows(table: Table, old: Taxonomy, old_nodes: IntArray, new_nodes: IntArray) -> None:
    """Refuse blank rows, equal rows, contradictory ones, and old nodes without a row."""
    blank = np.flatnonzero((old_nodes < 0) & (new_nodes < 0))
    if blank.size:
        raise InputError("a path in old or new", "a row with neither", at=_at(table, int(blank[0])))
    first: dict[tuple[int, int], int] = {}
    alone: dict[tuple[str, int], int] = {}
    for row, (u, v) in enumerate(zip(old_nodes.tolist(), new_nodes.tolist(), strict=True)):
        if first.setdefault((u, v), row) != row:
            said = f"the same pair as in line {table.line(first[u, v])}"
            raise InputError("each pair of nodes once", said, at=_at(table, row))
        if u < 0 or v < 0:
            alone["new" if u < 0 else "old", max(u, v)] = row
    for row, (u, v) in enumerate(zip(old_nodes.tolist(), new_nodes.tolist(), strict=True)):
        for side, node in (("old", u), ("new", v)):
            if u >= 0 and v >= 0 and (side, node) in alone:
                without = table.line(alone[side, node])
                text = table.frame[side][row]
                raise InputError(
                    f"{text!r} of the {side} tree with a counterpart or without",
                    f"one here, and none in line {without},",
                    at=_at(table, row),
                    advice="Delete one of the two rows.",
                )
    lowest = 1 if old.synthetic_root else 0
    without = np.setdiff1d(np.arange(lowest, old.num_nodes), old_nodes)
    if without.size:
        names = some([old.path_name(node) for node in without.tolist()[:4]], 3)
        raise InputError(
            "a row for each node of the old tree",
            f"none for {without.size}: {names}",
            at=table.source,
            advice="Add a row for each; leave its new blank if the node was removed.",
        )


def _built(
    table: Table,
    cells: dict[str, list[str]],
    old: Taxonomy,
    new: Taxonomy,
    nodes: Sequence[IntArray],
    certainty: NDArray[np.float64],
    asked: NDArray[np.bool_],
) -> Correspondence:
    added = np.setdiff1d(np.arange(1 if new.synthetic_root else 0, new.num_nodes), nodes[1])
    old_nodes = np.concatenate([nodes[0], np.full(added.size, -1)])
    new_nodes = np.concatenate([nodes[1], added])
    found = Correspondence.from_rows(
        old,
        new,
        old_nodes,
        new_nodes,
        certainty=np.concatenate([certainty, np.ones(added.size)]),
        evidence=strings([*cells["evidence"], *[""] * added.size]),
        ask=np.concatenate([asked, np.zeros(added.size, dtype=np.bool_)]),
    )
    right = dict(zip(zip(found.old_nodes.tolist(), found.new_nodes.tolist(), strict=True), found.change, strict=True))
    for row, pair in enumerate(zip(nodes[0].tolist(), nodes[1].tolist(), strict=True)):
        said = cells["change"][row].strip()
        if said and said not in CHANGES:
            raise InputError(f"a change among {', '.join(CHANGES)}", repr(said), at=_at(table, row))
        if said and said != right[pair]:
            name = cells["old"][row] or cells["new"][row]
            raise InputError(
                f"{right[pair]!r}, which the rows say",
                f"{said!r} for {name!r}",
                at=_at(table, row),
                advice="Correct the row, or leave its change blank.",
            )
    return found


def _at(table: Table, row: int) -> str:
    return f"{table.source}:{table.line(row)}"
