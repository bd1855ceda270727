"""Write a tree in any format that can hold one."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from cladewise.taxonomy.formats.nodes import nodes_from_taxonomy
from cladewise.taxonomy.formats.table import write_table
from cladewise.taxonomy.tree import Taxonomy


def write(taxonomy: Taxonomy, path: str | PathLike[str], **options: Any) -> None:
    """Write the node table."""
    write_table(nodes_from_taxonomy(taxonomy), Path(path))
