"""Which column of a table is the node, which its parent, which its name and level."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cladewise.errors import InputError
from cladewise.taxonomy.formats.table import Table
from cladewise.taxonomy.problems import some

PARENT_COLUMNS = ("parent", "parent_id", "parentid", "parent_name", "parentnameusageid")
ID_COLUMNS = ("id", "node_id", "nodeid", "taxonid", "taxon_id")
NAME_COLUMNS = ("name", "child", "label", "class", "node", "scientificname")
LEVEL_COLUMNS = ("level", "taxonrank")


@dataclasses.dataclass(frozen=True)
class EdgeColumns:
    """Which column of a table plays which part; nothing where the table has none."""

    key: str
    parent: str
    name: str
    level: str | None
    extra: tuple[str, ...]

    @property
    def has_ids(self) -> bool:
        """Whether rows are told apart by an id rather than by their name."""
        return self.key != self.name


def find_edge_columns(table: Table, *, child: str | None = None, parent: str | None = None) -> EdgeColumns | None:
    """Recognise an edge list by its header, or by the columns that are named; nothing if it is none.

    With both ids and names, parents are ids unless only the names contain them.
    """
    by_lower = {name.lower(): name for name in reversed(table.columns)}

    def first(known: Sequence[str]) -> str | None:
        return next((by_lower[name] for name in known if name in by_lower), None)

    missing = [name for name in (child, parent) if name is not None and name not in table.columns]
    if missing:
        raise InputError(f"the columns {some(missing)}", some(table.columns, 20), at=table.source)
    above = parent or first(PARENT_COLUMNS)
    identity, name = first(ID_COLUMNS), first(NAME_COLUMNS)
    key = child or identity or name
    if above is None or key is None:
        return None
    if child is None and identity is not None and name is not None:
        wanted = table.frame[above].unique()
        undefined = [(~wanted.is_in(table.frame[c].implode())).sum() for c in (identity, name)]
        key = name if undefined[1] < undefined[0] else identity
    level = first(LEVEL_COLUMNS)
    shown = name or key
    extra = tuple(c for c in table.columns if c not in (key, above, shown, level))
    return EdgeColumns(key, above, shown, level, extra)
