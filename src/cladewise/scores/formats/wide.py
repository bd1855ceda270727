"""Tables with a column of scores for each class: text tables, Parquet and Feather."""

from __future__ import annotations

from cladewise.errors import InputError
from cladewise.scores.formats.columnar import open_feather, open_parquet
from cladewise.scores.formats.delimited import open_delimited
from cladewise.scores.formats.seen import Seen
from cladewise.scores.tables import WideTable


def read(seen: Seen) -> WideTable:
    """Open a wide table.

    Raises:
        InputError: It is damaged, no table, or has no column of scores.
    """
    if seen.schema is not None:
        opened = open_parquet if seen.start.startswith(b"PAR1") else open_feather
        table = opened(seen.path, seen.taxonomy, seen.options)
    elif seen.head is not None:
        table = open_delimited(seen.head, seen.taxonomy, seen.options)
    else:
        raise InputError("a table", seen.said, at=str(seen.path))
    if not table.classes:
        raise InputError("columns of scores", "none", at=table.source)
    return table
