"""Darwin Core: a row a taxon, with a column for each rank or with the identifier of its parent.

Terms: https://dwc.tdwg.org/terms/#taxon
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.formats.levels import level_cells, taxonomy_from_levels
from cladewise.taxonomy.formats.table import Table
from cladewise.taxonomy.problems import some
from cladewise.taxonomy.tree import Taxonomy

RANK_BY_TERM = {
    "kingdom": "kingdom",
    "phylum": "phylum",
    "class": "class",
    "order": "order",
    "superfamily": "superfamily",
    "family": "family",
    "subfamily": "subfamily",
    "tribe": "tribe",
    "subtribe": "subtribe",
    "genus": "genus",
    "subgenus": "subgenus",
    "specificEpithet": "species",
    "infraspecificEpithet": "subspecies",
}
"""Terms that place a taxon, coarse to fine, and the rank of a taxon that ends there."""

OWN_TERMS = ("taxonID", "scientificName", "vernacularName")
"""Terms that tell about the taxon of the row itself; kept as further texts of its node."""

PARENT_TERM = "parentNameUsageID"


def is_darwin_core(table: Table) -> bool:
    """Whether the header has Darwin Core's parent identifier, or several ranks and a term about the taxon."""
    present = set(table.columns)
    about = present & {"scientificName", "taxonRank", "taxonID"}
    return PARENT_TERM in present or (len(present & set(RANK_BY_TERM)) >= 2 and bool(about))


def has_parents(table: Table) -> bool:
    """Whether the rows point at their parents rather than spell out their ranks."""
    return PARENT_TERM in table.columns


def taxonomy_from_ranks(table: Table) -> Taxonomy:
    """Build the tree that the rank columns spell out; epithets stay the short names that they are.

    The levels are called after the ranks: ``species`` for ``specificEpithet``, ``subspecies`` for
    ``infraspecificEpithet``, whatever rank below the species that is.

    A row whose ``taxonRank`` has no column (a section, a hybrid) adds no node beyond the ranks it fills.
    ``scientificName``, ``taxonID`` and ``vernacularName`` are kept for the nodes that have a row of their own rank.

    Raises:
        InputError: No column is a rank.
    """
    levels = [term for term in RANK_BY_TERM if term in table.columns]
    if not levels:
        raise InputError("columns named as Darwin Core's ranks", some(table.columns, 20), at=table.source)
    own = [term for term in OWN_TERMS if term in table.columns]
    frame = table.frame.select(*levels, *own, *(["taxonRank"] if "taxonRank" in table.columns else []))
    if own and "taxonRank" in frame.columns:
        frame = _own_rank_only(frame, levels, own)
    ranks = [RANK_BY_TERM[term] for term in levels]
    return taxonomy_from_levels(dataclasses.replace(table, frame=frame), levels=levels, columns=own, level_names=ranks)


def darwin_core_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """A row a node: ``taxonID`` (the node index), ``taxonRank``, ``scientificName``, then a column a rank.

    Raises:
        InputError: A level is not called as one of Darwin Core's ranks, or the root is a label.
    """
    term_by_rank = {rank: term for term, rank in RANK_BY_TERM.items()}
    terms = [term_by_rank.get(name, name) for name in taxonomy.level_names]
    unknown = [name for name, term in zip(taxonomy.level_names, terms, strict=True) if term not in RANK_BY_TERM]
    if unknown or terms != [term for term in RANK_BY_TERM if term in terms]:
        raise InputError(f"levels among {', '.join(RANK_BY_TERM)}, in that order", some(list(taxonomy.level_names)))
    if not taxonomy.synthetic_root:
        raise InputError(
            "a synthetic root",
            f"the root {str(taxonomy.names[0])!r}",
            advice="Darwin Core's ranks begin at the kingdom.",
        )
    nodes = np.arange(1, taxonomy.num_nodes)
    cells = level_cells(taxonomy, nodes)
    ranks = pl.Series(["", *(RANK_BY_TERM[term] for term in terms)], dtype=pl.String)
    own = {term: taxonomy.columns[term][1:].tolist() for term in OWN_TERMS if term in taxonomy.columns}
    frame = {
        "taxonID": [str(node) for node in nodes],
        "taxonRank": ranks.gather(taxonomy.level[1:]),
        "scientificName": taxonomy.names[1:].tolist(),
        **own,
        **{term: texts.tolist() for term, texts in zip(terms, cells.values(), strict=True)},
    }
    return pl.DataFrame(frame, schema=dict.fromkeys(frame, pl.String))


def _own_rank_only(frame: pl.DataFrame, levels: list[str], own: list[str]) -> pl.DataFrame:
    """Blank the texts of the rows that do not speak for the node that they end at."""
    known = list(RANK_BY_TERM.values())
    ends_at = pl.lit("")
    for term in levels:
        ends_at = pl.when(pl.col(term) != "").then(pl.lit(RANK_BY_TERM[term])).otherwise(ends_at)
    rank = pl.col("taxonRank").str.to_lowercase()
    below_species = (ends_at == "subspecies") & ~rank.is_in(known)
    speaks = (rank == ends_at) | below_species
    return frame.with_columns(pl.when(speaks).then(pl.col(own)).otherwise(pl.lit("")))
