r"""Read a Catalogue of Life data package (ColDP): ``NameUsage``, or ``Taxon`` with ``Name`` and ``Synonym``.

Files are called like their entity, ignoring case, hyphens and underscores. ``.csv`` files have commas and quotes,
others tabs without quotes, in which ``\t``, ``\n`` and ``\\`` are escapes. Names in languages come from
``VernacularName``; ``metadata.yaml`` and other files are ignored. The format: https://github.com/CatalogueOfLife/coldp
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.archives.checklist import checklist_table, tree_of_checklist
from cladewise.taxonomy.formats.archives.rows import Layout, first_line, read_rows
from cladewise.taxonomy.formats.archives.vernacular import VernacularTable
from cladewise.taxonomy.formats.members import Members, members_of
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.formats.taxa.darwin_terms import PREFIX, plain_term
from cladewise.taxonomy.formats.taxa.synonyms import made_id
from cladewise.taxonomy.tree import Taxonomy

TSV, CSV = Layout(separator="\t", skipped=1), Layout(separator=",", quote='"', skipped=1)
LAYOUTS = {".tsv": TSV, ".tab": TSV, ".txt": TSV, ".csv": CSV}
ID, PARENT, NAME, AUTHORS, RANK, STATUS = "ID", "parentID", "scientificName", "authorship", "rank", "status"
PARTS = ("uninomial", "genericName", "genus", "specificEpithet", "infraspecificEpithet")
"""Columns with the parts of a name, for rows without ``scientificName``."""
SEQUENCE = "sequenceIndex"
TRUE = ("true", "t", "1", "yes", "y")


@dataclasses.dataclass(frozen=True)
class Entity:
    """A table of a package.

    Attributes:
        members: The package.
        file: The table's file in it.
        layout: How it is written.
        columns: Its columns in order, without prefixes.
    """

    members: Members
    file: str
    layout: Layout
    columns: list[str]

    def table(self, wanted: Iterable[str]) -> Table:
        """Some columns, by their names in ColDP; those that it lacks are left out."""
        plain = [plain_term(name) for name in self.columns]
        known = {name: plain.index(plain_term(name)) for name in wanted if plain_term(name) in plain}
        table = read_rows(self.members, self.file, self.layout, known)
        return table if self.layout.quote else dataclasses.replace(table, frame=_unescaped(table.frame))


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the tree of a package; see :mod:`cladewise.taxonomy.formats.archives.checklist`.

    Raises:
        InputError: It has no table of taxa, a table has no header or is damaged, or the taxa are no tree.
    """
    with members_of(path) as members:
        usage = _entity(members, "nameusage")
        if usage is not None:
            taxa = checklist_table(usage.columns, lambda columns: _usages(usage, columns), options)
        else:
            taxa = _of_three(members, options)
        vernacular = _entity(members, "vernacularname")
        names = [] if vernacular is None else [_vernacular(vernacular)]
    return tree_of_checklist(taxa, names, options)


def _entity(members: Members, name: str) -> Entity | None:
    """The table of an entity; None if there is none.

    Raises:
        InputError: There are several, or it has no header.
    """
    files = [file for file in members.names if _plain_file(file) == name]
    if not files:
        return None
    if len(files) > 1:
        raise InputError(f"one file for {name}", some(files), at=str(members.path))
    layout = LAYOUTS[PurePosixPath(files[0]).suffix.lower()]
    line = first_line(members, files[0], layout)
    cells = next(csv.reader([line], delimiter=layout.separator)) if layout.quote else line.split(layout.separator)
    columns = [PREFIX.sub("", cell.strip()) for cell in cells]
    if not {"id", "taxonid", "nameid"} & {plain_term(name) for name in columns}:
        advice = "Its first line has to name the columns as ColDP does: ID, parentID, scientificName, ..."
        raise InputError("a header", some(cells, 4), at=f"{members.path}, {files[0]}:1", advice=advice)
    return Entity(members, files[0], layout, columns)


def _plain_file(name: str) -> str:
    """The name of the entity in a file; blank for files of other kinds and in subfolders."""
    path = PurePosixPath(name)
    known = path.suffix.lower() in LAYOUTS and len(path.parts) == 1
    return path.stem.lower().replace("-", "").replace("_", "") if known else ""


def _usages(usage: Entity, columns: Sequence[str]) -> Table:
    """Columns of ``NameUsage``, with names put together from their parts where they are missing."""
    table = usage.table(dict.fromkeys([*columns, NAME, *PARTS, SEQUENCE]))
    table = _in_sequence(dataclasses.replace(table, frame=table.frame.with_columns(_name(table.frame, "genericName"))))
    return dataclasses.replace(table, frame=table.frame.select(list(dict.fromkeys([*columns, NAME]))))


