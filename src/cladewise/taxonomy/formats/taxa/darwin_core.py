"""Tables of taxa, one per row: Darwin Core, ColDP, and tables with a column for each rank.

A row is placed below its parent if the table has parent identifiers, otherwise below the taxa in its rank columns.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import OnDemand
from cladewise.taxonomy.checks.odd_names import NodeNames, row_lines
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.interpretation import Interpretation
from cladewise.taxonomy.formats.tables.level_table import string_array
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.formats.taxa import darwin_terms
from cladewise.taxonomy.formats.taxa.darwin_terms import TaxonTerms, find_terms, plain_term
from cladewise.taxonomy.formats.taxa.parent_ids import placed_by_parents
from cladewise.taxonomy.formats.taxa.rank_paths import Placed, placed_by_ranks
from cladewise.taxonomy.formats.taxa.ranks import MAIN_RANKS, POSITION, coarse_to_fine
from cladewise.taxonomy.formats.taxa.synonyms import Taxa, accepted_taxa
from cladewise.taxonomy.names.columns import (
    FORMER_IDS,
    NAME_SEPARATOR,
    SYNONYMS,
    UNKNOWN_LANGUAGE,
    split_names,
    vernacular_column,
)
from cladewise.taxonomy.names.paths import path_text
from cladewise.taxonomy.tree import StrArray, Taxonomy

evidence = darwin_terms.evidence
NAMES = vernacular_column(UNKNOWN_LANGUAGE)


@dataclasses.dataclass(frozen=True)
class Resolved:
    """Accepted taxa with their placement and the problems found; no placement if there are errors."""

    taxa: Taxa
    terms: TaxonTerms
    placed: Placed | None
    problems: list[Problem]


def resolve(table: Table, options: ReadOptions) -> Resolved:
    """Separate accepted taxa from synonyms and place each of them in the tree."""
    terms = find_terms(table)
    if terms.parent is None and not terms.ranks:
        raise InputError("columns named after Darwin Core's ranks", some(table.columns, 20), at=table.source)
    taxa, problems = accepted_taxa(table, terms)
    if taxa.name.len() == 0:
        raise InputError("at least one accepted taxon", "none", at=table.source)
    if taxa.parent is not None and taxa.key is None:
        raise InputError("a column taxonID next to the parents", some(table.columns, 20), at=table.source)
    if taxa.parent is not None:
        placed, more = placed_by_parents(taxa, options)
    else:
        taxa, placed, more = placed_by_ranks(taxa, terms, join=options.roots == "join")
    problems += more
    if placed is None or any(problem.severity == "error" for problem in problems):
        return Resolved(taxa, terms, None, problems)
    return Resolved(_told_apart(taxa, placed), terms, placed, problems)


def _told_apart(taxa: Taxa, placed: Placed) -> Taxa:
    """Append the rank to names of minor ranks (complex, variety, ...) that equal a sibling's name."""
    if placed.level is None:
        return taxa
    own = np.flatnonzero(placed.row >= 0)
    ranks = pl.Series(["", *(placed.level_names or ())]).gather(placed.level[own])
    nodes = pl.DataFrame({"parent": placed.parent[own], "row": placed.row[own], "rank": ranks})
    nodes = nodes.with_columns(name=taxa.name.gather(placed.row[own]))
    minor = nodes.filter(~pl.col("rank").is_in(list(MAIN_RANKS)))
    alike = nodes.join(minor.select("parent", "name").unique(), on=["parent", "name"], how="semi")
    several = alike.filter(pl.col("rank").n_unique().over("parent", "name") > 1)
    called = several.filter(~pl.col("rank").is_in(list(MAIN_RANKS)))
    names = called.select(pl.format("{} ({})", "name", "rank")).to_series()
    return dataclasses.replace(taxa, name=taxa.name.scatter(called["row"], names)) if called.height else taxa


