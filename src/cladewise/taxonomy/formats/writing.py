"""Write a tree as a table, a document, Newick or folders."""

from __future__ import annotations

import importlib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.formats.losses import tell_losses
from cladewise.taxonomy.formats.options import Format
from cladewise.taxonomy.formats.reading import FORMAT_BY_SUFFIX
from cladewise.taxonomy.formats.tables.table import TABLE_SUFFIXES, write_table_file
from cladewise.taxonomy.names.columns import FORMER_IDS, ID, SYNONYMS, VERNACULAR
from cladewise.taxonomy.tree import Taxonomy

TABLES = {
    "nodes": ("tables.node_table", "nodes_from_taxonomy"),
    "levels": ("tables.level_table", "levels_from_taxonomy"),
    "edges": ("tables.edge_list", "edges_from_taxonomy"),
    "darwin-core": ("taxa.darwin_core", "darwin_core_from_taxonomy"),
}
"""Module and function that turn a tree into each kind of table; imported when the format is written."""

FILES = {
    "json": ("documents.json_tree", "write_json_tree"),
    "yaml": ("documents.yaml_tree", "write_yaml_tree"),
    "newick": ("phylogenies.newick", "write_newick"),
    "folders": ("folders", "write_folders"),
    "coco": ("documents.coco_writing", "write_categories"),
    "dwca": ("archives.dwca_writing", "write_dwca"),
    "coldp": ("archives.coldp_writing", "write_coldp"),
    "label-studio": ("labelling.label_studio", "write"),
    "datumaro": ("labelling.datumaro", "write"),
    "cvat": ("labelling.cvat", "write"),
}
"""Module and function that write each other format."""

KEEP_FURTHER_PARENTS = ("nodes", "edges", "json", "yaml", "coco")
"""Formats that keep several parents of a node; a tree that has them is not written in any other."""

_NAMES = (ID, SYNONYMS, FORMER_IDS, VERNACULAR)
HOLD: dict[str, dict[str, Any]] = {
    "levels": {"columns": (), "levels": True},
    "edges": {"columns": ()},
    "newick": {"columns": ()},
    "folders": {"columns": ()},
    "dwca": {"columns": _NAMES, "levels": True},
    "coldp": {"columns": _NAMES, "levels": True},
}
"""Contents that each lossy format keeps; formats that are not listed warn in their own modules."""


def write(taxonomy: Taxonomy, path: str | PathLike[str], *, format: Format | None = None) -> None:
    """Write a tree atomically, in the format given by the file's suffix.

    ``.csv``, ``.tsv`` and ``.parquet`` give the node table, which keeps everything a taxonomy has; ``format`` selects
    another kind of table. JSON keeps everything too. A name without a suffix is a folder. A warning names the
    contents that another format cannot hold; their modules say more.

    Raises:
        InputError: The format cannot represent the tree, such as several parents of a node, or cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "classes.csv"
        >>> write(Taxonomy.from_paths([("fruit", "apple")]), path)
        >>> print(path.read_text().rstrip())
        id,parent,name,level
        0,,,level_1 > level_2
        1,0,fruit,level_1
        2,1,apple,level_2
    """
    place = Path(path)
    suffix = place.suffix.lower()
    chosen = format or ("nodes" if suffix in TABLE_SUFFIXES else FORMAT_BY_SUFFIX.get(suffix))
    if chosen is None and not suffix:
        chosen = "folders"
    if (chosen in TABLES or chosen in FILES) and taxonomy.has_further_parents and chosen not in KEEP_FURTHER_PARENTS:
        several = np.unique(taxonomy.further_parents[:, 0]).size
        raise InputError(
            f"one parent for each node, which is all that {chosen} can hold",
            "1 node with several" if several == 1 else f"{several:,} nodes with several",
            advice=f'Write {", ".join(KEEP_FURTHER_PARENTS)}; or read the tree with parents="first".',
        )
    if chosen in TABLES:
        write_table_file(_function(*TABLES[chosen])(taxonomy), place)
    elif chosen in FILES:
        _function(*FILES[chosen])(taxonomy, place)
    elif format is not None:
        raise InputError(f"a format to write among {', '.join([*TABLES, *FILES])}", repr(format))
    else:
        raise InputError(
            f"a file name that ends in {', '.join([*TABLE_SUFFIXES, *FORMAT_BY_SUFFIX])}, or in nothing for folders",
            repr(place.name),
        )
    if chosen in HOLD:
        tell_losses(taxonomy, str(place), **HOLD[chosen])


def _function(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"cladewise.taxonomy.formats.{module}"), name)
