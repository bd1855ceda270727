"""Read and write taxonomies: one module a format, chosen by the file's name and header."""

from cladewise.taxonomy.formats.reading import read
from cladewise.taxonomy.formats.writing import write

__all__ = ["read", "write"]
