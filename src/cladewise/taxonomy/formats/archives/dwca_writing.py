"""Write a tree as a Darwin Core archive: ``taxon.tsv``, ``vernacularname.tsv``, ``meta.xml`` and ``eml.xml`` in a zip.

Kept are names, parents, ids, ranks, synonyms, former ids and names in languages. Left out are further columns, the case
of names of levels, and a synthetic root: a tree with tops of several levels is read back with ``roots="join"``, and one
with a single top has that as its root. A former id becomes a synonym that has the name of its taxon.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from cladewise.taxonomy.formats.archives.usages import usages_of, write_archive
from cladewise.taxonomy.tree import Taxonomy

DWC, GBIF = "http://rs.tdwg.org/dwc/terms/", "http://rs.gbif.org/terms/1.0/"
TAXON, NAMES = "taxon.tsv", "vernacularname.tsv"
TERMS = {
    "taxonID": ("id", DWC),
    "parentNameUsageID": ("parent", DWC),
    "acceptedNameUsageID": ("accepted", DWC),
    "scientificName": ("name", DWC),
    "taxonRank": ("rank", DWC),
    "taxonomicStatus": ("status", DWC),
}
NAME_TERMS = {
    "taxonID": ("id", DWC),
    "vernacularName": ("name", DWC),
    "language": ("language", "http://purl.org/dc/terms/"),
    "isPreferredName": ("preferred", GBIF),
}
"""Terms of the tables in order, with the column of the name usages and the namespace of each."""
EML = "eml://ecoinformatics.org/eml-2.1.1"
EML_SCHEMA = "http://rs.gbif.org/schema/eml-gbif-profile/1.1/eml-gbif-profile.xsd"
LAYOUT = 'encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'


def write_dwca(taxonomy: Taxonomy, path: Path) -> None:
    r"""Write the archive.

    Raises:
        InputError: A text contains a tab or a line end.

    Example:
        >>> path = getfixture("tmp_path") / "cats.zip"
        >>> write_dwca(Taxonomy.from_paths([("Felidae", "Puma")], level_names=["family", "genus"]), path)
        >>> import zipfile
        >>> print(zipfile.ZipFile(path).read("taxon.tsv").decode().splitlines()[2].split("\t"))
        ['2', '1', '', 'Puma', 'genus', 'accepted']
    """
    usages = usages_of(taxonomy)
    tables = {TAXON: usages.frame.select(**{term: column for term, (column, _) in TERMS.items()})}
    core = _table("core", DWC + "Taxon", TAXON, "id", TERMS)
    extension = ""
    if usages.vernacular.height:
        tables[NAMES] = usages.vernacular.select(**{term: column for term, (column, _) in NAME_TERMS.items()})
        extension = _table("extension", GBIF + "VernacularName", NAMES, "coreid", NAME_TERMS)
    meta = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">\n{core}{extension}</archive>\n'
    )
    members = {"meta.xml": meta, "eml.xml": _eml(path.stem), **tables}
    write_archive(path, members, separator="\t", quoted=False)


def _table(element: str, kind: str, file: str, key: str, terms: Mapping[str, tuple[str, str]]) -> str:
    fields = "".join(
        f'    <field index="{position}" term="{space}{term}"/>\n'
        for position, (term, (_, space)) in enumerate(terms.items())
    )
    return (
        f'  <{element} {LAYOUT} rowType="{kind}">\n    <files><location>{file}</location></files>\n'
        f'    <{key} index="0"/>\n{fields}  </{element}>\n'
    )


def _eml(title: str) -> str:
    """The least that the Ecological Metadata Language asks for."""
    person = "<organizationName>unknown</organizationName>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<eml:eml xmlns:eml="{EML}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{EML} {EML_SCHEMA}" packageId="cladewise" system="cladewise">\n'
        f"  <dataset>\n    <title>{escape(title)}</title>\n    <creator>{person}</creator>\n"
        f"    <contact>{person}</contact>\n  </dataset>\n</eml:eml>\n"
    )
