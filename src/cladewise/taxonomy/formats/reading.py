"""Read a tree from whatever holds one."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from cladewise.errors import InputError
from cladewise.taxonomy.formats.folders import read_folders
from cladewise.taxonomy.formats.markup import read_json, read_yaml
from cladewise.taxonomy.formats.newick import read_newick
from cladewise.taxonomy.formats.options import (
    FORMATS,
    TABLE_FORMATS,
    Format,
    Parents,
    Roots,
    TableFormat,
    TableOptions,
    one_of,
)
from cladewise.taxonomy.formats.table import TABLE_SUFFIXES, from_frame
from cladewise.taxonomy.formats.tabular import read_tabular, taxonomy_from_table
from cladewise.taxonomy.formats.wordnet import read_wordnet
from cladewise.taxonomy.tree import Taxonomy

FORMAT_BY_SUFFIX: dict[str, Format] = {
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".nwk": "newick",
    ".newick": "newick",
    ".tree": "newick",
    ".tre": "newick",
    ".nex": "newick",
    ".nexus": "newick",
    ".nhx": "newick",
    ".phy": "newick",
    ".treefile": "newick",
    ".jsonl": "json",
    ".ndjson": "json",
    ".noun": "wordnet",
}


def read(
    path: str | PathLike[str],
    *,
    format: Format | None = None,
    parents: Parents = "error",
    roots: Roots = "error",
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    child: str | None = None,
    parent: str | None = None,
    ids: str | PathLike[str] | Sequence[str] | None = None,
) -> Taxonomy:
    """Read a tree from a file or folder.

    Args:
        path: A CSV, TSV or Parquet table, a JSON, YAML or Newick file, WordNet's ``data.noun``, or a folder.
        format: Which format it is. Defaults to what the file's name and header say: a table with a parent column is an
            edge list or a node table, one with Darwin Core's ranks is Darwin Core, any other is a level table.
        parents: Edge lists and WordNet: what to do with a node that has several parents: fail, or keep the ``first``
            or the ``last``.
        roots: Edge lists: what to do with several roots: fail, or ``join`` them under a synthetic one.
        levels: Level tables: the columns that are levels, coarse to fine. Defaults to all.
        columns: Level tables: columns to keep as further texts of the node that a row ends at.
        child: Edge lists: the column with a node's id or name.
        parent: Edge lists: the column with its parent's.
        ids: WordNet: the synsets wanted (``n02084071``), or a file that lists them; their ancestors come along.

    Raises:
        InputError: The file cannot be read as a tree. The text names the line where there is one.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "classes.csv"
        >>> _ = path.write_text("group,kind\\nfruit,apple\\nfruit,pear\\n")
        >>> read(path)
        Taxonomy(4 nodes, 2 leaves, 2 levels, synthetic root)
    """
    place = Path(path)
    if not place.exists():
        raise InputError("a taxonomy file or folder", "nothing of that name", at=str(place))
    one_of("format", format, (None, *FORMATS))
    kind = format or format_of(place)
    options = TableOptions(
        format=kind if kind in TABLE_FORMATS else None,
        parents=parents,
        roots=roots,
        levels=levels,
        columns=columns,
        child=child,
        parent=parent,
    )
    match kind:
        case "json":
            return read_json(place, options)
        case "yaml":
            return read_yaml(place, options)
        case "newick":
            return read_newick(place)
        case "folders":
            return read_folders(place)
        case "wordnet":
            return read_wordnet(place, ids=ids, parents=parents)
        case _:
            return read_tabular(place, options)


def format_of(path: Path) -> Format | Literal["table"]:
    """Format of an existing file or folder by its name; which kind of table only the header can tell.

    Raises:
        InputError: The name says nothing.
    """
    if path.is_dir():
        return "wordnet" if (path / "data.noun").is_file() else "folders"
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return "table"
    if suffix in FORMAT_BY_SUFFIX:
        return FORMAT_BY_SUFFIX[suffix]
    raise InputError(
        f"a file name that ends in {', '.join([*TABLE_SUFFIXES, *FORMAT_BY_SUFFIX])}",
        repr(path.name),
        advice=f"Or name the format, one of {', '.join(FORMATS)}.",
    )


def from_dataframe(
    frame: Any,
    *,
    format: TableFormat | None = None,
    parents: Parents = "error",
    roots: Roots = "error",
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    child: str | None = None,
    parent: str | None = None,
) -> Taxonomy:
    """Build a tree from a polars or pandas data frame: any kind of table that :func:`read` reads, with its options.

    Raises:
        InputError: The frame is not a tree. The text names the row, from 1.

    Example:
        >>> import polars as pl
        >>> from_dataframe(pl.DataFrame({"child": ["apple", "pear"], "parent": ["fruit", "fruit"]}))
        Taxonomy(3 nodes, 2 leaves, 1 levels, root 'fruit')
    """
    options = TableOptions(
        format=format, parents=parents, roots=roots, levels=levels, columns=columns, child=child, parent=parent
    )
    return taxonomy_from_table(from_frame(frame), options)
