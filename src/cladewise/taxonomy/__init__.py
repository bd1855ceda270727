"""The label tree: build, read, write, validate, compare."""

from cladewise.taxonomy.formats import read, write
from cladewise.taxonomy.tree import Taxonomy

__all__ = ["Taxonomy", "read", "write"]
