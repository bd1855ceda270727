"""World checklists of birds: the eBird/Clements taxonomy and AviList, as tables.

Both have columns for order and family and one row per taxon, but none for the genus, which is the first word of the
scientific name; subspecies and forms name their species. They are converted to tables of taxa, with a row for each
order, family and genus.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.formats.taxa.darwin_terms import plain_term
from cladewise.taxonomy.names.columns import FORMER_IDS, SYNONYMS, escaped_names, vernacular_column

ENGLISH = vernacular_column("en")
ABOVE = ("order", "family", "genus")
RANK_BY_CATEGORY = {"species": "species", "issf": "subspecies", "form": "form", "domestic": "form"}
"""Rank of eBird's categories that are taxa; the others are mixtures (*slash*, *hybrid*) or coarse answers (*spuh*)."""
_OWN = ("code", "scientific", "rank", "species", "english", "line")
_SPUH = r"(?i)\s+sp\.$"
_COMMON_OF_FAMILY = r"^(\S+) \((.+)\)$"


@dataclasses.dataclass(frozen=True)
class _Columns:
    """Columns of a checklist by role, by the headers of its releases."""

    code: Sequence[str]
    scientific: Sequence[str]
    english: Sequence[str]
    rank: Sequence[str]
    order: Sequence[str]
    family: Sequence[str]
    english_of_family: Sequence[str]
    species: Sequence[str]
    group: Sequence[str]


EBIRD = _Columns(
    code=("speciescode",),
    scientific=("sciname", "scientificname"),
    english=("primarycomname", "commonname", "comname"),
    rank=("category",),
    order=("order1", "order"),
    family=("family", "familysciname"),
    english_of_family=("familycomname",),
    species=("reportas",),
    group=("speciesgroup",),
)
AVILIST = _Columns(
    code=("avibaseid",),
    scientific=("scientificname",),
    english=("englishnameavilist",),
    rank=("taxonrank",),
    order=("order",),
    family=("family",),
    english_of_family=("familyenglishname",),
    species=(),
    group=(),
)


def evidence(table: Table) -> str | None:
    """Evidence that a table is one of the checklists, or None.

    Example:
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> header = ["SPECIES_CODE", "CATEGORY", "PRIMARY_COM_NAME", "SCI_NAME", "ORDER1", "FAMILY", "REPORT_AS"]
        >>> evidence(from_frame(pl.DataFrame({name: ["x"] for name in header})))
        "the columns 'SPECIES_CODE', 'CATEGORY' of the eBird taxonomy"
    """
    found = _found(table)
    if found is None:
        return None
    columns, known = found
    title = "the eBird taxonomy" if known is EBIRD else "AviList"
    return f"the columns {some([columns['code'], columns['rank']])} of {title}"


def as_taxa(table: Table) -> Table:
    """Convert a checklist to a table of taxa.

    Codes become identifiers and English names ``name:en``. Of eBird's categories, species, subspecies, forms and
    domestic birds are taxa. A *spuh* such as *Anatidae sp.* is a name and former id of the taxon above it. The other
    mixtures, which belong to no single taxon, are left out with a problem that counts them.

    Raises:
        InputError: The table is none of the checklists.
    """
    found = _found(table)
    if found is None:
        raise InputError("the eBird taxonomy or AviList", some(table.columns, 20), at=table.source)
    columns, known = found
    others = [name for name in table.columns if name not in columns.values()]
    others += ["group"] if "group" in columns else []  # under a name that is no rank's
    roles = [pl.col(column).str.strip_chars().alias(role) for role, column in columns.items()]
    frame = table.frame.select(*roles, *(name for name in others if name != "group")).with_columns(
        line=table.all_lines()
    )
    problems = list(table.problems)
    aliases = frame.clear()
    if known is EBIRD:
        frame, aliases, problems = _taxa_of_ebird(frame, problems)
    frame = frame.with_columns(rank=pl.col("rank").str.to_lowercase())
    frame = _with_family_names(frame)
    below = frame.filter(~pl.col("rank").is_in(["order", "family"]))
    below = below.with_columns(_species(below), genus=pl.col("scientific").str.extract(r"^(\S+)"))
    taxa = below.select("code", "scientific", "rank", *ABOVE, "species", "english", *others, "line")
    taxa = pl.concat([*_rows_above(taxa, frame), taxa.filter(pl.col("rank") != "genus")])
    taxa = taxa.with_columns(english=escaped_names(taxa["english"]))
    taxa, problems = _with_aliases(taxa, aliases, problems)
    lines = taxa["line"].to_numpy().astype(np.int64)
    named = {"code": "taxonID", "scientific": "scientificName", "rank": "taxonRank", "english": ENGLISH}
    taxa = taxa.drop("line").rename(named)
    return dataclasses.replace(table, frame=taxa, lines=lines, problems=tuple(problems))


def _found(table: Table) -> tuple[Mapping[str, str], _Columns] | None:
    """The columns by role and the checklist that has them."""
    by_plain = {plain_term(name): name for name in reversed(table.columns)}
    for known in (EBIRD, AVILIST):
        roles = {field.name: getattr(known, field.name) for field in dataclasses.fields(known)}
        columns = {role: next((by_plain[n] for n in names if n in by_plain), "") for role, names in roles.items()}
        needed = ("code", "scientific", "english", "rank", "order", "family")
        if all(columns[role] for role in needed):
            return {role: name for role, name in columns.items() if name}, known
    return None


