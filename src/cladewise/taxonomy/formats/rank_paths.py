"""Taxa whose rows spell out where they stand, with a column for each rank."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.formats.darwin_terms import Terms
from cladewise.taxonomy.formats.levels import LevelNodes, nodes_of_levels, strings
from cladewise.taxonomy.formats.ranks import HYBRIDS, POSITION, RANKS, TOP_RANK, UNRANKED, coarse_to_fine
from cladewise.taxonomy.formats.synonyms import Mask, Rows, Taxa
from cladewise.taxonomy.problems import Problem, some
from cladewise.taxonomy.tree import StrArray

LISTED = 0.9
"""Share of the taxa above others that have a row, from which on a table lists all taxa of a rank."""

BINOMIAL = r"^\S+ (?:\([^)]*\) )?[a-z][^\s.]*(?:\s+[\p{Lu}(&].*)?$"
TRINOMIAL = r"^\S+ (?:\([^)]*\) )?[a-z]\S+ (?:(?:subsp|ssp|var|f)\. ?)?[a-z]\S+"


@dataclasses.dataclass(frozen=True)
class Placed:
    """Nodes with their place in the tree, in the order in which siblings are to stand; one of them is the root.

    Attributes:
        row: The row of each node's own taxon; -1 for a node that is only mentioned by others, and a synthetic root.
        parent: Position of the parent of each; -1 for the root.
        mentioned: The names of the nodes without a row, in order.
        level: Level of each, from 1 on; 0 for the root.
        level_names: Names of the levels, nothing where ranks do not make levels.
    """

    row: Rows
    parent: Rows
    mentioned: StrArray
    level: Rows | None
    level_names: Sequence[str] | None


def placed_by_ranks(taxa: Taxa, terms: Terms, *, join: bool = False) -> tuple[Taxa, Placed, list[Problem]]:
    """Place every taxon below the taxa that its row names, at its own rank.

    Two identifiers are two nodes. A taxon that is named above others and has no row of its own is a node too, except
    where the table has a row for nearly all taxa of that rank: there it is more likely a slip.

    Args:
        taxa: Accepted taxa.
        terms: The columns that are ranks.
        join: Whether taxa of which the coarsest ranks are blank stand at the top; else they are left out.

    Raises:
        InputError: No column is a rank, or no taxon can be placed.
    """
    frame = taxa.table.frame
    ranks = {rank: column for rank, column in terms.ranks.items() if (frame[column].str.strip_chars() != "").any()}
    if not ranks:
        raise InputError("columns named as ranks", some(taxa.table.columns, 20), at=taxa.table.source)
    taxa, problems = _one_row_each(taxa)
    own = _own_ranks(taxa, ranks, terms)
    paths, at = _paths(taxa, own, ranks, terms)
    paths, out, more = _completed(taxa, paths, list(ranks), terms, join)
    problems += more
    if out.all():
        raise InputError(f"a {next(iter(ranks))} for some taxon", "none", at=taxa.table.source)
    kept = np.flatnonzero(~out)
    placed, more = _nodes(taxa, paths, own, at, kept, terms)
    return taxa, placed, problems + more + _told_of_ranks(taxa, own, at, kept)


def _one_row_each(taxa: Taxa) -> tuple[Taxa, list[Problem]]:
    """Drop rows that repeat an identifier with the same name; those with another name are an error."""
    if taxa.key is None:
        return taxa, []
    blank = taxa.key.str.strip_chars() == ""
    again = ~(taxa.key.is_first_distinct() | blank)
    if not again.any():
        return taxa, []
    frame = pl.DataFrame({"key": taxa.key, "name": taxa.name, "rank": taxa.rank})
    differ = (frame.select(pl.struct("name", "rank").n_unique().over("key") > 1).to_series() & ~blank).to_numpy()
    if differ.any():
        row = int(np.flatnonzero(differ & again.to_numpy())[0])
        names = frame.filter(pl.col("key") == taxa.key[row])["name"].unique(maintain_order=True).to_list()
        text = f"identifier {taxa.key[row]!r} for several taxa: {some(names)}"
        return taxa, [Problem(taxa.table.line(row), "duplicate", text)]
    told = taxa.told(again.to_numpy(), "duplicate", "{count} in more than one row: {names}")
    return taxa.only(~again.to_numpy()), [told]


def _own_ranks(taxa: Taxa, ranks: Mapping[str, str], terms: Terms) -> pl.Series:
    """The rank of every row: as it says, else the finest that is filled, or the one that the form of its name shows."""
    silent = taxa.rank == ""
    if not silent.any():
        return taxa.rank
    finest, cell = pl.lit(UNRANKED), pl.lit("")
    for rank, column in ranks.items():
        filled = pl.col(column).str.strip_chars() != ""
        finest = pl.when(filled).then(pl.lit(rank)).otherwise(finest)
        cell = pl.when(filled).then(pl.col(column)).otherwise(cell)
    name = pl.col("name")
    filled_as_named = (name == "") | (name == cell) | finest.is_in(["species", *_below_species(ranks)])
    by_name = (
        pl.when(name.str.contains("×| x "))
        .then(pl.lit("hybrid"))
        .when(name.str.contains(TRINOMIAL))
        .then(pl.lit("subspecies"))
        .when(name.str.contains(BINOMIAL))
        .then(pl.lit("species"))
        .when(name.str.starts_with(cell) & (cell != ""))
        .then(finest)
        .otherwise(pl.lit(UNRANKED))
    )
    rows = taxa.table.frame.select(ranks.values()).with_columns(name=taxa.name).filter(silent)
    found = rows.select(pl.when(filled_as_named).then(finest).otherwise(by_name)).to_series()
    return taxa.rank.scatter(silent.arg_true(), found)


def _below_species(ranks: Mapping[str, str]) -> list[str]:
    return [rank for rank in ranks if POSITION[rank] > POSITION["species"]]


def _paths(
    taxa: Taxa, own: pl.Series, ranks: Mapping[str, str], terms: Terms
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Cells that place each row, none finer than the row's own; and the position of its own column, or -1."""
    columns = list(ranks)
    used = own.unique().to_list()
    column_of = {rank: columns.index(rank) if rank in ranks else -1 for rank in used}
    if "subspecies" in terms.epithets & set(ranks):
        below = [rank for rank in used if POSITION.get(rank, -1) > POSITION["species"] and rank not in ranks]
        column_of |= dict.fromkeys(below, columns.index("subspecies"))
    position = {rank: POSITION.get(rank, len(POSITION)) for rank in used}
    at = own.replace_strict(column_of, return_dtype=pl.Int64).to_numpy()
    depth = own.replace_strict(position, return_dtype=pl.Int64).to_numpy()
    cells: dict[str, pl.Series] = {}
    for number, (rank, column) in enumerate(ranks.items()):
        texts = taxa.table.frame[column]
        blank = (texts.str.strip_chars() == "").to_numpy()
        here = at == number
        above = depth > POSITION[rank]
        if rank == "subspecies" and rank in terms.epithets:
            above = np.zeros_like(here)  # an infraspecific epithet is always the taxon's own
        finer = ~blank & ~here & ~above
        if finer.any():
            texts = texts.scatter(np.flatnonzero(finer), "")
        unnamed = np.flatnonzero(here & blank)
        if unnamed.size:
            texts = texts.scatter(unnamed, _own_cells(taxa, unnamed, rank, ranks, terms))
        cells[rank] = texts
    return pl.DataFrame(cells), at


