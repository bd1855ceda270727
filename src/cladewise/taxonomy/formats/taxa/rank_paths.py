"""Placement of taxa by their rank columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.tables.level_table import LevelTableNodes, nodes_of_levels, string_array
from cladewise.taxonomy.formats.taxa.darwin_terms import TaxonTerms, plain_term
from cladewise.taxonomy.formats.taxa.ranks import HYBRIDS, POSITION, RANKS, TOP_RANK, UNRANKED, coarse_to_fine
from cladewise.taxonomy.formats.taxa.synonyms import Mask, Rows, Taxa
from cladewise.taxonomy.tree import StrArray

LISTED = 0.9
"""Share of the inner taxa of a rank with a row, from which a table is taken to list all of them."""

FEW = 8
"""Fewest rows for which recurring names are no coincidence."""

BINOMIAL = r"^\S+ (?:\([^)]*\) )?[a-z][^\s.]*(?:\s+[\p{Lu}(&].*)?$"
AUTHORS = r"^ [(\[]?\p{Lu}"
TRINOMIAL = r"^\S+ (?:\([^)]*\) )?[a-z]\S+ (?:(?:subsp|ssp|var|f)\. ?)?[a-z]\S+"


@dataclasses.dataclass(frozen=True)
class Placed:
    """Nodes with their place in the tree, in the order of siblings; one of them is the root.

    Attributes:
        row: Row of each node's taxon; -1 for a synthetic root and nodes that only occur in rank columns of others.
        parent: Position of the parent of each; -1 for the root.
        mentioned: Names of the nodes without a row, in order.
        level: Level of each, from 1; 0 for the root.
        level_names: Names of the levels; None if ranks do not form levels.
        further: Pairs of positions (node, further parent).
    """

    row: Rows
    parent: Rows
    mentioned: StrArray
    level: Rows | None
    level_names: Sequence[str] | None
    further: Rows | None = None


def placed_by_ranks(taxa: Taxa, terms: TaxonTerms, *, join: bool = False) -> tuple[Taxa, Placed, list[Problem]]:
    """Place every taxon below the taxa in its rank columns, at its own rank.

    Two identifiers are two nodes. A taxon that only occurs in rank columns of others is a node too, unless nearly all
    taxa of its rank have a row: then it is more likely a mistake.

    Args:
        taxa: Accepted taxa.
        terms: The columns that are ranks.
        join: Whether taxa with blank coarsest ranks are placed at the top; otherwise they are left out.

    Raises:
        InputError: No column is a rank, or no taxon can be placed.
    """
    frame = taxa.table.frame
    ranks = {rank: column for rank, column in terms.ranks.items() if (frame[column].str.strip_chars() != "").any()}
    if not ranks:
        raise InputError("columns named after ranks", some(taxa.table.columns, 20), at=taxa.table.source)
    taxa, problems = _one_row_each(taxa, ranks)
    own = _own_ranks(taxa, ranks)
    taxa = dataclasses.replace(taxa, name=_without_authors(taxa, own, ranks, terms))
    paths, at, more = _paths(taxa, own, ranks, terms)
    problems += more
    taxa = dataclasses.replace(taxa, name=_named(taxa, paths, at, terms))
    paths, out, more = _completed(taxa, paths, list(ranks), terms, join)
    problems += more
    problems += nameless(taxa, np.flatnonzero(~out))
    if out.all():
        raise InputError(f"a {next(iter(ranks))} for some taxon", "none", at=taxa.table.source)
    kept = np.flatnonzero(~out)
    placed, more = _nodes(taxa, paths, own, at, kept, terms)
    return taxa, placed, problems + more + _told_of_ranks(taxa, own, at, kept)


def nameless(taxa: Taxa, rows: Rows) -> list[Problem]:
    """Errors for rows without a name."""
    blank = (taxa.name.gather(rows).str.strip_chars() == "").to_numpy()
    return [Problem(taxa.table.line(row), "blank", "a row without a name") for row in rows[blank].tolist()]


def _one_row_each(taxa: Taxa, ranks: Mapping[str, str]) -> tuple[Taxa, list[Problem]]:
    """Drop rows that repeat a taxon; an identifier of several taxa is an error.

    If most names recur, a column ``id`` numbers rows, such as photographs, and not taxa.
    """
    key = taxa.key
    problems: list[Problem] = []
    if key is not None and plain_term(key.name) == "id" and 2 * taxa.name.n_unique() < key.len() >= FEW:
        text = f"{{count}} in rows that the column {key.name!r} merely numbers, since their names recur: {{names}}"
        problems.append(taxa.told(np.arange(key.len()), "duplicate", text))
        taxa, key = dataclasses.replace(taxa, key=None), None
    if key is None:
        same = taxa.table.frame.select(ranks.values()).with_columns(_name=taxa.name, _rank=taxa.rank)
        again = ~same.to_struct("row").is_first_distinct()
    else:
        again = ~key.is_first_distinct()
        blank = (key.str.strip_chars() == "").arg_true().to_list()
        problems += [Problem(taxa.table.line(row), "blank", f"a row without {key.name}") for row in blank]
    if not again.any():
        return taxa, problems
    if key is not None:
        several = pl.DataFrame({"key": key, "name": taxa.name, "rank": taxa.rank}).with_row_index("row")
        several = several.filter(
            pl.col("key").is_in(key.filter(again).implode()), pl.col("key").str.strip_chars() != ""
        )
        several = several.unique(["key", "name", "rank"], maintain_order=True)
        wrong = several.filter(pl.len().over("key") > 1).sort("row")
        for row, identifier in wrong.filter(~pl.col("key").is_first_distinct()).select("row", "key").iter_rows():
            names = some(wrong.filter(key=identifier)["name"].to_list())
            text = f"identifier {identifier!r} for several taxa: {names}"
            problems.append(Problem(taxa.table.line(row), "duplicate", text))
    if not problems:
        problems.append(taxa.told(again.to_numpy(), "duplicate", "{count} in more than one row: {names}"))
    return taxa.only(~again.to_numpy()), problems


def _own_ranks(taxa: Taxa, ranks: Mapping[str, str]) -> pl.Series:
    """Rank of every row: as given, otherwise the finest filled one, or inferred from the form of the name."""
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


def _without_authors(taxa: Taxa, own: pl.Series, ranks: Mapping[str, str], terms: TaxonTerms) -> pl.Series:
    """The names without authors, if the column of the taxon's rank has the name alone."""
    name = taxa.name
    for rank, column in ranks.items():
        rows = (own == rank).arg_true()
        if rank in terms.epithets or not rows.len():
            continue
        both = pl.DataFrame({"name": name.gather(rows), "cell": taxa.table.frame[column].gather(rows), "row": rows})
        rest = pl.col("name").str.strip_prefix(pl.col("cell"))
        longer = pl.col("name").str.starts_with(pl.col("cell") + " ") & rest.str.contains(AUTHORS)
        found = both.filter((pl.col("cell") != "") & ~pl.col("cell").str.ends_with(".") & longer)
        if found.height:
            name = name.scatter(found["row"], found["cell"])
    return name


