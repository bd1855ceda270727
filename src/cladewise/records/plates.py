"""Plates: titled pictures, and small tables of numbers, that commands leave in a run folder and the report shows."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, check_types, read_json

FORMATS = ("png", "svg")
"""In which every picture is there."""
Better = Literal["higher", "lower", ""]


@dataclasses.dataclass(frozen=True)
class Plate:
    """A picture: ``<name>.png`` and ``<name>.svg`` beside the index.

    Args:
        name: Fit for a file's name, and no other plate's.
        title: Stands above.
        caption: What is drawn, and how to read it.
        alt: The same for whoever does not see it, in few words.
    """

    name: str
    title: str
    caption: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Measure:
    """A column of numbers; ``better`` says which way runs compare by it, and is empty where they do not."""

    name: str
    description: str
    better: Better = ""


@dataclasses.dataclass(frozen=True)
class NumberTable:
    """A small table of numbers.

    Args:
        name: Fit for a file's name, and no other table's.
        title: Stands above.
        basis: What it was made from, in words. Tables of two runs compare where they have it in common.
        heading: Over the names of the rows.
        rows: These names.
        measures: The columns.
        values: ``[row][measure]``; ``None`` where there is no number.
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
    """All of one kind and split.

    Args:
        kind: Which command made them, as its handle.
        split: Split of the images.
        title: Of the kind, as the heading of a section.
        about: What is to be seen in them, whichever run it is.
        model: Hash of the weights.
        fingerprint: Of the taxonomy.
        plates: The pictures.
        tables: The numbers.
        data: Names of files beside the index that say the same in full, as CSV.
        digest: Of the images and their labels; empty in plates of earlier versions.
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
        """Every file beside the index."""
        return {f"{plate.name}.{ending}" for plate in self.plates for ending in FORMATS} | set(self.data)


def write_plates(index: Path, plates: Plates) -> None:
    """Write the index, whole or not at all, and remove the files that only the one before it named."""
    before = read_plates(index).files if index.is_file() else set[str]()
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(plates)}
    write_text(index, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    for name in before - plates.files:
        (index.parent / Path(name).name).unlink(missing_ok=True)


def read_plates(index: Path) -> Plates:
    """Read an index.

    Raises:
        InputError: It is not the JSON that this version writes.
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
