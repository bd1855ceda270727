"""The label tree: build, read, write, validate, compare."""

from cladewise.taxonomy.checks.problems import Problem
from cladewise.taxonomy.difference import TaxonomyDifference, diff
from cladewise.taxonomy.formats import FORMATS, Format, from_dataframe, read, write
from cladewise.taxonomy.formats.checking import check
from cladewise.taxonomy.tree import Taxonomy

__all__ = [
    "FORMATS",
    "Format",
    "Problem",
    "Taxonomy",
    "TaxonomyDifference",
    "check",
    "diff",
    "from_dataframe",
    "read",
    "write",
]
