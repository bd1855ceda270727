"""The label tree: build, read, write, validate, compare."""

from cladewise.taxonomy.tree import Taxonomy

__all__ = ["Taxonomy"]
