"""Read a tree from a file, a folder or a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from cladewise.errors import InputError
from cladewise.taxonomy.checks.odd_names import names_of_tree, same_siblings, sight_problems
from cladewise.taxonomy.checks.problems import some, warn_of
from cladewise.taxonomy.formats.file_kinds import SPREADSHEETS, regular
from cladewise.taxonomy.formats.kinds import KINDS, kind_of, reader_of
from cladewise.taxonomy.formats.members import is_archive, members_of
from cladewise.taxonomy.formats.options import (
    FORMATS,
    TABLE_FORMATS,
    Format,
    Header,
    Parents,
    ReadOptions,
    Roots,
    Support,
    TableFormat,
    Underscores,
)
from cladewise.taxonomy.formats.tables.table import TABLE_SUFFIXES, from_frame
from cladewise.taxonomy.formats.tabular import load_table, taxonomy_from_table
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
}

SHARED_SUFFIXES = (".xml", ".zip", ".tar", ".tgz")
"""Suffixes that several formats have, of which the content decides."""


def read(
    path: str | PathLike[str],
    *,
    format: Format | None = None,
    separator: str | None = None,
    header: Header | None = None,
    id: str | None = None,
    parent: str | None = None,
    name: str | None = None,
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    parents: Parents = "error",
    roots: Roots = "error",
    ids: str | PathLike[str] | Sequence[str] | None = None,
    fill_down: bool = False,
    support: Support | None = None,
    underscores: Underscores | None = None,
    control: str | None = None,
) -> Taxonomy:
    """Read a tree from a file or folder.

    A file is read only if its content has exactly one known form; otherwise the options decide. Readable oddities are
    reported as :class:`~cladewise.errors.InputWarning`. A column is given by its header, or by its number from 1.

    Args:
        path: A CSV, TSV, text or Parquet table, a JSON, YAML or Newick file, WordNet's ``data.noun``, or a folder. Text
            tables may be gzipped.
        format: Format of the file. By default detected from its name and content.
        separator: Text tables: the character between cells. Defaults to that of the file's suffix, or the only one
            that splits the rows evenly.
        header: Text tables: ``first`` if the first row names the columns, ``none`` if there is no header; columns are
            then called ``level_1``, ``level_2``, ... By default detected from the first row.
        id: Edge lists: the column of ids that parents refer to.
        parent: Edge lists: the column of parents.
        name: Edge lists: the column of names.
        levels: Level tables: the columns that are levels, coarse to fine. Defaults to all. Tables of paths: the column
            that holds them. CVAT: attributes whose values are levels below the label.
            Checklists in archives: the ranks to keep, coarse to fine.
        columns: Level tables: columns to keep as further texts of the last node of a row. Checklists in archives: terms
            to keep, and ``name:<language>`` for the languages of vernacular names. Defaults to no terms, all languages.
        parents: Edge lists and WordNet: for a node with several parents, raise an ``error`` or keep the ``first`` or
            the ``last``.
        roots: Edge lists: with several roots, raise an ``error`` or ``join`` them under a synthetic root.
        ids: WordNet: the synsets to keep (``n02084071``) with their ancestors, or a file that lists them.
        fill_down: Level tables: fill blank cells from the row above, for merged cells of spreadsheets.
        support: Newick: numbers at internal nodes are ``names``, or support values to ``drop``. By default they are
            names, with a warning if the leaves have other names.
        underscores: Newick: ``keep`` underscores in names without quotes, or read them as ``blanks``. By default the
            quoted names in the file decide, otherwise they are kept with a warning.
        control: Label Studio: name of the control whose choices are the tree, needed if there are several.

    Raises:
        InputError: The file is not a tree, or its form is unclear. The message names the line if there is one.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "classes.csv"
        >>> _ = path.write_text("group,kind\\nfruit,apple\\nfruit,pear\\n")
        >>> read(path)
        Taxonomy(4 nodes, 2 leaves, 2 levels, synthetic root)
    """
    options = ReadOptions(
        format=format,
        separator=separator,
        header=header,
        id=id,
        parent=parent,
        name=name,
        levels=levels,
        columns=columns,
        parents=parents,
        roots=roots,
        ids=ids,
        fill_down=fill_down,
        support=support,
        underscores=underscores,
        control=control,
    )
    return read_with(path, options)


def read_with(path: str | PathLike[str], options: ReadOptions) -> Taxonomy:
    """Read a tree with an options object; see :func:`read`.

    Raises:
        InputError: The file is not a tree, or its form is unclear.
    """
    place = existing(path)
    kind = options.format or format_of(place)
    if kind == "table" or kind in TABLE_FORMATS:
        return taxonomy_from_table(load_table(place, options), options)
    tree = read_tree(place, kind, options)
    if not any(found.tells for found in KINDS if found.name == kind):
        nodes = names_of_tree(tree)
        warn_of([*same_siblings(nodes), *sight_problems(nodes)], str(place))
    return tree


def existing(path: str | PathLike[str]) -> Path:
    """The path, if it is an existing file or folder.

    Raises:
        InputError: It does not exist, or is a pipe or a device.
    """
    place = Path(path)
    if not place.exists():
        raise InputError("a taxonomy file or folder", "no such file or folder", at=str(place))
    regular(place)
    return place


def read_tree(path: Path, kind: str, options: ReadOptions) -> Taxonomy:
    """Read a tree from a format other than a table.

    Raises:
        InputError: The file or folder does not have this format.
    """
    match kind:
        case "json" | "coco":
            from cladewise.taxonomy.formats.documents.json_tree import read_json_tree

            return read_json_tree(path, options)
        case "yaml":
            from cladewise.taxonomy.formats.documents.yaml_tree import read_yaml_tree

            return read_yaml_tree(path, options)
        case "newick":
            from cladewise.taxonomy.formats.phylogenies.newick import read_newick

            return read_newick(path, options)
        case "folders":
            from cladewise.taxonomy.formats.folders import read_folders

            return read_folders(path)
        case _:
            return reader_of(kind, path).read(path, options)


def format_of(path: Path) -> Format | Literal["table"]:
    """Format of an existing file or folder by its marks or its name; the kind of a table only shows in its columns.

    Raises:
        InputError: The suffix is unknown.
    """
    if (found := kind_of(path)) is not None:
        return found.name
    if path.is_dir():
        return "folders"
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return "table"
    if suffix in FORMAT_BY_SUFFIX:
        return FORMAT_BY_SUFFIX[suffix]
    if suffix in SPREADSHEETS:
        advice = "Save the sheet with the labels as CSV in UTF-8."
        raise InputError("a table as text or Parquet", f"a spreadsheet ({suffix})", at=str(path), advice=advice)
    if is_archive(path):
        with members_of(path) as members:
            got = f"one that holds {some(members.names)}" if members.names else "an empty one"
        known = ", ".join(dict.fromkeys(kind.name for kind in KINDS if kind.members))
        advice = "Unpack it if it holds a single table."
        raise InputError(f"an archive of a known format ({known})", got, at=str(path), advice=advice)
    if suffix in SHARED_SUFFIXES:
        got = "a file without the marks of any" if path.stat().st_size else "an empty file"
        found = (kind for kind in KINDS if (suffix in kind.suffixes if suffix == ".xml" else kind.members))
        known = ", ".join(dict.fromkeys(kind.name for kind in found))
        raise InputError(f"a {suffix} file of a known format ({known})", got, at=str(path))
    suffixes = dict.fromkeys([*TABLE_SUFFIXES, *FORMAT_BY_SUFFIX, *(end for kind in KINDS for end in kind.suffixes)])
    raise InputError(
        f"a file name that ends in {', '.join(suffixes)}",
        repr(path.name),
        advice=f'Or pass format="..." with one of {", ".join(FORMATS)}.',
    )


def from_dataframe(
    frame: Any,
    *,
    format: TableFormat | None = None,
    id: str | None = None,
    parent: str | None = None,
    name: str | None = None,
    levels: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    parents: Parents = "error",
    roots: Roots = "error",
    fill_down: bool = False,
) -> Taxonomy:
    """Build a tree from a polars or pandas data frame: any kind of table that :func:`read` reads, with its options.

    Raises:
        InputError: The frame is not a tree. The message names the row, from 1.

    Example:
        >>> import polars as pl
        >>> from_dataframe(pl.DataFrame({"child": ["apple", "pear"], "parent": ["fruit", "fruit"]}))
        Taxonomy(3 nodes, 2 leaves, 1 levels, root 'fruit')
    """
    options = ReadOptions(
        format=format,
        id=id,
        parent=parent,
        name=name,
        levels=levels,
        columns=columns,
        parents=parents,
        roots=roots,
        fill_down=fill_down,
    )
    return taxonomy_from_table(from_frame(frame), options)
