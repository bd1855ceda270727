"""Placement of taxa by the identifiers of their parents."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.edge_columns import EdgeColumns
from cladewise.taxonomy.formats.tables.edge_list import ResolvedEdges, resolve_edges
from cladewise.taxonomy.formats.tables.level_order import nested_order
from cladewise.taxonomy.formats.taxa.rank_paths import Placed, nameless
from cladewise.taxonomy.formats.taxa.ranks import POSITION, RANKS, TOP_RANK, UNRANKED, coarse_to_fine
from cladewise.taxonomy.formats.taxa.synonyms import Rows, Taxa

EDGES = EdgeColumns(key="key", parent="parent", name="name", level=None, extra=())


def placed_by_parents(taxa: Taxa, options: ReadOptions) -> tuple[Placed | None, list[Problem]]:
    """Place every taxon below its parent.

    A single taxon without a parent is the root. Several are siblings if they have the same rank, or are kingdoms or
    coarser; otherwise ``roots="join"`` is needed. A single parent without a row is a root without a name.
    """
    frame = pl.DataFrame({"key": taxa.key, "parent": taxa.parent, "name": taxa.name})
    edges, problems = resolve_edges(
        dataclasses.replace(taxa.table, frame=frame), EDGES, parents=options.parents, roots="join"
    )
    top = np.flatnonzero(edges.parent < 0)
    if top.size > 1 or edges.row.size == 1:
        problems += nameless(taxa, edges.row[top][edges.row[top] >= 0])
    if top.size > 1 and options.roots != "join" and not _wrong(problems):
        problems += _apart(taxa, edges, top)
    if _wrong(problems):
        return None, problems
    row, parent, further = edges.row, edges.parent, edges.further
    if top.size > 1:
        undefined = row < 0
        parent = np.where((parent >= 0) & undefined[parent], -1, parent)[~undefined]
        row = np.append(-1, row[~undefined])
        position = np.cumsum(~undefined)  # of each node after the new root
        parent = np.append(-1, np.where(parent < 0, 0, position[parent]))
        kept = ~undefined[further].any(axis=1)
        further = position[further[kept]].astype(np.int64)  # an undefined taxon is the new root
    level, names, more = _levels(taxa, row, parent)
    mentioned = np.array([""] * int((row < 0).sum()), dtype=np.dtypes.StringDType())
    return Placed(row, parent, mentioned, level, names, further), problems + more


def _wrong(problems: list[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def _apart(taxa: Taxa, edges: ResolvedEdges, top: Rows) -> list[Problem]:
    """An error if the taxa without a parent have different ranks."""
    if (edges.row[top] < 0).any():
        text = f"{top.size} parents that have no row: {some(edges.key.gather(top[:4]).to_list(), 3)}"
        return [Problem(0, "roots", text)]
    rows = edges.row[top]
    ranks = taxa.rank.gather(rows).to_list()
    positions = [POSITION.get(rank, len(RANKS)) for rank in ranks]
    if (len(set(ranks)) == 1 and ranks[0]) or max(positions) <= POSITION[TOP_RANK]:
        return []
    coarse, fine = int(rows[np.argmin(positions)]), int(rows[np.argmax(positions)])
    shown = [f"{taxa.name[row]!r} ({taxa.rank[row] or 'no rank'})" for row in (fine, coarse)]
    text = f"{top.size:,} taxa without a parent, {shown[0]} next to {shown[1]}"
    return [Problem(taxa.table.line(fine), "roots", text)]


def _levels(taxa: Taxa, row: Rows, parent: Rows) -> tuple[Rows | None, list[str] | None, list[Problem]]:
    """Level of every node by its rank; None if ranks are missing or nest in both orders."""
    if (taxa.rank == "").all():
        return None, None, []
    rank = taxa.rank.gather(np.maximum(row, 0)).replace("", UNRANKED)
    below = pl.Series(parent >= 0)
    pairs = pl.DataFrame({"inner": rank, "outer": rank.gather(np.maximum(parent, 0))})
    seen = coarse_to_fine(rank.filter(below).unique(maintain_order=True).to_list())
    inside = pl.Series((parent >= 0) & (parent != np.argmin(parent)))
    nested = pairs.filter(inside).unique(maintain_order=True).rows()
    order = nested_order(nested, seen)
    if order is None:
        wrong = next((pair for pair in nested if pair[0] == pair[1]), nested[0])
        inner = pairs.with_row_index("node").filter(inside, inner=wrong[0], outer=wrong[1])
        text = f"{{count}} of the rank {wrong[0]!r} under {wrong[1]!r}, so depths are used as levels: {{names}}"
        return None, None, [taxa.told(row[inner["node"].to_numpy()], "rank", text)]
    numbers = {name: number for number, name in enumerate(order, start=1)}
    level = rank.replace_strict(numbers, default=0, return_dtype=pl.Int64).to_numpy()
    return np.where(parent < 0, 0, level), order, []