def _of_three(members: Members, options: ReadOptions) -> Table:
    """Taxa and synonyms with their names, as rows of ``NameUsage``."""
    taxon, name, synonym = (_entity(members, entity) for entity in ("taxon", "name", "synonym"))
    if taxon is None or name is None:
        got = some(members.names, 10) or "nothing"
        raise InputError("the tables NameUsage, or Taxon and Name, of a ColDP package", got, at=str(members.path))
    names = name.table(dict.fromkeys([ID, NAME, AUTHORS, RANK, *PARTS])).frame
    names = names.with_columns(_name(names, "genus")).select(
        pl.col(ID).alias("nameID"), *_filled(names, [NAME, AUTHORS, RANK])
    )
    names = names.unique("nameID", keep="first", maintain_order=True)
    synonyms = None if synonym is None else synonym.table([ID, "taxonID", "nameID", STATUS]).frame
    own = [ID, PARENT, NAME, AUTHORS, RANK, STATUS]

    def load(columns: list[str]) -> Table:
        further = [column for column in columns if column not in own]
        table = taxon.table(dict.fromkeys([ID, PARENT, "nameID", "provisional", SEQUENCE, *further]))
        table = _in_sequence(table)
        frame = table.frame.join(names, on="nameID", how="left", maintain_order="left")
        provisional = (
            pl.col("provisional").str.to_lowercase().is_in(TRUE) if "provisional" in frame.columns else pl.lit(False)
        )
        status = pl.when(provisional).then(pl.lit("provisionally accepted")).otherwise(pl.lit("accepted"))
        frame = frame.with_columns(status.alias(STATUS), *_filled(frame, [PARENT]))
        if synonyms is not None:
            frame = pl.concat([frame, _synonyms(synonyms).join(names, on="nameID", how="left")], how="diagonal")
        return dataclasses.replace(table, frame=frame.select(columns).fill_null(""), lines=None)

    return checklist_table([*own, *(column for column in taxon.columns if column not in own)], load, options)


def _synonyms(frame: pl.DataFrame) -> pl.DataFrame:
    """Synonyms with an identifier each, and the accepted taxon as their parent."""
    frame = frame.with_columns(_filled(frame, [ID, STATUS]))
    number = pl.int_range(pl.len()).over("taxonID") + 1
    own = pl.when(pl.col(ID) == "").then(made_id(pl.col("taxonID"), number)).otherwise(pl.col(ID))
    status = pl.when(pl.col(STATUS) == "").then(pl.lit("synonym")).otherwise(pl.col(STATUS))
    return frame.select(own.alias(ID), pl.col("taxonID").alias(PARENT), "nameID", status.alias(STATUS))


def _vernacular(entity: Entity) -> VernacularTable:
    table = entity.table(["taxonID", "name", "language", "preferred"])
    if not {"taxonID", "name"} <= set(table.columns):
        raise InputError("the columns taxonID and name", some(entity.columns), at=table.source)
    return VernacularTable(table.frame.rename({"taxonID": "id"}), table.source)


def _name(frame: pl.DataFrame, genus: str) -> pl.Expr:
    """The whole name, put together from its parts if it is blank."""
    parts = [pl.col(part) for part in (genus, "specificEpithet", "infraspecificEpithet") if part in frame.columns]
    whole = pl.col(NAME) if NAME in frame.columns else pl.lit("")
    single = pl.col("uninomial") if "uninomial" in frame.columns else pl.lit("")
    several = pl.concat_str(*parts, separator=" ").str.replace_all(" +", " ").str.strip_chars() if parts else pl.lit("")
    return pl.when(whole != "").then(whole).when(single != "").then(single).otherwise(several).alias(NAME)


def _filled(frame: pl.DataFrame, columns: Sequence[str]) -> list[pl.Expr]:
    """Columns, blank if the frame lacks them."""
    return [pl.col(name) if name in frame.columns else pl.lit("").alias(name) for name in columns]


def _in_sequence(table: Table) -> Table:
    """The rows in the order of siblings that the package gives, if it gives one."""
    if SEQUENCE not in table.columns:
        return table
    numbers = table.frame[SEQUENCE].str.strip_chars().cast(pl.Int64, strict=False)
    if numbers.null_count() == numbers.len():
        return table
    order = (
        pl.DataFrame({"number": numbers})
        .select(pl.arg_sort_by("number", nulls_last=True, maintain_order=True))
        .to_series()
    )
    return dataclasses.replace(table, frame=table.frame[order], lines=table.all_lines()[order.to_numpy()])


def _unescaped(frame: pl.DataFrame) -> pl.DataFrame:
    r"""Texts with the escapes of a ``.tsv`` file resolved; tabs and line ends become blanks."""
    marked = [name for name in frame.columns if frame[name].str.contains("\\", literal=True).any()]
    plain = pl.col(marked).str.replace_many(["\\t", "\\n", "\\r", "\\\\"], [" ", " ", " ", "\\"])
    return frame.with_columns(plain) if marked else frame