def _own_cells(taxa: Taxa, rows: Rows, rank: str, ranks: Mapping[str, str], terms: Terms) -> pl.Series:
    """What the cell of a row's own rank would hold: its name or, for an epithet, what follows the genus."""
    names = taxa.name.gather(rows)
    if rank not in terms.epithets:
        return names
    if rank != "species" or "genus" not in ranks:
        return names.clear().extend_constant("", rows.size)
    frame = pl.DataFrame({"name": names, "genus": taxa.table.frame[ranks["genus"]].gather(rows)})
    prefix = pl.col("genus") + " "
    rest = pl.when(pl.col("name").str.starts_with(prefix)).then(pl.col("name").str.strip_prefix(prefix))
    return frame.select(rest.otherwise(pl.lit(""))).to_series()


def _completed(
    taxa: Taxa, paths: pl.DataFrame, ranks: list[str], terms: Terms, join: bool
) -> tuple[pl.DataFrame, Mask, list[Problem]]:
    """Complete paths that begin too low, where other rows have their beginning in one place; leave out the others."""
    tops = [rank for rank in ranks if POSITION[rank] <= POSITION[TOP_RANK]] or ranks[:1]
    lost = paths.select(pl.all_horizontal(pl.col(tops).str.strip_chars() == "")).to_series().to_numpy()
    rows = np.flatnonzero(lost)
    if not rows.size:
        return paths, lost, []
    problems: list[Problem] = []
    short = paths[rows].with_row_index("lost")
    found: list[pl.DataFrame] = []
    for number, rank in enumerate(ranks):
        if rank in tops or rank in terms.epithets:
            continue
        above = ranks[:number]
        begins = short.filter((pl.col(rank) != "") & pl.all_horizontal(pl.col(above) == ""))
        known = (
            paths.select(*above, rank)
            .filter(pl.Series(~lost) & pl.col(rank).is_in(begins[rank].implode()))
            .unique()
            .filter(pl.len().over(rank) == 1)
        )
        found.append(begins.select("lost", rank).join(known, on=rank).select("lost", *above))
    for places in found:
        where = rows[places["lost"].to_numpy()]
        for rank in places.columns[1:]:
            paths = paths.with_columns(paths[rank].scatter(where, places[rank]))
        lost[where] = False
    missing = " or ".join(tops)
    mended = np.setdiff1d(rows, np.flatnonzero(lost))
    if mended.size:
        text = f"{{count}} without a {missing}, put where other rows have the same name: {{names}}"
        problems.append(taxa.told(mended, "unplaced", text))
    rows = np.flatnonzero(lost)
    if rows.size:
        what = "put at the top" if join else "left out"
        problems.append(taxa.told(rows, "unplaced", f"{{count}} without a {missing}, {what}: {{names}}"))
    if join:
        return paths, np.zeros_like(lost), problems
    if rows.size:
        paths = paths.with_columns(paths[rank].scatter(rows, "") for rank in ranks)
    return paths, lost, problems


