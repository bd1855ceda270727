"""The label tree: build, read, write, check and compare it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names
from cladewise.taxonomy.tree import Taxonomy

if TYPE_CHECKING:
    from cladewise.taxonomy.checks.problems import Problem
    from cladewise.taxonomy.difference import TaxonomyDifference, diff
    from cladewise.taxonomy.formats.checking import check
    from cladewise.taxonomy.formats.options import FORMATS, Format
    from cladewise.taxonomy.formats.reading import from_dataframe, read
    from cladewise.taxonomy.formats.writing import write
    from cladewise.taxonomy.matching import match

__all__ = [
    "FORMATS",
    "Format",
    "Problem",
    "Taxonomy",
    "TaxonomyDifference",
    "check",
    "diff",
    "from_dataframe",
    "match",
    "read",
    "write",
]

_MODULES = {
    "Problem": "cladewise.taxonomy.checks.problems",
    "TaxonomyDifference": "cladewise.taxonomy.difference",
    "diff": "cladewise.taxonomy.difference",
    "check": "cladewise.taxonomy.formats.checking",
    "FORMATS": "cladewise.taxonomy.formats.options",
    "Format": "cladewise.taxonomy.formats.options",
    "from_dataframe": "cladewise.taxonomy.formats.reading",
    "match": "cladewise.taxonomy.matching",
    "read": "cladewise.taxonomy.formats.reading",
    "write": "cladewise.taxonomy.formats.writing",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