def interpret_taxa(table: Table, options: ReadOptions) -> Interpretation:
    """Interpret a table as one of taxa.

    Each accepted taxon is one node, with its scientific name, at the level of its rank. Its identifier becomes the
    column ``id``, its synonyms the column ``synonyms``, and its ``vernacularName``, of which a table does not say the
    language, the column ``name:und``; several names have ``|`` between them. Columns that do not determine the
    placement keep their names. Taxa that only occur in rank columns of others have their path as ``id``.

    Raises:
        InputError: The table lacks the columns needed for placement.
    """
    resolved = resolve(table, options)
    taxa, placed = resolved.taxa, resolved.placed
    if placed is None:  # the problems say why
        return Interpretation(resolved.problems, None, lambda: _unplaced(table))
    names = taxa.name.gather(np.maximum(placed.row, 0))
    without = np.flatnonzero(placed.row < 0)
    names = names.scatter(without, placed.mentioned.tolist()) if without.size else names
    nodes = NodeNames(names, placed.parent, row_lines(placed.row, taxa.table.all_lines()))
    return Interpretation(
        problems=resolved.problems,
        nodes=nodes,
        build=lambda: _tree(taxa, resolved.terms, placed, string_array(names)),
        oddities=lambda: _same_names(nodes),
    )


def darwin_core_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """One row per node with its parent's identifier, and one per synonym with that of its accepted taxon.

    ``taxonID`` is the column of that name, otherwise ``id``, otherwise the node index. Other columns follow. Unused
    levels and a synthetic root are left out; a table whose top nodes differ in level is read with ``roots="join"``.

    Raises:
        InputError: A level is not named as a rank, or levels are not in the order of ranks.
    """
    known = [name for name in taxonomy.level_names if name in POSITION]
    if len(known) < taxonomy.num_levels or known != coarse_to_fine(known):
        usual = ", ".join(rank for rank in POSITION if rank in MAIN_RANKS)
        raise InputError(f"levels named after ranks ({usual}, ...), in order", some(list(taxonomy.level_names)))
    top = 1 if taxonomy.synthetic_root else 0
    columns = {name: pl.Series(texts.tolist(), dtype=pl.String) for name, texts in taxonomy.columns.items()}
    index = pl.Series([str(node) for node in range(taxonomy.num_nodes)], dtype=pl.String)
    keys = [columns[name] for name in ("taxonID", "id") if name in columns and _identifies(columns[name][top:])]
    key = (keys or [index])[0]
    has_parent = pl.Series(taxonomy.parents >= top)
    blank = pl.Series([""]).new_from_index(0, taxonomy.num_nodes)
    names = pl.Series(taxonomy.names.tolist(), dtype=pl.String)
    synonyms = columns.pop("synonyms", blank)
    whole = columns.pop("scientificName", blank)
    columns = {"vernacularName" if name == NAMES else name: texts for name, texts in columns.items()}
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
    filled = (synonyms != "").arg_true().to_list()
    others = [split_names(synonyms[node]) for node in filled]
    if not any(others):
        return accepted[top:]
    of = accepted.select("taxonID", "taxonRank")[np.repeat(filled, [len(names) for names in others])]
    number = pl.int_range(pl.len()).over("taxonID") + 1
    aliases = of.with_columns(
        taxonID=pl.format("{} synonym {}", "taxonID", number),
        scientificName=pl.Series([name for names in others for name in names], dtype=pl.String),
        acceptedNameUsageID="taxonID",
    )
    told = [
        accepted[top:].with_columns(acceptedNameUsageID=pl.lit(""), taxonomicStatus=pl.lit("accepted")),
        aliases.with_columns(taxonomicStatus=pl.lit("synonym")),
    ]
    return pl.concat(told, how="diagonal").fill_null("")


def _identifies(texts: pl.Series) -> bool:
    return bool((texts.str.strip_chars() != "").all()) and not texts.is_duplicated().any()


def _unplaced(table: Table) -> Taxonomy:
    raise InputError("a place for every taxon", "none", at=table.source)


def _texts(series: pl.Series, placed: Placed) -> StrArray:
    """Texts of the taxa for each node; blank for a node without a row."""
    values = string_array(series.gather(np.maximum(placed.row, 0)))
    values[placed.row < 0] = ""
    return values


