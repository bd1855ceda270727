"""Files and folders that hold a tree: read, write and check them. One room per family of formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.taxonomy.formats.checking import check
    from cladewise.taxonomy.formats.options import FORMATS, Format
    from cladewise.taxonomy.formats.reading import from_dataframe, read
    from cladewise.taxonomy.formats.writing import write

__all__ = [
    "FORMATS",
    "Format",
    "check",
    "from_dataframe",
    "read",
    "write",
]

_MODULES = {
    "check": "cladewise.taxonomy.formats.checking",
    "FORMATS": "cladewise.taxonomy.formats.options",
    "Format": "cladewise.taxonomy.formats.options",
    "from_dataframe": "cladewise.taxonomy.formats.reading",
    "read": "cladewise.taxonomy.formats.reading",
    "write": "cladewise.taxonomy.formats.writing",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
