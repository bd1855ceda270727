"""Which nodes of an old and of a new version of a tree mean the same, and the table in which a person edits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names
from cladewise.taxonomy.correspondence.correspondence import CHANGES, Correspondence

if TYPE_CHECKING:
    from cladewise.taxonomy.correspondence.matched_table import distinguishing_ids, read_matched, write_matched

__all__ = ["CHANGES", "Correspondence", "distinguishing_ids", "read_matched", "write_matched"]

_TABLE = "cladewise.taxonomy.correspondence.matched_table"
__getattr__, __dir__ = lazy_names(
    __name__, {"distinguishing_ids": _TABLE, "read_matched": _TABLE, "write_matched": _TABLE}
)