def _nodes(
    taxa: Taxa, paths: pl.DataFrame, own: pl.Series, at: Rows, kept: Rows, terms: Terms
) -> tuple[Placed, list[Problem]]:
    """Number the distinct beginnings of the paths, and give every row a node of its own."""
    prefixes = nodes_of_levels(paths, paths.columns)
    size = prefixes.parents.size
    reached = prefixes.node_of_row[kept]
    named = prefixes.level[reached] == at[kept] + 1  # the path ends in the row's own taxon, rather than above it
    row = np.full(size, -1)
    _assign(row, kept[named], reached[named], taxa, prefixes, paths.columns, terms)
    taken = np.zeros(paths.height, dtype=np.bool_)
    taken[row[row >= 0]] = True
    rest = ~taken[kept]
    extra = kept[rest]
    under = np.where(named, prefixes.parents[reached], reached)[rest]
    slips = _slips(prefixes, row, under)
    above = prefixes.parents
    for _ in paths.columns:
        above = np.where(slips[above], above[above], above)
    problems: list[Problem] = []
    below = np.concatenate([row[(row >= 0) & slips[prefixes.parents]], extra[slips[under]]])
    if below.size:
        text = "{count} below taxa that have no row, as nearly all others have, put under the next coarser: {names}"
        problems.append(taxa.told(np.sort(below), "unlisted", text))
    rows = np.append(row, extra)
    parent = np.append(above, np.where(slips[under], above[under], under))
    parent[0] = -1
    order = np.argsort(np.append(prefixes.first_row, extra), kind="stable")
    order = order[~np.append(slips, np.zeros(extra.size, dtype=np.bool_))[order]]
    new_by_old = np.full(rows.size, -1)
    new_by_old[order] = np.arange(order.size)
    parent = parent[order]
    row = rows[order]
    column = np.append(prefixes.level - 1, np.full(extra.size, -1))[order]
    level, level_names = _levels(row, column, own, paths.columns)
    mentioned = _mentioned_names(prefixes, order[row < 0], paths.columns, terms)
    return Placed(row, np.where(parent < 0, -1, new_by_old[parent]), mentioned, level, level_names), problems


