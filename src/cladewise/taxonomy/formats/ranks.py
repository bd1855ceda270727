"""Taxonomic ranks from coarse to fine, and the many ways in which files write them."""

from __future__ import annotations

from collections.abc import Iterable

RANKS: tuple[str, ...] = tuple(
    """
    stateofmatter realm subrealm domain superkingdom kingdom subkingdom infrakingdom
    superphylum phylum division subphylum subdivision infraphylum parvphylum
    gigaclass megaclass superclass class subclass infraclass subterclass parvclass
    superlegion legion sublegion infralegion megacohort supercohort cohort subcohort infracohort
    gigaorder magnorder grandorder mirorder superorder order nanorder hypoorder minorder
    suborder infraorder parvorder zoosection zoosubsection
    gigafamily megafamily grandfamily hyperfamily superfamily epifamily family subfamily infrafamily
    supertribe tribe subtribe infratribe genushybrid nothogenus genus subgenus infragenus
    supersection section subsection superseries series subseries
    complex speciesgroup speciessubgroup aggregate superspecies hybrid nothospecies species
    infrahybrid nothosubspecies subspecies nothovariety variety subvariety nothoform form subform
    convariety cultivargroup cultivar formaspecialis pathovar biovar chemovar serogroup serotype serovar
    genotype biotype morph aberration race strain isolate
    """.split()
)
"""Ranks that are known, coarse to fine. A hybrid comes before the rank it is a hybrid at, of which its cells may name a
parent: *Aix sponsa × Spatula clypeata* does not lie under the species *sponsa*."""

POSITION: dict[str, int] = {rank: position for position, rank in enumerate(RANKS)}

HYBRIDS = frozenset(rank for rank in RANKS if "hybrid" in rank or "notho" in rank)

TOP_RANK = "kingdom"
"""The finest rank at which a taxon may stand at the top of a tree without a question."""

MAIN_RANKS = frozenset(("domain", "superkingdom", "kingdom", "phylum", "class", "order", "family", "genus", "species"))
"""Ranks whose names, as columns, speak for a table of taxa."""

UNRANKED = "unranked"

ALSO_WRITTEN: dict[str, str] = {
    **{"dom": "domain", "regnum": "kingdom", "kgd": "kingdom", "regn": "kingdom", "phyl": "phylum", "div": "division"},
    **{"divisio": "division", "classis": "class", "cl": "class", "ord": "order", "ordo": "order", "subord": "suborder"},
    **{"superord": "superorder", "fam": "family", "familia": "family", "subfam": "subfamily", "superfam": "superfamily"},
    **{"trib": "tribe", "gen": "genus", "subgen": "subgenus", "subg": "subgenus", "sect": "section", "ser": "series"},
    **{"subsect": "subsection", "subser": "subseries", "botanicalsection": "section", "zoologicalsection": "zoosection"},
    **{"sp": "species", "spec": "species", "ssp": "subspecies", "subsp": "subspecies", "infrasp": "subspecies"},
    **{"var": "variety", "varietas": "variety", "subvar": "subvariety", "f": "form", "fo": "form", "forma": "form"},
    **{"subf": "subform", "subforma": "subform", "fsp": "formaspecialis", "cv": "cultivar", "speciescomplex": "complex"},
    **{"speciesaggregate": "aggregate", "agg": "aggregate", "nothosubsp": "nothosubspecies", "nothovar": "nothovariety"},
    **{"nothogen": "nothogenus", "nothosp": "nothospecies", "pv": "pathovar", "": "", "norank": UNRANKED},
}


def rank_named(text: str) -> str:
    """The rank that a text means, lower-case; blank for a blank, and the text itself where the rank is not known.

    Example:
        >>> rank_named("SPECIES"), rank_named("subsp."), rank_named("Species Complex"), rank_named("clade")
        ('species', 'subspecies', 'complex', 'clade')
    """
    plain = "".join(character for character in text.lower() if character not in " _-.\t")
    if plain in POSITION:
        return plain
    return ALSO_WRITTEN.get(plain, " ".join(text.lower().split()))


def coarse_to_fine(ranks: Iterable[str]) -> list[str]:
    """Ranks in their order, those that are not known last, as they come.

    Example:
        >>> coarse_to_fine(["species", "clade", "order"])
        ['order', 'species', 'clade']
    """
    return sorted(ranks, key=lambda rank: POSITION.get(rank, len(RANKS)))
