"""Read and write taxonomies: one module a format, chosen by the file's name and header."""

from cladewise.taxonomy.formats.options import FORMATS, Format
from cladewise.taxonomy.formats.reading import from_dataframe, read
from cladewise.taxonomy.formats.writing import write

__all__ = ["FORMATS", "Format", "from_dataframe", "read", "write"]
