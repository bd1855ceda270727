"""Read the taxa of a Darwin Core archive: a folder or archive with ``meta.xml``.

The core has one row per taxon, of which the columns for place, name, rank and status are read. Names in languages come
from the extension for vernacular names. Other extensions and ``eml.xml`` are ignored.
"""

from __future__ import annotations

from pathlib import Path

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.archives.checklist import checklist_table, tree_of_checklist
from cladewise.taxonomy.formats.archives.descriptor import FILE, DataFile, Descriptor, read_descriptor
from cladewise.taxonomy.formats.archives.vernacular import VernacularTable
from cladewise.taxonomy.formats.members import Members, matching, members_of
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.tree import Taxonomy

TAXON, VERNACULAR = "Taxon", "VernacularName"
RECORDS = ("Occurrence", "Event", "MaterialSample", "MaterialEntity")
"""Row types of cores that list observations or specimens rather than taxa."""


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the tree of a Darwin Core archive; see :mod:`cladewise.taxonomy.formats.archives.checklist`.

    Raises:
        InputError: The core does not list taxa, a table is not written as ``meta.xml`` says, or the taxa are no tree.
    """
    path = path.parent if path.name.lower() == FILE and path.is_file() else path
    with members_of(path) as members:
        found = matching(members.names, [FILE])
        if found is None:
            raise InputError("meta.xml in a Darwin Core archive", some(members.names, 10) or "nothing", at=str(path))
        descriptor = read_descriptor(members, found[0])
        _refuse_records(descriptor, path)
        core = descriptor.core
        table = checklist_table(core.columns, lambda columns: core.table(members, columns), options)
        names = [_vernacular(members, extension) for extension in descriptor.extensions_of(VERNACULAR)]
    return tree_of_checklist(table, [found for found in names if found is not None], options)


def _refuse_records(descriptor: Descriptor, path: Path) -> None:
    kind = descriptor.core.kind
    if kind.lower() == TAXON.lower() or (kind not in RECORDS and "taxonID" in descriptor.core.columns):
        return
    locations = ", ".join(descriptor.core.locations)
    raise InputError(
        "a checklist, whose core lists taxa",
        f"records of {kind or 'an unknown type'} in {locations}",
        at=str(path),
        advice=f'The taxa in its rank columns can be read from {locations} with format="darwin-core".',
    )


def _vernacular(members: Members, extension: DataFile) -> VernacularTable | None:
    """The rows of an extension for vernacular names; None if it has no names."""
    known = {name.lower(): name for name in extension.columns}
    if not extension.key or "vernacularname" not in known:
        return None
    roles = {"name": "vernacularname", "language": "language", "preferred": "ispreferredname"}
    chosen = {role: known[term] for role, term in roles.items() if term in known}
    table = extension.table(members, list(dict.fromkeys([extension.key, *chosen.values()])))
    frame = table.frame.select(id=extension.key, **chosen)
    return VernacularTable(frame, table.source)