def _below_species(ranks: Mapping[str, str]) -> list[str]:
    return [rank for rank in ranks if POSITION[rank] > POSITION["species"]]


def _paths(
    taxa: Taxa, own: pl.Series, ranks: Mapping[str, str], terms: TaxonTerms
) -> tuple[pl.DataFrame, Rows, list[Problem]]:
    """Cells that place each row, none finer than its rank, and the position of its own column or -1."""
    columns = list(ranks)
    used = own.unique().to_list()
    column_of = {rank: columns.index(rank) if rank in ranks else -1 for rank in used}
    if "subspecies" in terms.epithets & set(ranks):
        below = [rank for rank in used if POSITION.get(rank, -1) > POSITION["species"] and rank not in ranks]
        column_of |= dict.fromkeys(below, columns.index("subspecies"))
    position = {rank: POSITION.get(rank, len(POSITION)) for rank in used}
    at = own.replace_strict(column_of, return_dtype=pl.Int64).to_numpy()
    depth = own.replace_strict(position, return_dtype=pl.Int64).to_numpy()
    one_kind = (depth < POSITION["complex"]) & ~own.is_in(list(HYBRIDS)).to_numpy()
    unused = np.zeros(depth.size, dtype=np.bool_)
    cells: dict[str, pl.Series] = {}
    for number, (rank, column) in enumerate(ranks.items()):
        texts = taxa.table.frame[column]
        blank = (texts.str.strip_chars() == "").to_numpy()
        here = at == number
        above = depth > POSITION[rank]
        if rank == "subspecies" and rank in terms.epithets:
            above = np.zeros_like(here)  # an infraspecific epithet always belongs to the row's own taxon
        finer = ~blank & ~here & ~above
        unused |= finer & one_kind
        cleared = finer | (blank & (texts != "").to_numpy())
        if cleared.any():
            texts = texts.scatter(np.flatnonzero(cleared), "")
        unnamed = np.flatnonzero(here & blank)
        if unnamed.size:
            texts = texts.scatter(unnamed, _own_cells(taxa, unnamed, rank, ranks, terms))
        cells[rank] = texts
    text = "{count} with cells finer than the rank of the row, which are not used: {names}"
    return pl.DataFrame(cells), at, [taxa.told(unused, "rank", text)] if unused.any() else []


