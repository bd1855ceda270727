"""Camera-trap data packages (Camtrap DP): the taxa that ``datapackage.json`` lists.

Format: https://camtrap-dp.tdwg.org/metadata/#taxonomic
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import Problem
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.members import is_archive, members_of
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.formats.tabular import taxonomy_from_table
from cladewise.taxonomy.formats.taxa.ranks import POSITION
from cladewise.taxonomy.names.columns import join_names, vernacular_column
from cladewise.taxonomy.tree import Taxonomy

FILE = "datapackage.json"
_PLAIN = ("taxonID", "scientificName", "taxonRank")


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the taxa of a package: its folder, an archive of it, or its ``datapackage.json``.

    Taxa are placed by the ranks that they list, as in a Darwin Core table. Many packages list none; their taxa are at
    the top, at the level of their rank. Vernacular names are in ``name:<language>``.

    Raises:
        InputError: The package lists no taxa, or a taxon has no scientific name.

    Example:
        >>> path = getfixture("tmp_path") / "datapackage.json"
        >>> fox = {"scientificName": "Vulpes vulpes", "family": "Canidae", "genus": "Vulpes"}
        >>> fox["vernacularNames"] = {"eng": "red fox"}
        >>> _ = path.write_text(json.dumps({"taxonomic": [fox]}))
        >>> tree = read(path, ReadOptions(roots="join"))
        >>> tree.path_name(3), str(tree.columns["name:en"][3])
        ('Canidae/Vulpes/Vulpes vulpes', 'red fox')
    """
    package = package_of(path)
    taxa = package.get("taxonomic")
    if not isinstance(taxa, list) or not taxa:
        advice = "Its observations name taxa without their place; give a taxonomy for them."
        raise InputError("a list of taxa under 'taxonomic'", "none", at=str(path), advice=advice)
    rows = [_row(taxon, f"{path}, taxon {number}") for number, taxon in enumerate(taxa, start=1)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name, "") for row in rows] for name in names}
    table = Table(pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String)), f"{path}, taxon", path=None)
    if not any(name in POSITION for name in names):
        return _flat(table)
    return taxonomy_from_table(table, _as_taxa(options))


def package_of(path: Path) -> dict[str, Any]:
    """The description of a package.

    Raises:
        InputError: There is none, or it is not JSON.
    """
    if path.is_dir() or is_archive(path):
        with members_of(path) as members:
            if FILE not in members.names:
                raise InputError(f"a package with a {FILE}", "none", at=str(path))
            with members.file(FILE) as file:
                return _parsed(file, path)
    return _parsed(path, path)


def _parsed(file: Path, path: Path) -> dict[str, Any]:
    try:
        package = json.loads(read_text(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError("JSON", f"an error: {error}", at=str(path)) from error
    if not isinstance(package, dict):
        raise InputError(f"a {FILE} with an object", type(package).__name__, at=str(path))
    return package


def _row(taxon: Any, source: str) -> dict[str, str]:
    if not isinstance(taxon, dict) or not str(taxon.get("scientificName") or "").strip():
        raise InputError("a taxon with a scientificName", f"{taxon!r:.80}", at=source)
    texts = {name: str(taxon.get(name) or "") for name in _PLAIN}
    texts |= {key: str(value) for key, value in taxon.items() if key in POSITION and value}
    names = taxon.get("vernacularNames") or {}
    if not isinstance(names, Mapping):
        raise InputError("vernacularNames by language", f"{names!r:.80}", at=source)
    for language, name in names.items():
        column = vernacular_column(str(language))
        texts[column] = join_names([*([texts[column]] if column in texts else []), str(name)])
    return {name: text for name, text in texts.items() if text or name in _PLAIN}


def _flat(table: Table) -> Taxonomy:
    """Taxa without ranks above them as children of the root."""
    frame = table.frame
    again = frame["scientificName"].is_duplicated()
    if again.any():
        line = int(again.arg_true()[0]) + 1
        table.fail([Problem(line, "duplicate", f"{frame['scientificName'][line - 1]!r} twice")])
    kept = [name for name in frame.columns if name not in ("scientificName", "taxonID")]
    has_ids = bool((frame["taxonID"] != "").all()) and not frame["taxonID"].is_duplicated().any()
    ids = {"id": ["", *frame["taxonID"]]} if has_ids else {}
    return Taxonomy(
        np.concatenate([[-1], np.zeros(frame.height, dtype=np.int64)]),
        ["", *frame["scientificName"]],
        level_names=["taxon"],
        columns={**ids, **{name: ["", *frame[name]] for name in kept}},
    )


def _as_taxa(options: ReadOptions) -> ReadOptions:
    """The options for the table of taxa, which is joined at the top, since packages list taxa of all kingdoms."""
    return ReadOptions(format="darwin-core", roots="join" if options.roots == "error" else options.roots)