def _assign(
    row: Rows, rows: Rows, nodes: Rows, taxa: Taxa, prefixes: LevelNodes, ranks: list[str], terms: Terms
) -> None:
    """Choose the row of each node: the one that has its very name, else the first."""
    reached, first = np.unique(nodes, return_index=True)
    row[reached] = rows[first]
    several = np.flatnonzero(np.bincount(nodes, minlength=row.size)[nodes] > 1)
    if several.size:
        wanted = _mentioned_names(prefixes, nodes[several], ranks, terms)
        exact = several[(strings(taxa.name.gather(rows[several])) == wanted)][::-1]
        row[nodes[exact]] = rows[exact]


def _slips(prefixes: LevelNodes, row: Rows, under: Rows) -> Mask:
    """Nodes without a row at a level where nearly all that have others below them have one."""
    inner = np.zeros(row.size, dtype=np.bool_)
    inner[prefixes.parents[1:]] = True
    inner[under] = True
    inner[0] = False
    without = inner & (row < 0)
    all_of_level = np.bincount(prefixes.level[inner], minlength=int(prefixes.level.max()) + 1)
    missing = np.bincount(prefixes.level[without], minlength=all_of_level.size)
    listed = missing <= (1 - LISTED) * all_of_level
    return without & listed[prefixes.level]


def _levels(row: Rows, column: Rows, own: pl.Series, ranks: list[str]) -> tuple[Rows, list[str]]:
    """Level of every node, and the ranks that are in use, coarse to fine."""
    texts = pl.Series(["", *ranks]).gather(np.where(row < 0, column + 1, 0))
    rank = texts.zip_with(pl.Series(row < 0), own.gather(np.maximum(row, 0)))
    names = coarse_to_fine(sorted(set(rank.unique().to_list()) - {""}))
    level = rank.replace_strict({"": 0, **{name: k for k, name in enumerate(names, start=1)}}, return_dtype=pl.Int64)
    return level.to_numpy(), names


def _mentioned_names(prefixes: LevelNodes, nodes: Rows, ranks: list[str], terms: Terms) -> StrArray:
    """Names of nodes as their cells have them, but an epithet after its genus in a table that has whole names."""
    names = prefixes.names[nodes]
    if not terms.names or "species" not in ranks or "genus" not in ranks:
        return names
    species, genus = ranks.index("species") + 1, ranks.index("genus") + 1
    above = nodes
    for _ in range(species - genus):
        above = np.where(prefixes.level[above] > genus, prefixes.parents[above], above)
    short = (prefixes.level[nodes] == species) & (prefixes.level[above] == genus) & ~np.strings.count(names, " ").astype(bool)
    names[short] = prefixes.names[above[short]] + " " + names[short]
    return names


def _told_of_ranks(taxa: Taxa, own: pl.Series, at: Rows, kept: Rows) -> list[Problem]:
    """Ranks without a column above the species, whose taxa can only be leaves, and ranks that are not known."""
    rank = own.gather(kept)
    problems: list[Problem] = []
    for wanted, text in (
        (
            [name for name in rank.unique().to_list() if POSITION.get(name, len(RANKS)) < POSITION["hybrid"] and name not in HYBRIDS],
            "{count} of ranks that have no column (RANKS) are leaves, since no row tells what is below them: {names}",
        ),
        (
            [name for name in rank.unique().to_list() if name not in POSITION and name != UNRANKED],
            "{count} of a rank that is not known (RANKS), put below all others: {names}",
        ),
    ):
        rows = kept[rank.is_in(wanted).to_numpy() & (at[kept] < 0)]
        if rows.size:
            told = coarse_to_fine(own.gather(rows).unique().sort().to_list())
            problems.append(taxa.told(rows, "rank", text.replace("RANKS", some(told).replace("{", "{{").replace("}", "}}"))))
    return problems