def _named(taxa: Taxa, paths: pl.DataFrame, at: Rows, terms: TaxonTerms) -> pl.Series:
    """The names; for a row without one, the cell of its own rank."""
    name = taxa.name
    blank = (name.str.strip_chars() == "").to_numpy()
    for number, rank in enumerate(paths.columns):
        rows = np.flatnonzero(blank & (at == number))
        if rows.size:
            cells = paths[rank].gather(rows)
            if rank == "species" and rank in terms.epithets and terms.names and "genus" in paths.columns:
                cells = (paths["genus"].gather(rows) + " " + cells).str.strip_chars()
            name = name.scatter(rows, cells)
    return name


def _own_cells(taxa: Taxa, rows: Rows, rank: str, ranks: Mapping[str, str], terms: TaxonTerms) -> pl.Series:
    """Text for the cell of a row's own rank: its name or, for an epithet column, the words after the genus."""
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
    taxa: Taxa, paths: pl.DataFrame, ranks: list[str], terms: TaxonTerms, join: bool
) -> tuple[pl.DataFrame, Mask, list[Problem]]:
    """Complete paths without coarse ranks from rows that share their beginning; leave out those that cannot be."""
    tops = [rank for rank in ranks if POSITION[rank] <= POSITION[TOP_RANK]] or ranks[:1]
    lost = paths.select(pl.all_horizontal(pl.col(tops).str.strip_chars() == "")).to_series().to_numpy()
    rows = np.flatnonzero(lost)
    if not rows.size:
        return paths, lost, []
    problems: list[Problem] = []
    short = paths[rows].with_columns(lost=pl.Series(rows))
    donor = np.full(paths.height, -1)  # a row with the missing beginning of the path
    begin = np.zeros(paths.height, dtype=np.int64)
    for number, rank in enumerate(ranks):
        above = ranks[:number]
        begins = short.filter((pl.col(rank) != "") & pl.all_horizontal(pl.col(above) == ""))
        if rank in tops or rank in terms.epithets or not begins.height:
            continue
        same = (paths[rank].is_in(begins[rank].implode()) & pl.Series(~lost)).arg_true()
        known = paths.select(*above, rank)[same].with_columns(donor=same).unique([*above, rank])
        found = begins.join(known.filter(pl.len().over(rank) == 1), on=rank)
        donor[found["lost"].to_numpy()] = found["donor"].to_numpy()
        begin[found["lost"].to_numpy()] = number
    mended = np.flatnonzero(donor >= 0)
    for number, rank in enumerate(ranks[: begin.max()]):
        source = np.where(begin > number, donor, np.arange(paths.height))
        paths = paths.with_columns(paths[rank].gather(source))
    lost[mended] = False
    missing = " or ".join(tops)
    if mended.size:
        text = f"{{count}} without a {missing}, placed where other rows have the same name: {{names}}"
        problems.append(taxa.told(mended, "unplaced", text))
    if join:
        return paths, np.zeros_like(lost), problems
    rows = np.flatnonzero(lost)
    if rows.size:
        problems.append(taxa.told(rows, "unplaced", f"{{count}} without a {missing}, left out: {{names}}"))
    filled = [rank for rank in ranks if rows.size and (paths[rank].gather(rows) != "").any()]
    paths = paths.with_columns(pl.when(pl.Series(lost)).then(pl.lit("")).otherwise(pl.col(filled)).name.keep())
    return paths, lost, problems


