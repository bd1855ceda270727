"""Read NCBI's taxonomy from its dump: ``nodes.dmp`` and ``names.dmp`` in a folder or an archive.

A node is named by its scientific name and keeps its id. Ids that were merged into it (``merged.dmp``) are former ids.
The format: https://ftp.ncbi.nlm.nih.gov/pub/taxonomy/taxdump_readme.txt
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.archives.checklist import tree_of_checklist
from cladewise.taxonomy.formats.archives.rows import Layout, read_rows
from cladewise.taxonomy.formats.archives.vernacular import VernacularTable
from cladewise.taxonomy.formats.members import Members, matching, members_of
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.names.columns import FORMER_IDS, NAME_SEPARATOR, SYNONYMS, escaped_names
from cladewise.taxonomy.tree import Taxonomy

LAYOUT = Layout(separator="\t|\t")
ROW_END = "\t|"
"""End of a row as NCBI writes it; other writers of such dumps leave it out."""
SCIENTIFIC = "scientific name"
OTHER_NAMES = (
    "synonym",
    "genbank synonym",
    "equivalent name",
    "acronym",
    "genbank acronym",
    "anamorph",
    "genbank anamorph",
    "teleomorph",
    "misspelling",
)
"""Classes of names that mean the whole node. ``in-part``, ``includes`` and ``misnomer`` do not; ``authority`` and
``type material`` are no names in use, and ``blast name`` is that of a coarse group."""
COMMON = {"genbank common name": "true", "common name": ""}
"""Classes of vernacular names, and whether they are preferred. NCBI does not give their language, which is English."""


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the tree of a dump.

    Raises:
        InputError: A file is missing or damaged, or the nodes are no tree.
    """
    with members_of(path) as members:
        found = matching(members.names, ["nodes.dmp", "names.dmp"])
        if found is None:
            raise InputError("nodes.dmp and names.dmp", some(members.names, 10) or "nothing", at=str(path))
        merged = matching(members.names, ["merged.dmp"])
        former = None if merged is None else _rows(members, merged[0], {"former": 0, "id": 1}).frame
        names = _rows(members, found[1], {"id": 0, "name": 1, "class": 3}).frame
        nodes = _rows(members, found[0], {"taxonID": 0, "parentNameUsageID": 1, "taxonRank": 2})
    scientific = (
        names.filter(pl.col("class") == SCIENTIFIC).unique("id", keep="first").select("id", canonicalName="name")
    )
    frame = nodes.frame.join(scientific, left_on="taxonID", right_on="id", how="left", maintain_order="left")
    others = names.filter(pl.col("class").is_in(OTHER_NAMES)).select("id", text="name")
    columns = {SYNONYMS: others}
    if former is not None:
        columns[FORMER_IDS] = former.select("id", text="former")
    for column, texts in columns.items():
        if not texts.height:
            continue
        joined = _joined(texts).rename({"text": column})
        frame = frame.join(joined, left_on="taxonID", right_on="id", how="left", maintain_order="left")
    common = names.filter(pl.col("class").is_in(list(COMMON)))
    common = common.select("id", "name", language=pl.lit("en"), preferred=pl.col("class").replace_strict(COMMON))
    table = dataclasses.replace(nodes, frame=frame.fill_null(""))
    del frame, names
    return tree_of_checklist(table, [VernacularTable(common, f"{path}, {found[1]}")], options)


def _rows(members: Members, name: str, positions: dict[str, int]) -> Table:
    table = read_rows(members, name, LAYOUT, positions)
    return dataclasses.replace(table, frame=table.frame.select(pl.all().str.strip_suffix(ROW_END).str.strip_chars()))


def _joined(texts: pl.DataFrame) -> pl.DataFrame:
    """The texts of each id in one cell."""
    return (
        texts.with_columns(escaped_names(texts["text"]))
        .group_by("id", maintain_order=True)
        .agg(pl.col("text").unique(maintain_order=True).str.join(NAME_SEPARATOR))
    )
