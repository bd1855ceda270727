"""Plates of run folders on the page: a section a kind, with a tab a group, and their numbers side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from cladewise.drawing.thumbnails import drawing_thumbnail
from cladewise.records.layout import RunFolder
from cladewise.records.plates import Measure, NumberTable, Plate, Plates, read_plates
from cladewise.report.groups import Group
from cladewise.report.run import Run
from cladewise.statistics import mean_and_sd

WIDEST = 1600
"""Pixels of a picture on the page, which shows it narrower: sharp on a dense screen. The folder has it larger."""


@dataclasses.dataclass(frozen=True)
class ShownPlate:
    """A picture of the page; ``picture`` is none where its file is gone, and ``path`` that file."""

    plate: Plate
    picture: str | None
    path: Path


@dataclasses.dataclass(frozen=True)
class ShownTable:
    """A table of the page, and its numbers as texts ``[row][measure]``."""

    table: NumberTable
    cells: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class GroupPlates:
    """Plates of one run of a group. ``is_stale``: they are of other weights, images or labels than were evaluated."""

    group: Group
    run: Run
    plates: tuple[ShownPlate, ...]
    tables: tuple[ShownTable, ...]
    folder: Path
    is_stale: bool


@dataclasses.dataclass(frozen=True)
class ComparedCell:
    """A number as it is shown; ``sd`` is empty where there is one seed."""

    value: str
    sd: str
    is_best: bool = False


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Tables of one kind and basis, a row a group: under each measure a column for every row of the tables."""

    table: NumberTable
    measures: tuple[Measure, ...]
    rows: tuple[tuple[Group, tuple[ComparedCell | None, ...]], ...]


@dataclasses.dataclass(frozen=True)
class PlateSection:
    """All plates of one kind."""

    kind: str
    title: str
    about: str
    comparisons: tuple[Comparison, ...]
    groups: tuple[GroupPlates, ...]


def plate_sections(groups: Sequence[Group]) -> list[PlateSection]:
    """A section for every kind that some run has, of every group the run of the lowest seed that has it."""
    return [_section(kind, groups) for kind in kinds_of(groups)]


def kinds_of(groups: Sequence[Group]) -> list[str]:
    """Every kind that some run has plates of, for the shown split."""
    kinds = {file.parts[-3] for group in groups for run in group.runs for file in _indices(run)}
    return [kind for kind in sorted(kinds) if plates_of(groups, kind)]


def plates_of(groups: Sequence[Group], kind: str) -> list[tuple[Group, list[tuple[Run, Plates]]]]:
    """Every group with runs that have plates of a kind, by seed, and what they hold; of another tree they are left out.

    Raises:
        InputError: An index is none of this version.
    """
    found = [(group, [(run, there) for run in group.runs if (there := _read(run, kind))]) for group in groups]
    return [(group, runs) for group, runs in found if runs]


def _indices(run: Run) -> list[Path]:
    return RunFolder(run.folder).plates_of(run.evaluation.split)


def _read(run: Run, kind: str) -> Plates | None:
    file = RunFolder(run.folder).plates(kind, run.evaluation.split)
    content = read_plates(file) if file.is_file() else None
    return content if content is not None and content.fingerprint == run.taxonomy.fingerprint else None


def _section(kind: str, groups: Sequence[Group]) -> PlateSection:
    found = plates_of(groups, kind)
    first = found[0][1][0][1]
    return PlateSection(kind, first.title, first.about, tuple(_comparisons(found)), tuple(map(_of_group, found)))


def _of_group(found: tuple[Group, list[tuple[Run, Plates]]]) -> GroupPlates:
    group, [(run, content), *_] = found
    folder = RunFolder(run.folder).plates(content.kind, content.split).parent
    shown: list[ShownPlate] = []
    for plate in content.plates:
        path = folder / f"{Path(plate.name).name}.png"
        shown.append(ShownPlate(plate, drawing_thumbnail(path, WIDEST), path))
    tables = tuple(
        ShownTable(table, tuple(tuple(map(number_text, values)) for values in table.values)) for table in content.tables
    )
    is_stale = not run.evaluation.is_of(content.model, content.digest)
    return GroupPlates(group, run, tuple(shown), tables, folder, is_stale)


def _comparisons(found: Sequence[tuple[Group, list[tuple[Run, Plates]]]]) -> Iterator[Comparison]:
    """Of tables that more than one group has: same name, basis, rows and columns."""
    tables = [(group, table) for group, runs in found for _, content in runs for table in content.tables]
    for key in dict.fromkeys(_key(table) for _, table in tables):
        alike = [(group, table) for group, table in tables if _key(table) == key]
        by_group: dict[int, tuple[Group, list[NumberTable]]] = {}
        for group, table in alike:
            by_group.setdefault(group.index, (group, []))[1].append(table)
        first = alike[0][1]
        places = [place for place, measure in enumerate(first.measures) if measure.better]
        if len(by_group) < 2 or not places:
            continue
        columns = [
            _column([of_group for _, of_group in by_group.values()], row, place, first.measures[place])
            for place in places
            for row in range(len(first.rows))
        ]
        rows = [
            (group, tuple(column[place] for column in columns)) for place, (group, _) in enumerate(by_group.values())
        ]
        yield Comparison(first, tuple(first.measures[place] for place in places), tuple(rows))


def _key(table: NumberTable) -> tuple[object, ...]:
    return table.name, table.basis, table.rows, tuple(measure.name for measure in table.measures)


def _column(
    by_group: Sequence[Sequence[NumberTable]], row: int, place: int, measure: Measure
) -> list[ComparedCell | None]:
    """A cell a group; all that read like the best are marked."""
    cells = [_cell([table.values[row][place] for table in of_group]) for of_group in by_group]
    values = [float(cell.value) for cell in cells if cell is not None]
    best = None if len(values) < 2 else max(values) if measure.better == "higher" else min(values)
    return [
        dataclasses.replace(cell, is_best=True) if cell is not None and float(cell.value) == best else cell
        for cell in cells
    ]


def _cell(values: Sequence[float | None]) -> ComparedCell | None:
    spread = mean_and_sd([math.nan if value is None else value for value in values])
    if not spread.count:
        return None
    return ComparedCell(number_text(spread.mean), number_text(spread.sd) if spread.count > 1 else "")


def number_text(value: float | None) -> str:
    """A number of a table, whole where it is.

    Example:
        >>> number_text(81.0), number_text(0.12345), number_text(None)
        ('81', '0.123', '–')
    """
    if value is None:
        return "–"
    return f"{value:.0f}" if value == int(value) and abs(value) > 1 else f"{value:.3f}"
