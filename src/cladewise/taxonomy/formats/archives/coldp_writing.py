"""Write a tree as a ColDP package: ``NameUsage.csv``, ``VernacularName.csv`` and ``metadata.yaml`` in a zip.

What is kept and what is left out is the same as in a Darwin Core archive
(:mod:`~cladewise.taxonomy.formats.archives.dwca_writing`); texts may contain tabs and line ends.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from cladewise.taxonomy.formats.archives.usages import usages_of, write_archive
from cladewise.taxonomy.tree import Taxonomy


def write_coldp(taxonomy: Taxonomy, path: Path) -> None:
    """Write the package.

    Raises:
        InputError: A text contains a null character.

    Example:
        >>> path = getfixture("tmp_path") / "cats.zip"
        >>> write_coldp(Taxonomy.from_paths([("Felidae", "Puma")], level_names=["family", "genus"]), path)
        >>> import zipfile
        >>> print(zipfile.ZipFile(path).read("NameUsage.csv").decode().splitlines()[2])
        2,1,accepted,genus,Puma
    """
    usages = usages_of(taxonomy)
    above = pl.when(pl.col("accepted") == "").then(pl.col("parent")).otherwise(pl.col("accepted"))
    taxa = usages.frame.select(ID="id", parentID=above, status="status", rank="rank", scientificName="name")
    members: dict[str, str | pl.DataFrame] = {"NameUsage.csv": taxa}
    if usages.vernacular.height:
        members["VernacularName.csv"] = usages.vernacular.rename({"id": "taxonID"})
    members["metadata.yaml"] = f"title: {json.dumps(path.stem, ensure_ascii=False)}\n"
    write_archive(path, members, separator=",", quoted=True)
