"""Read a tree from whatever holds one."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.tabular import read_tabular
from cladewise.taxonomy.tree import Taxonomy


def read(path: str | PathLike[str], **options: Any) -> Taxonomy:
    """Read a tree from a table."""
    place = Path(path)
    if not place.exists():
        raise InputError("a taxonomy file or folder", "nothing of that name", at=str(place))
    return read_tabular(place, **options)
