"""Tables of descriptors with their places in a tree as dotted numbers, as thesauri such as MeSH have them.

``C04.588.274`` lies below ``C04.588``, whichever descriptor has that number. A descriptor has a number for each place.
Such a table is converted to an edge list, in which a descriptor with several places has several parents.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.column_names import squeezed, tokens, words
from cladewise.taxonomy.formats.tables.edge_columns import ID_WORDS, EdgeColumns
from cladewise.taxonomy.formats.tables.table import Table

NUMBER = r"[A-Za-z]{0,2}\d+(?:\.\d+)*"
SEPARATORS = r"[;,|\s]+"
HEADERS = words("treenumber treenumbers meshtreenumber meshtreenumbers treeno treenos")
IDS = (*ID_WORDS, "descriptorui", "ui", "meshid", "meshui")
NAMES = words("name label heading term title descriptor")


def numbers_column(table: Table) -> str | None:
    """The column of tree numbers, if one is called so and holds nothing else, next to other columns.

    Example:
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> numbers_column(from_frame(pl.DataFrame({"Name": ["Neoplasms"], "TreeNumbers": ["C04;C06.301"]})))
        'TreeNumbers'
    """
    named = [name for name in table.columns if squeezed(name) in HEADERS]
    whole = rf"^\s*{NUMBER}(?:{SEPARATORS}{NUMBER})*\s*$"
    if len(named) != 1 or table.frame.width < 2 or not table.frame[named[0]].str.contains(whole).all():
        return None
    return named[0]


def as_edges(table: Table) -> tuple[Table, EdgeColumns]:
    """Convert the table to an edge list with one row per tree number; the numbers stay as a column.

    A number's parent is the descriptor with the longest shorter number that it continues; without one it is at the top.

    Raises:
        InputError: There is no column of tree numbers, no column of names, or two descriptors share a number.

    Example:
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> table, _ = as_edges(from_frame(pl.DataFrame({"Name": ["a", "b"], "TreeNumbers": ["C1", "C1.2;D1"]})))
        >>> table.frame.rows()
        [('a', '', 'C1'), ('b', 'a', 'C1.2;D1'), ('b', '', 'C1.2;D1')]
    """
    column = numbers_column(table)
    if column is None:
        raise InputError("a column of tree numbers such as C04.588", some(table.columns, 20), at=table.source)
    others = [name for name in table.columns if name != column]
    key = next((name for name in others if squeezed(name) in IDS), None)
    rest = [name for name in others if name != key]
    name = next((name for name in rest if tokens(name)[-1:] and tokens(name)[-1] in NAMES), (*rest, key)[0])
    if name is None:
        raise InputError("a column of names next to the tree numbers", some(table.columns, 20), at=table.source)
    key = key or name
    places = [cell.split() for cell in table.frame[column].str.replace_all(SEPARATORS, " ").to_list()]
    row = np.repeat(np.arange(len(places)), [len(numbers) for numbers in places])
    keys = table.frame[key].gather(row)
    placed = pl.DataFrame({"number": [number for numbers in places for number in numbers], "key": keys})
    twice = placed.unique().filter(pl.col("number").is_duplicated())
    if twice.height:
        got = f"{twice['number'][0]!r} of {some(twice.filter(number=twice['number'][0])['key'].sort().to_list())}"
        raise InputError("each tree number at one descriptor", got, at=table.source)
    parent = "parent" if "parent" not in table.columns else "parent of the number"
    frame = table.frame[row].with_columns(_owners(placed).alias(parent))
    order = [key, *([name] if name != key else []), parent]
    frame = frame.select(*order, *(c for c in frame.columns if c not in order))
    found = dataclasses.replace(table, frame=frame, lines=table.all_lines()[row])
    extra = tuple(c for c in frame.columns if c not in order)
    return found, EdgeColumns(key, parent, name, None, extra)


def _owners(placed: pl.DataFrame) -> pl.Series:
    """Key of the descriptor above each number; blank at the top."""
    owners = placed.unique("number").rename({"key": "owner"})
    above = pl.Series("above", [""] * placed.height, dtype=pl.String)
    number = placed["number"]
    while number.str.contains(r"\.").any():  # once per step of the longest number
        shorter = number.str.contains(r"\.")
        number = number.str.replace(r"\.?[^.]*$", "")
        found = number.to_frame().join(owners, on="number", how="left", maintain_order="left")["owner"]
        above = above.zip_with((above != "") | ~shorter | found.is_null(), found)
    return above
