"""Detection of the columns of a table of taxa: terms of Darwin Core, ColDP and related formats.

Terms: https://dwc.tdwg.org/terms/#taxon, https://github.com/CatalogueOfLife/coldp#nameusage
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.formats.taxa.ranks import MAIN_RANKS, POSITION, coarse_to_fine
from cladewise.taxonomy.names.columns import VERNACULAR

KEYS = ("taxonid", "taxonkey", "aphiaid", "taxid", "id")
PARENTS = ("parentnameusageid", "parentid", "parenttaxonid", "parenttaxonkey", "parentkey")
ACCEPTED = ("acceptednameusageid", "acceptedtaxonid", "acceptedtaxonkey", "validaphiaid", "aphiaidaccepted")
NAMES = ("canonicalname", "scientificname")
AUTHORSHIPS = ("scientificnameauthorship", "authorship", "authority")
RANK_TEXTS = ("taxonrank", "rank")
STATUSES = ("taxonomicstatus", "status")
EPITHETS = {"specificepithet": "species", "infraspecificepithet": "subspecies"}
ABOUT_THE_TAXON = ("taxonid", "scientificname", "taxonrank")
PREFIX = re.compile(r"^(?:.*[/#]|[A-Za-z]{2,12}:)")


@dataclasses.dataclass(frozen=True)
class TaxonTerms:
    """The columns of a table by role; None or empty for a role without a column.

    Attributes:
        keys: Columns of identifiers, the standard's own first.
        parent: Column with the identifier of the parent.
        accepted: Column with the identifier of the accepted taxon.
        names: Columns of whole names; the first non-blank one counts.
        authorship: Column with the author, which may be the end of a whole name.
        rank: Column with the rank of the row's taxon.
        status: Column that distinguishes accepted taxa from synonyms.
        ranks: Column of each rank used for placement, coarse to fine.
        epithets: Ranks whose columns contain epithets rather than whole names.
        further: All other columns.
        synonyms_have_parents: Whether the parent of a synonym is its accepted taxon.
    """

    keys: tuple[str, ...]
    parent: str | None
    accepted: str | None
    names: tuple[str, ...]
    authorship: str | None
    rank: str | None
    status: str | None
    ranks: Mapping[str, str]
    epithets: frozenset[str]
    further: tuple[str, ...]
    synonyms_have_parents: bool


def plain_term(column: str) -> str:
    """A header without its prefix, case and separators; ``name:id`` holds names in Indonesian, and is left as it is.

    Example:
        >>> [plain_term(name) for name in ("dwc:taxonID", "http://rs.tdwg.org/dwc/terms/taxonRank", "Scientific Name")]
        ['taxonid', 'taxonrank', 'scientificname']
    """
    if column.startswith(VERNACULAR):
        return column
    return re.sub(r"[\s_.-]", "", PREFIX.sub("", column.strip())).lower()


def find_terms(table: Table) -> TaxonTerms:
    """The roles of the columns of a table, by their names.

    Example:
        >>> import polars as pl
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> terms = find_terms(from_frame(pl.DataFrame({"ID": ["1"], "Genus": ["Puma"], "scientificName": ["Puma"]})))
        >>> terms.keys, terms.ranks, terms.names
        (('ID',), {'genus': 'Genus'}, ('scientificName',))
    """
    by_plain = {plain_term(name): name for name in reversed(table.columns)}

    def every(known: Iterable[str]) -> tuple[str, ...]:
        return tuple(by_plain[name] for name in known if name in by_plain)

    def first(known: Iterable[str]) -> str | None:
        return next(iter(every(known)), None)

    columns = {rank: by_plain[rank] for rank in by_plain if rank in POSITION}
    epithets = {
        rank: by_plain[term]
        for term, rank in EPITHETS.items()
        if term in by_plain and (rank not in columns or (table.frame[columns[rank]].str.strip_chars() == "").all())
    }
    columns.update(epithets)
    parent, accepted = first(PARENTS), first(ACCEPTED)
    taken = {
        *every((*PARENTS, *ACCEPTED, *RANK_TEXTS, *EPITHETS, "taxonomicstatus")),
        *every(KEYS),
        *(by_plain[rank] for rank in by_plain if rank in POSITION),
    }
    return TaxonTerms(
        keys=every(KEYS),
        parent=parent,
        accepted=accepted,
        names=every(NAMES),
        authorship=first(AUTHORSHIPS),
        rank=first(RANK_TEXTS),
        status=first(STATUSES),
        ranks={rank: columns[rank] for rank in coarse_to_fine(columns)},
        epithets=frozenset(epithets),
        further=tuple(name for name in table.columns if name not in taken),
        synonyms_have_parents=accepted is None and parent is not None and plain_term(parent) == "parentid",
    )


def essential(columns: Iterable[str], *, ranks: bool) -> list[str]:
    """The columns that give a taxon its identity, name, rank, status and place.

    Args:
        columns: Names of all columns.
        ranks: Whether columns of ranks place the taxa, rather than their parents.

    Example:
        >>> columns = ["taxonID", "parentNameUsageID", "scientificName", "taxonRemarks", "family", "genus"]
        >>> essential(columns, ranks=False), essential(columns, ranks=True)[3:]
        (['taxonID', 'parentNameUsageID', 'scientificName'], ['family', 'genus'])
    """
    by_plain = {plain_term(name): name for name in reversed(list(columns))}
    roles = [*(KEYS, PARENTS, ACCEPTED, NAMES), *((terms,) for terms in (*AUTHORSHIPS, *RANK_TEXTS, *STATUSES))]
    found = [by_plain[term] for terms in roles for term in terms if term in by_plain]
    placing = [name for plain, name in by_plain.items() if plain in POSITION or plain in EPITHETS]
    return [*found, *reversed(placing)] if ranks else found


def evidence(table: Table) -> str | None:
    """Evidence that the rows are taxa of Darwin Core, ColDP or a table of ranks, or None.

    Example:
        >>> import polars as pl
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> evidence(from_frame(pl.DataFrame({"family": ["Felidae"], "genus": ["Puma"], "scientificName": ["Puma"]})))
        "the rank columns 'family', 'genus' next to 'scientificName'"
        >>> evidence(from_frame(pl.DataFrame({"family": ["Felidae"], "genus": ["Puma"]}))) is None
        True
    """
    by_plain = {plain_term(name): name for name in reversed(table.columns)}
    if "parentnameusageid" in by_plain:
        return f"the column {by_plain['parentnameusageid']!r}"
    about = [by_plain[term] for term in ABOUT_THE_TAXON if term in by_plain]
    terms = find_terms(table)
    if terms.parent and terms.keys and "scientificname" in by_plain and (terms.rank or terms.status):
        return f"the columns {some([terms.keys[0], terms.parent, by_plain['scientificname']])}"
    if len(terms.ranks) >= 2 and about and MAIN_RANKS & set(terms.ranks):
        return f"the rank columns {some(list(terms.ranks.values()), 3)} next to {about[0]!r}"
    return None
