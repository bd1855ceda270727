"""Concepts with their broader ones, which the readers of this package return, as a tree."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from cladewise.errors import InputError, warn
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.table import from_frame
from cladewise.taxonomy.formats.tabular import taxonomy_from_table
from cladewise.taxonomy.names.columns import FORMER_IDS, ID
from cladewise.taxonomy.tree import Taxonomy


@dataclasses.dataclass(frozen=True)
class Concept:
    """A concept: its id, its name, the ids of the broader concepts, and further texts by column."""

    id: str
    name: str
    broader: tuple[str, ...]
    texts: Mapping[str, str]


def tree_of_concepts(concepts: Sequence[Concept], path: Path, options: ReadOptions) -> Taxonomy:
    """Build a tree; a broader concept that the file does not define is left out with a warning.

    Columns that are blank for all concepts are left out.

    Raises:
        InputError: There is no concept, a concept has no name, or the broader concepts are not a tree by the options.

    Example:
        >>> concepts = [Concept("1", "fruit", (), {}), Concept("2", "apple", ("1",), {"description": "round"})]
        >>> tree_of_concepts(concepts, Path("food.obo"), ReadOptions()).path_name(1)
        'fruit/apple'
    """
    if not concepts:
        raise InputError("at least one concept", "none", at=str(path))
    known = {concept.id for concept in concepts}
    missing = [above for concept in concepts for above in concept.broader if above not in known]
    if missing:
        number = len(set(missing))
        noun = "1 broader concept" if number == 1 else f"{number:,} broader concepts"
        warn(f"{noun} that the file does not define, left out: {some(sorted(set(missing)), 3)}", at=str(path))
    columns = sorted({name for concept in concepts for name, text in concept.texts.items() if text}, key=_place)
    rows = [
        (concept.id, above, concept.name, *(concept.texts.get(name, "") for name in columns))
        for concept in concepts
        for above in ([above for above in concept.broader if above in known] or [""])
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys([ID, "parent", "name", *columns], pl.String), orient="row")
    edges = dataclasses.replace(options, format="edges", id=ID, parent="parent", name="name")
    return taxonomy_from_table(from_frame(frame, source=f"{path}, edge"), edges)


def _place(column: str) -> tuple[bool, str]:
    """The order of columns: those of other names last."""
    return column == FORMER_IDS or ":" in column, column
