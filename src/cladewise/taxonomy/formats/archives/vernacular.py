"""Vernacular names of a checklist, which are in a table of their own, as columns of the tree."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import polars as pl

from cladewise.errors import warn
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.options import ReadOptions, argument
from cladewise.taxonomy.formats.tables.level_table import string_array
from cladewise.taxonomy.names.columns import (
    FORMER_IDS,
    NAME_SEPARATOR,
    VERNACULAR,
    escaped_names,
    language_code,
    names_by_row,
    vernacular_column,
)
from cladewise.taxonomy.tree import StrArray, Taxonomy

PREFERRED = ("true", "t", "1", "yes", "y", "preferred")
MAX_CELLS = 2**26
"""Most cells of columns of names, of 16 bytes or more: a language has one for every node, however few names it has."""


@dataclasses.dataclass(frozen=True)
class VernacularTable:
    """Names of taxa, one per row.

    Attributes:
        frame: Texts ``id`` (of the taxon) and ``name``; optional are ``language`` and ``preferred``.
        source: Name of the table in messages.
    """

    frame: pl.DataFrame
    source: str


def with_vernacular_names(tree: Taxonomy, tables: Sequence[VernacularTable], options: ReadOptions) -> Taxonomy:
    """The tree with a column of names for each language, the preferred names first.

    A taxon is found by its identifier or that of a synonym; a warning counts names of taxa that the tree does not have.
    If ``options.columns`` names languages, only these are kept. Otherwise all are, or the ones with the most names if
    the columns of all would be too large; a warning names those left out.
    """
    only = [language_code(name[len(VERNACULAR) :]) for name in options.columns if name.startswith(VERNACULAR)]
    found = [names for table in tables if (names := _found(tree, table, only)).height]
    if not found:
        return tree
    names = _few_enough(pl.concat(found), tree, tables[0].source)
    cells = (
        names.sort("preferred", descending=True, maintain_order=True)
        .group_by("language", "node", maintain_order=True)
        .agg(pl.col("name").unique(maintain_order=True).str.join(NAME_SEPARATOR))
    )
    columns: dict[str, StrArray] = {}
    for language in [*only, *cells["language"].unique(maintain_order=True).sort().to_list()]:
        of_language = cells.filter(language=language)
        if of_language.height and vernacular_column(language) not in columns:
            blank = pl.Series([""]).new_from_index(0, tree.num_nodes)
            columns[vernacular_column(language)] = string_array(blank.scatter(of_language["node"], of_language["name"]))
    return tree.with_columns({**tree.columns, **columns})


def _found(tree: Taxonomy, table: VernacularTable, only: Sequence[str]) -> pl.DataFrame:
    """Node, language, name and preference of every name."""
    frame = table.frame
    blank = pl.lit("")
    language = pl.col("language").str.strip_chars() if "language" in frame.columns else blank
    preferred = pl.col("preferred").str.strip_chars().str.to_lowercase() if "preferred" in frame.columns else blank
    names = frame.select(
        "id", language=language, name=pl.col("name").str.strip_chars(), preferred=preferred.is_in(PREFERRED)
    ).filter(pl.col("name") != "")
    codes = {text: language_code(text) for text in names["language"].unique().to_list()}
    names = names.with_columns(pl.col("language").replace_strict(codes, return_dtype=pl.String))
    if only:
        names = names.filter(pl.col("language").is_in(only))
    names = names.with_columns(escaped_names(names["name"]))
    placed = names.join(_nodes_by_id(tree, names["id"].unique()), on="id", how="left", maintain_order="left")
    unknown = placed.filter(pl.col("node").is_null())
    if unknown.height:
        shown = some(unknown["name"].head(4).to_list(), 3)
        warn(f"{unknown.height:,} names of taxa that are not in the tree, left out: {shown}", at=table.source)
    return placed.filter(pl.col("node").is_not_null()).select("node", "language", "name", "preferred")


def _nodes_by_id(tree: Taxonomy, wanted: pl.Series) -> pl.DataFrame:
    """Node of every wanted identifier that the tree has; those of the nodes take precedence over former ones."""
    parts = [
        pl.DataFrame({"id": pl.Series(tree.columns[column].tolist(), dtype=pl.String)}).with_row_index("node")
        for column in ("id", "taxonID")
        if column in tree.columns
    ]
    known = _known(parts, wanted)
    if FORMER_IDS in tree.columns and known.height < wanted.len():
        cells = pl.Series(tree.columns[FORMER_IDS].tolist(), dtype=pl.String)
        former = names_by_row(cells).select(node="row", id="name")
        known = _known([known, former], wanted)
    return known


def _known(parts: Sequence[pl.DataFrame], wanted: pl.Series) -> pl.DataFrame:
    rows = pl.concat([part.filter(pl.col("id").is_in(wanted.implode())).select("id", "node") for part in parts])
    return rows.filter(pl.col("id") != "").unique("id", keep="first", maintain_order=True)


def _few_enough(names: pl.DataFrame, tree: Taxonomy, source: str) -> pl.DataFrame:
    """The names of as many languages as the columns may hold, those with the most names first."""
    counts = names.group_by("language").len().sort("len", "language", descending=[True, False])
    most = max(1, MAX_CELLS // tree.num_nodes)
    if counts.height <= most:
        return names
    left = counts["language"][most:].to_list()
    warn(
        f"names in {len(left)} further languages, left out since their columns would be too large: {some(left)}",
        at=source,
        advice=f"Choose languages with {argument('columns', [VERNACULAR + 'fr', VERNACULAR + 'en'])}.",
    )
    return names.filter(pl.col("language").is_in(counts["language"][:most].implode()))