def _taxa_of_ebird(frame: pl.DataFrame, problems: list[Problem]) -> tuple[pl.DataFrame, pl.DataFrame, list[Problem]]:
    """The taxa, the coarse answers, and a problem that counts what is neither."""
    category = pl.col("rank").str.to_lowercase()
    taxa = frame.filter(category.is_in(list(RANK_BY_CATEGORY)))
    if "species" in frame.columns:  # the species of a form is the one it is reported as
        names = taxa.select("code", whole="scientific").rename({"code": "species"})
        taxa = taxa.join(names, on="species", how="left", maintain_order="left")
        taxa = taxa.drop("species").rename({"whole": "of"}).with_columns(pl.col("of").fill_null(""))
    taxa = taxa.with_columns(rank=pl.col("rank").str.to_lowercase().replace(RANK_BY_CATEGORY))
    spuh = frame.filter(category == "spuh")
    mixed = frame.filter(~category.is_in([*RANK_BY_CATEGORY, "spuh"]))
    if mixed.height:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in mixed["rank"].value_counts(sort=True).rows())
        line = int(mixed["line"][0])
        text = f"{mixed.height:,} labels of several taxa, left out: {kinds}, such as {mixed['english'][0]!r}"
        problems.append(Problem(line, "left-out", text, "warning"))
    return taxa, spuh, problems


def _species(frame: pl.DataFrame) -> pl.Expr:
    """The species of each row: its own name, that of the taxon it is reported as, or of a trinomial the first words."""
    of = pl.col("of") if "of" in frame.columns else pl.lit("")
    name, rank = pl.col("scientific"), pl.col("rank")
    first_words = pl.when(rank == "subspecies").then(name.str.extract(r"^(\S+ \S+)")).otherwise(pl.lit(""))
    return pl.when(rank == "species").then(name).when(of != "").then(of).otherwise(first_words).alias("species")


def _with_family_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Families without the English name that eBird's table appends to them; that name is in a column of its own."""
    english = pl.col("family").str.extract(_COMMON_OF_FAMILY, 2).fill_null("")
    if "english_of_family" in frame.columns:
        english = pl.when(pl.col("english_of_family") != "").then("english_of_family").otherwise(english)
    return frame.with_columns(
        english_of_family=english, family=pl.coalesce(pl.col("family").str.extract(_COMMON_OF_FAMILY, 1), "family")
    )


def _rows_above(taxa: pl.DataFrame, frame: pl.DataFrame) -> list[pl.DataFrame]:
    """A row for each order, family and genus, with the code that the table has for it, otherwise its name."""
    english = frame.filter(pl.col("english_of_family") != "").unique("family", maintain_order=True)
    english = english.select(scientific="family", called="english_of_family")
    rows: list[pl.DataFrame] = []
    for position, rank in enumerate(ABOVE):
        path = ABOVE[: position + 1]
        found = taxa.unique(path, maintain_order=True).filter(pl.col(rank) != "")
        blank = [pl.lit("").alias(name) for name in (*ABOVE[position + 1 :], "species")]
        blank += [pl.lit("").alias(name) for name in taxa.columns if name not in (*_OWN, *ABOVE)]
        found = found.with_columns(*blank, scientific=pl.col(rank), rank=pl.lit(rank))
        own = frame.filter(pl.col("rank") == rank).unique("scientific", maintain_order=True)
        own = own.select("scientific", own="code", called_own="english")
        found = found.join(own, on="scientific", how="left", maintain_order="left")
        found = found.join(english, on="scientific", how="left", maintain_order="left")
        called = pl.coalesce(pl.col("called_own").replace("", None), "called", pl.lit(""))
        found = found.with_columns(code=pl.coalesce("own", "scientific"), english=called)
        rows.append(found.select(taxa.columns))
    return rows


def _with_aliases(
    taxa: pl.DataFrame, aliases: pl.DataFrame, problems: list[Problem]
) -> tuple[pl.DataFrame, list[Problem]]:
    """Coarse answers as former ids and synonyms of the taxon that they name; a problem counts the others."""
    if not aliases.height:
        return taxa, problems
    named = aliases.with_columns(of=pl.col("scientific").str.replace(_SPUH, ""))
    rows = taxa.unique("scientific", keep="first").select(of="scientific")
    kept = named.join(rows, on="of", how="semi", maintain_order="left")
    texts = kept.with_columns(english=escaped_names(kept["english"]), whole=escaped_names(kept["scientific"]))
    texts = texts.group_by("of", maintain_order=True).agg(
        pl.col("code").str.join("|").alias(FORMER_IDS),
        pl.format("{}|{}", "whole", "english").unique(maintain_order=True).str.join("|").alias(SYNONYMS),
    )
    taxa = taxa.join(texts, left_on="scientific", right_on="of", how="left", maintain_order="left")
    taxa = taxa.with_columns(pl.col(FORMER_IDS, SYNONYMS).fill_null(""))
    if kept.height < aliases.height:
        rest = named.join(rows, on="of", how="anti", maintain_order="left")
        text = f"{rest.height:,} coarse labels of no single taxon, left out: {some(rest['english'].to_list(), 3)}"
        problems.append(Problem(int(rest["line"][0]), "left-out", text, "warning"))
    return taxa, problems