def _nodes(
    taxa: Taxa, paths: pl.DataFrame, own: pl.Series, at: Rows, kept: Rows, terms: TaxonTerms
) -> tuple[Placed, list[Problem]]:
    """Number the distinct prefixes of the paths, and give every row a node of its own."""
    prefixes = nodes_of_levels(paths, paths.columns)
    size = prefixes.parents.size
    reached = prefixes.node_of_row[kept]
    named = (at[kept] >= 0) & (
        prefixes.level[reached] == at[kept] + 1
    )  # whether the path ends in the row's own taxon rather than above it
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
        text = (
            "{count} below a taxon without a row, although nearly all others have one; "
            "placed under the next coarser taxon: {names}"
        )
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
    row: Rows, rows: Rows, nodes: Rows, taxa: Taxa, prefixes: LevelTableNodes, ranks: list[str], terms: TaxonTerms
) -> None:
    """Choose the row of each node: the one with exactly its name, otherwise the first."""
    reached, first = np.unique(nodes, return_index=True)
    row[reached] = rows[first]
    several = np.flatnonzero(np.bincount(nodes, minlength=row.size)[nodes] > 1)
    if several.size:
        wanted = _mentioned_names(prefixes, nodes[several], ranks, terms)
        exact = several[(string_array(taxa.name.gather(rows[several])) == wanted)][::-1]
        row[nodes[exact]] = rows[exact]


def _slips(prefixes: LevelTableNodes, row: Rows, under: Rows) -> Mask:
    """Inner nodes without a row at a level where nearly all inner nodes have one."""
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
    """Level of every node, and the ranks in use, coarse to fine."""
    known = coarse_to_fine({*ranks, *own.unique().to_list()})
    number = {rank: position for position, rank in enumerate(known, start=1)}
    own_number = own.replace_strict(number, return_dtype=pl.Int64).to_numpy()
    of_column = np.array([number[rank] for rank in ranks] + [0])  # the root has no column: -1
    level = np.where(row < 0, of_column[column], own_number[row])
    used = np.unique(level[level > 0])
    return np.searchsorted(used, level, side="right"), [known[position - 1] for position in used.tolist()]


def _mentioned_names(prefixes: LevelTableNodes, nodes: Rows, ranks: list[str], terms: TaxonTerms) -> StrArray:
    """Names of nodes from their cells; in a table with whole names, epithets are prefixed with the genus."""
    names = prefixes.names[nodes]
    if not terms.names or "species" not in ranks or "genus" not in ranks:
        return names
    species, genus = ranks.index("species") + 1, ranks.index("genus") + 1
    above = nodes
    for _ in range(species - genus):
        above = np.where(prefixes.level[above] > genus, prefixes.parents[above], above)
    short = (
        (prefixes.level[nodes] == species)
        & (prefixes.level[above] == genus)
        & ~np.strings.count(names, " ").astype(bool)
    )
    names[short] = prefixes.names[above[short]] + " " + names[short]
    return names


def _told_of_ranks(taxa: Taxa, own: pl.Series, at: Rows, kept: Rows) -> list[Problem]:
    """Warnings for ranks above species without a column, whose taxa can only be leaves, and for unknown ranks."""
    ranks = set(own.unique().to_list())
    above = {rank for rank in ranks - HYBRIDS if rank in POSITION and POSITION[rank] < POSITION["species"]}
    cases = (
        (above, "{{count}} of a rank without a column ({ranks}), so that nothing is below: {{names}}"),
        (ranks - set(RANKS) - {UNRANKED}, "{{count}} of a rank that is not known ({ranks}): {{names}}"),
    )
    own_column = at[kept] >= 0
    problems: list[Problem] = []
    for wanted, text in cases:
        rows = kept[own.gather(kept).is_in(list(wanted)).to_numpy() & ~own_column]
        if rows.size:
            shown = some(coarse_to_fine(own.gather(rows).unique().sort().to_list()))
            problems.append(taxa.told(rows, "rank", text.format(ranks=shown.replace("{", "{{").replace("}", "}}"))))
    return problems