def _tree(taxa: Taxa, terms: TaxonTerms, placed: Placed, names: StrArray) -> Taxonomy:
    further = _further(taxa, terms, levels=placed.level is not None)
    columns = {name: functools.partial(_texts, series, placed) for name, series in further.items()}
    if "id" in columns:
        columns["id"] = functools.partial(_ids, further["id"], names, placed)
    root = int(np.argmin(placed.parent))
    return Taxonomy.from_parents(
        placed.parent,
        names,
        level=placed.level,
        level_names=placed.level_names,
        columns=OnDemand(columns),
        synthetic_root=str(names[root]).strip() == "",
        further_parents=placed.further,
    )


def _further(taxa: Taxa, terms: TaxonTerms, *, levels: bool) -> dict[str, pl.Series]:
    """Columns kept for the nodes: identifiers, synonyms, and those that do not determine the placement."""
    frame = taxa.table.frame
    kept: dict[str, pl.Series] = {}
    if taxa.key is not None:
        others = {name: frame[name] for name in terms.keys if name != taxa.key.name}
        short = next((name for name, texts in others.items() if plain_term(name) == "id" and _identifies(texts)), None)
        kept["id"] = taxa.key if short is None else others[short]
        kept |= {"taxonID": taxa.key} if short is not None else {}
        kept |= {name: texts for name, texts in others.items() if plain_term(name) != "id"}
    for name in terms.further:
        if name in terms.names:
            if plain_term(name) == "scientificname" and ((frame[name] != taxa.name) & (frame[name] != "")).any():
                kept["scientificName"] = frame[name]
        elif plain_term(name) == "synonyms":
            kept[SYNONYMS] = frame[name]
        elif plain_term(name) == "vernacularname" or name == NAMES:  # a table does not say of what language
            kept[NAMES] = _joined(kept[NAMES], frame[name]) if NAMES in kept else frame[name]
        elif name not in kept and not (taxa.synonyms is not None and name == terms.status):
            kept[name] = frame[name]
    if not levels and terms.rank is not None:
        kept["taxonRank"] = frame[terms.rank]
    if taxa.synonyms is not None and (taxa.synonyms != "").any():
        before = kept.get(SYNONYMS)
        kept[SYNONYMS] = taxa.synonyms if before is None else _joined(before, taxa.synonyms)
    if taxa.former_ids is not None and (taxa.former_ids != "").any():
        before = next((kept.pop(name) for name in list(kept) if plain_term(name) == "formerids"), None)
        kept[FORMER_IDS] = taxa.former_ids if before is None else _joined(before, taxa.former_ids)
    return kept


def _joined(first: pl.Series, second: pl.Series) -> pl.Series:
    both = first.zip_with((first == "") | (second == ""), first + NAME_SEPARATOR + second)
    return both.zip_with(first != "", second)


def _ids(series: pl.Series, names: StrArray, placed: Placed) -> StrArray:
    """Identifiers; for nodes without a row the path, numbered if a path occurs at two levels."""
    ids = _texts(series, placed)
    path_by_node: dict[int, str] = {}
    taken: set[str] = set()
    for node in np.flatnonzero(placed.row < 0).tolist():
        above: list[int] = []
        while node >= 0 and node not in path_by_node:
            above.append(node)
            node = int(placed.parent[node])
        for below in reversed(above):
            start = path_by_node.get(int(placed.parent[below]), "")
            step = path_text((str(names[below]),))
            path = f"{start}/{step}" if start else step
            path_by_node[below] = path
            if placed.row[below] < 0:
                ids[below] = next(text for text in _numbered(path) if text not in taken)
                taken.add(str(ids[below]))
    return ids


def _numbered(text: str) -> Iterator[str]:
    yield text
    for number in itertools.count(2):
        yield f"{text} ({number})"


def _same_names(nodes: NodeNames) -> list[Problem]:
    """Warnings for taxa with the same name under one parent."""
    frame = pl.DataFrame({"parent": nodes.parent, "name": nodes.names, "line": nodes.lines})
    alike = frame.filter((pl.col("name") != "") & pl.struct("parent", "name").is_duplicated())
    alike = alike.with_columns(first=pl.col("line").first().over("parent", "name"))
    again = alike.filter(~pl.struct("parent", "name").is_first_distinct())
    return [
        Problem(line, "duplicate", f"{name!r} occurs again (first in line {first})", "warning")
        for name, line, first in again.select("name", "line", "first").iter_rows()
    ]
