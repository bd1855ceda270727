"""Plates: titled pictures and small tables that commands write into a run folder for the report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, check_types, read_json

FORMATS = ("png", "svg")
"""File formats of each picture."""
Better = Literal["higher", "lower", ""]


@dataclasses.dataclass(frozen=True)
class Plate:
    """A picture: ``<name>.png`` and ``<name>.svg`` next to the index.

    Args:
        name: Unique, and valid as a file name.
        title: The title above it.
        caption: What is drawn, and how to read it.
        alt: A short alternative text.
    """

    name: str
    title: str
    caption: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Measure:
    """A column of numbers; ``better`` is the direction in which runs are compared, empty if they are not."""

    name: str
    description: str
    better: Better = ""


@dataclasses.dataclass(frozen=True)
class NumberTable:
    """A small table of numbers.

    Args:
        name: Unique, and valid as a file name.
        title: The title above it.
        basis: What it was computed from. Tables of two runs are comparable if they have the same basis.
        heading: Heading of the column of row names.
        rows: Names of the rows.
        measures: The columns.
        values: ``[row][measure]``; ``None`` for a missing number.
    """

    name: str
    title: str
    basis: str
    heading: str
    rows: tuple[str, ...]
    measures: tuple[Measure, ...]
    values: tuple[tuple[float | None, ...], ...]


@dataclasses.dataclass(frozen=True)
class Plates:
    """All plates of one kind and split.

    Args:
        kind: Handle of the command that made them.
        split: Split of the images.
        title: Title of the kind, used as the heading of a section.
        about: What plates of this kind show.
        model: Hash of the weights.
        fingerprint: Fingerprint of the taxonomy.
        plates: The pictures.
        tables: The numbers.
        data: Names of CSV files next to the index with the complete data.
        digest: Digest of the images and their labels; empty in early versions.
    """

    kind: str
    split: str
    title: str
    about: str
    model: str
    fingerprint: str
    plates: tuple[Plate, ...]
    tables: tuple[NumberTable, ...] = ()
    data: tuple[str, ...] = ()
    digest: str = ""

    @property
    def files(self) -> set[str]:
        """Names of all files next to the index."""
        return {f"{plate.name}.{ending}" for plate in self.plates for ending in FORMATS} | set(self.data)


def write_plates(index: Path, plates: Plates) -> None:
    """Write the index atomically, and remove files that only the previous index listed."""
    before = read_plates(index).files if index.is_file() else set[str]()
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(plates)}
    write_text(index, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    for name in before - plates.files:
        (index.parent / Path(name).name).unlink(missing_ok=True)


def read_plates(index: Path) -> Plates:
    """Read an index.

    Raises:
        InputError: It is not an index of this version.
    """
    content = read_json(index, "an index of plates", advice=_ADVICE)
    with building("an index of plates", at=str(index), advice=_ADVICE):
        plates = tuple(Plate(**each) for each in content.pop("plates"))
        tables = tuple(_table(each) for each in content.pop("tables"))
        data = tuple(str(name) for name in content.pop("data"))
        found = Plates(**content, plates=plates, tables=tables, data=data)
        for part in (found, *plates, *tables, *(measure for table in tables for measure in table.measures)):
            check_types(part)
        return found


def _table(content: dict[str, Any]) -> NumberTable:
    measures = tuple(Measure(**each) for each in content.pop("measures"))
    values = tuple(tuple(None if value is None else float(value) for value in row) for row in content.pop("values"))
    rows = tuple(str(row) for row in content.pop("rows"))
    return NumberTable(**content, rows=rows, measures=measures, values=values)


_ADVICE = "Make the plates again, by the command of that name."
