"""Tables of taxa, one per row: Darwin Core, ColDP, and tables with a column for each rank.

A row stands below its parent where the table has identifiers of parents, else below the taxa that its rank columns name.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from cladewise.errors import InputError, warn
from cladewise.taxonomy.formats import darwin_terms
from cladewise.taxonomy.formats.darwin_terms import Terms, find_terms, plain
from cladewise.taxonomy.formats.levels import strings
from cladewise.taxonomy.formats.options import TableOptions
from cladewise.taxonomy.formats.parent_ids import placed_by_parents
from cladewise.taxonomy.formats.rank_paths import Placed, placed_by_ranks
from cladewise.taxonomy.formats.ranks import MAIN_RANKS, POSITION, coarse_to_fine
from cladewise.taxonomy.formats.synonyms import Taxa, accepted_taxa
from cladewise.taxonomy.formats.table import Table
from cladewise.taxonomy.problems import ADVICE, Problem, some
from cladewise.taxonomy.texts import SEPARATOR
from cladewise.taxonomy.tree import PATH_SEPARATOR, StrArray, Taxonomy

evidence = darwin_terms.evidence


@dataclasses.dataclass(frozen=True)
class Resolved:
    """Accepted taxa with their places, and everything that was told on the way; no places where that has errors."""

    taxa: Taxa
    terms: Terms
    placed: Placed | None
    problems: list[Problem]


def resolve(table: Table, options: TableOptions) -> Resolved:
    """Tell taxa from synonyms and find the place of each."""
    terms = find_terms(table)
    if terms.parent is None and not terms.ranks:
        raise InputError("columns named as Darwin Core's ranks", some(table.columns, 20), at=table.source)
    taxa, problems = accepted_taxa(table, terms)
    if taxa.name.len() == 0:
        raise InputError("at least one accepted taxon", "none", at=table.source)
    if taxa.parent is not None:
        placed, more = placed_by_parents(taxa, options)
    else:
        taxa, placed, more = placed_by_ranks(taxa, terms, join=options.roots == "join")
    problems += more
    wrong = any(problem.severity == "error" for problem in problems)
    return Resolved(taxa, terms, None if wrong else placed, problems)


def taxonomy_from_darwin_core(table: Table, options: TableOptions) -> Taxonomy:
    """Build the tree of the accepted taxa of a table.

    Each taxon has one node, called by its scientific name, at the level of its own rank. Its identifier is kept as the
    column ``id``, its synonyms as ``synonyms`` with a ``|`` between them, and every column that does not say where it
    stands under its own name. Taxa that are only named above others have no row: theirs is the path as ``id``.

    Raises:
        InputError: The rows are not a tree.
    """
    resolved = resolve(table, options)
    table.fail(resolved.problems)
    assert resolved.placed is not None  # noqa: S101  (no error, so there are places)
    tree = _tree(resolved.taxa, resolved.terms, resolved.placed)
    for problem in resolved.problems:
        at = f"{table.source}:{problem.line}" if table.lines is not None else table.source
        warn(problem.text, at=at, advice=ADVICE.get(problem.kind, ""))
    return tree


def problems(table: Table, options: TableOptions) -> list[Problem]:
    """Everything wrong or odd about a table of taxa; no loop over rows."""
    resolved = resolve(table, options)
    if resolved.placed is None:
        return resolved.problems
    return resolved.problems + _namesakes(resolved.taxa, resolved.placed)


def darwin_core_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """One row per node with the identifier of its parent, and one per synonym with that of its accepted taxon.

    ``taxonID`` is the column of that name, else ``id``, else the node index. Other columns of the nodes follow. Levels
    that no node has are left out, and so is a synthetic root: a table whose top nodes differ in level is read again with
    ``roots="join"``.

    Raises:
        InputError: A level is not called as a rank, or levels are not in the order of ranks.
    """
    known = [name for name in taxonomy.level_names if name in POSITION]
    if len(known) < taxonomy.num_levels or known != coarse_to_fine(known):
        usual = ", ".join(rank for rank in POSITION if rank in MAIN_RANKS)
        raise InputError(f"levels called as ranks ({usual}, ...), in their order", some(list(taxonomy.level_names)))
    top = 1 if taxonomy.synthetic_root else 0
    columns = {name: pl.Series(texts.tolist(), dtype=pl.String) for name, texts in taxonomy.columns.items()}
    index = pl.Series([str(node) for node in range(taxonomy.num_nodes)], dtype=pl.String)
    key = next((columns[name] for name in ("taxonID", "id") if name in columns and _identifies(columns[name][top:])), index)
    has_parent = pl.Series(taxonomy.parents >= top)
    blank = pl.Series([""]).new_from_index(0, taxonomy.num_nodes)
    names = pl.Series(taxonomy.names.tolist(), dtype=pl.String)
    synonyms = columns.pop("synonyms", blank)
    whole = columns.pop("scientificName", blank)
    own = {"canonicalName": names} if (whole != "").any() else {}
    accepted = pl.DataFrame(
        {
            "taxonID": key,
            "parentNameUsageID": blank.zip_with(~has_parent, key.gather(np.maximum(taxonomy.parents, 0))),
            "taxonRank": pl.Series(["", *taxonomy.level_names], dtype=pl.String).gather(taxonomy.level),
            "scientificName": names.zip_with(whole == "", whole),
            **own,
            **{name: texts for name, texts in columns.items() if name != "taxonID" and texts is not key},
        }
    )
    aliases = accepted.select("taxonID", "taxonRank").with_columns(scientificName=synonyms.str.split(SEPARATOR))
    aliases = aliases.explode("scientificName").filter(pl.col("scientificName").fill_null("") != "")
    if not aliases.height:
        return accepted[top:]
    number = pl.int_range(pl.len()).over("taxonID") + 1
    aliases = aliases.with_columns(
        acceptedNameUsageID=pl.col("taxonID"), taxonID=pl.format("{} synonym {}", "taxonID", number)
    )
    told = [
        accepted[top:].with_columns(acceptedNameUsageID=pl.lit(""), taxonomicStatus=pl.lit("accepted")),
        aliases.with_columns(taxonomicStatus=pl.lit("synonym")),
    ]
    return pl.concat(told, how="diagonal").fill_null("")


def _identifies(texts: pl.Series) -> bool:
    return bool((texts.str.strip_chars() != "").all()) and not texts.is_duplicated().any()


def _tree(taxa: Taxa, terms: Terms, placed: Placed) -> Taxonomy:
    own, without = np.maximum(placed.row, 0), placed.row < 0

    def texts(series: pl.Series) -> StrArray:
        values = strings(series.gather(own))
        values[without] = ""
        return values

    names = texts(taxa.name)
    names[without] = placed.mentioned
    columns = {name: texts(series) for name, series in _further(taxa, terms, levels=placed.level is not None).items()}
    if "id" in columns:
        _name_by_path(columns["id"], names, placed)
        columns = _without_index(columns, placed)
    root = int(np.argmin(placed.parent))
    return Taxonomy.from_parents(
        placed.parent,
        names,
        level=placed.level,
        level_names=placed.level_names,
        columns=columns,
        synthetic_root=str(names[root]).strip() == "",
    )


def _further(taxa: Taxa, terms: Terms, *, levels: bool) -> dict[str, pl.Series]:
    """Columns that the nodes keep: identifiers, synonyms, and whatever says no more of where a taxon stands."""
    frame = taxa.table.frame
    kept: dict[str, pl.Series] = {}
    if taxa.key is not None:
        others = {name: frame[name] for name in terms.keys if name != taxa.key.name}
        short = next((name for name, texts in others.items() if plain(name) == "id" and _identifies(texts)), None)
        kept["id"] = taxa.key if short is None else others[short]
        kept |= {"taxonID": taxa.key} if short is not None else {}
        kept |= {name: texts for name, texts in others.items() if plain(name) != "id"}
    for name in terms.further:
        if name in terms.names:
            if plain(name) == "scientificname" and (frame[name] != taxa.name).any():
                kept["scientificName"] = frame[name]
        elif plain(name) == "synonyms":
            kept["synonyms"] = frame[name]
        elif not (taxa.synonyms is not None and name == terms.status):
            kept[name] = frame[name]
    if not levels and terms.rank is not None:
        kept["taxonRank"] = frame[terms.rank]
    if taxa.synonyms is not None and (taxa.synonyms != "").any():
        before = kept.get("synonyms")
        kept["synonyms"] = taxa.synonyms if before is None else _joined(before, taxa.synonyms)
    return kept


def _joined(first: pl.Series, second: pl.Series) -> pl.Series:
    both = first.zip_with((first == "") | (second == ""), first + SEPARATOR + second)
    return both.zip_with(first != "", second)


def _name_by_path(ids: StrArray, names: StrArray, placed: Placed) -> None:
    """Give nodes that are only mentioned their path for an identifier, and the root as well unless it has no name."""
    path_by_node: dict[int, str] = {}
    for node in np.flatnonzero(placed.row < 0).tolist():
        chain: list[int] = []
        while node >= 0 and node not in path_by_node:
            chain.append(node)
            node = int(placed.parent[node])
        for below in reversed(chain):
            above = path_by_node.get(int(placed.parent[below]), "")
            path_by_node[below] = f"{above}{PATH_SEPARATOR}{names[below]}" if above else str(names[below])
            if placed.row[below] < 0:
                ids[below] = path_by_node[below]


def _without_index(columns: dict[str, StrArray], placed: Placed) -> dict[str, StrArray]:
    """The columns without identifiers that say no more than the number of the node."""
    numbers = np.arange(placed.parent.size).astype(np.dtypes.StringDType())
    ids = columns["id"]
    same = (ids == numbers) | ((placed.parent < 0) & (ids == ""))
    return {name: texts for name, texts in columns.items() if name != "id"} if same.all() else columns


def _namesakes(taxa: Taxa, placed: Placed) -> list[Problem]:
    """Warnings: taxa of one name under one parent."""
    own = np.flatnonzero(placed.row >= 0)
    row = placed.row[own]
    frame = pl.DataFrame({"parent": placed.parent[own], "name": taxa.name.gather(row), "row": row})
    again = frame.filter((pl.col("name") != "") & pl.struct("parent", "name").is_duplicated())
    first = pl.col("row").first().over("parent", "name")
    pairs = again.with_columns(first=first).filter(pl.col("row") != first).select("name", "row", "first")
    line = taxa.table.line
    return [
        Problem(line(row), "duplicate", f"another taxon {name!r} beside that of line {line(first)}", "warning")
        for name, row, first in pairs.iter_rows()
    ]
