"""Taxonomic ranks from coarse to fine, and their abbreviations in files."""

from __future__ import annotations

from collections.abc import Iterable

LINES = (
    "stateofmatter realm subrealm domain superkingdom kingdom subkingdom infrakingdom",
    "superphylum phylum division subphylum subdivision infraphylum parvphylum",
    "gigaclass megaclass superclass class subclass infraclass subterclass parvclass",
    "superlegion legion sublegion infralegion megacohort supercohort cohort subcohort infracohort",
    "gigaorder magnorder grandorder mirorder superorder order nanorder hypoorder minorder",
    "suborder infraorder parvorder zoosection zoosubsection",
    "gigafamily megafamily grandfamily hyperfamily superfamily epifamily family subfamily infrafamily",
    "supertribe tribe subtribe infratribe genushybrid nothogenus genus subgenus infragenus",
    "supersection section subsection superseries series subseries",
    "complex speciesgroup speciessubgroup aggregate superspecies hybrid nothospecies species",
    "infrahybrid nothosubspecies subspecies nothovariety variety subvariety nothoform form subform",
    "convariety cultivargroup cultivar formaspecialis pathovar biovar chemovar serogroup serotype serovar",
    "genotype biotype morph aberration race strain isolate",
)
RANKS: tuple[str, ...] = tuple(rank for line in LINES for rank in line.split())
"""Known ranks, coarse to fine. A hybrid rank comes before its plain rank, since its cells may name one of the parents:
*Aix sponsa × Spatula clypeata* is not placed under the species *sponsa*."""

POSITION: dict[str, int] = {rank: position for position, rank in enumerate(RANKS)}

HYBRIDS = frozenset(rank for rank in RANKS if "hybrid" in rank or "notho" in rank)

TOP_RANK = "kingdom"
"""The finest rank whose taxa may be at the top of a tree without ``roots="join"``."""

MAIN_RANKS = frozenset(("domain", "superkingdom", "kingdom", "phylum", "class", "order", "family", "genus", "species"))
"""Ranks whose names, as columns, are evidence of a table of taxa."""

UNRANKED = "unranked"

SHORT_FORMS: dict[str, str] = {
    "domain": "dom",
    "kingdom": "regnum regn kgd",
    "phylum": "phyl",
    "division": "divisio div",
    "class": "classis cl",
    "superorder": "superord",
    "order": "ordo ord",
    "suborder": "subord",
    "zoosection": "zoologicalsection sectionzoology",
    "superfamily": "superfam",
    "family": "familia fam",
    "subfamily": "subfam",
    "tribe": "trib",
    "nothogenus": "nothogen",
    "genus": "gen",
    "subgenus": "subgen subg",
    "section": "sect botanicalsection sectionbotany",
    "subsection": "subsect",
    "series": "ser",
    "subseries": "subser",
    "complex": "speciescomplex",
    "aggregate": "speciesaggregate agg",
    "nothospecies": "nothosp",
    "species": "sp spec",
    "nothosubspecies": "nothosubsp",
    "subspecies": "ssp subsp infrasp",
    "nothovariety": "nothovar",
    "variety": "var varietas",
    "subvariety": "subvar",
    "form": "f fo forma",
    "subform": "subf subforma",
    "formaspecialis": "fsp",
    "cultivar": "cv",
    "pathovar": "pv",
    UNRANKED: "norank",
}
RANK_BY_SHORT_FORM = {short: rank for rank, forms in SHORT_FORMS.items() for short in forms.split()}


def rank_named(text: str) -> str:
    """The rank that a text means, in lower case; a blank for a blank, and the text itself for an unknown rank.

    Example:
        >>> rank_named("SPECIES"), rank_named("subsp."), rank_named("Species Complex"), rank_named("clade")
        ('species', 'subspecies', 'complex', 'clade')
    """
    plain = "".join(character for character in text.lower() if character not in " _-.\t")
    if plain in POSITION:
        return plain
    return RANK_BY_SHORT_FORM.get(plain, " ".join(text.lower().split()))


def coarse_to_fine(ranks: Iterable[str]) -> list[str]:
    """Ranks in order, with unknown ones last in the given order.

    Example:
        >>> coarse_to_fine(["species", "clade", "order"])
        ['order', 'species', 'clade']
    """
    return sorted(ranks, key=lambda rank: POSITION.get(rank, len(RANKS)))
