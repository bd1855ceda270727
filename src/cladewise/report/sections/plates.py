"""Sections of plates: drawings and tables that other commands left in the run folders, one section per kind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from cladewise.drawing.tables import file_name
from cladewise.drawing.thumbnails import drawing_thumbnail
from cladewise.records.layout import RunFolder
from cladewise.records.plates import Measure, NumberTable, Plate, Plates, read_plates
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import ReportedRun
from cladewise.report.sections.section import Section
from cladewise.statistics import mean_and_sd

WIDEST = 1600
"""Width of a drawing in pixels: more than the page shows, for dense screens; the run folder has it larger."""

PlatesByGroup = Sequence[tuple[Group, Sequence[tuple[ReportedRun, Plates]]]]
"""Groups with plates of one kind, and the plates of their runs."""


@dataclasses.dataclass(frozen=True)
class ShownPlate:
    """A drawing on the page; ``picture`` is ``None`` if the file ``path`` is gone."""

    plate: Plate
    picture: str | None
    path: Path


@dataclasses.dataclass(frozen=True)
class ShownTable:
    """A table on the page, with its numbers as texts ``[row][measure]``."""

    table: NumberTable
    cells: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class GroupPlates:
    """Plates of one group; ``is_stale`` if they were made with other weights, images or labels than the evaluation."""

    group: Group
    run: ReportedRun
    plates: tuple[ShownPlate, ...]
    tables: tuple[ShownTable, ...]
    folder: Path
    is_stale: bool


@dataclasses.dataclass(frozen=True)
class ComparedCell:
    """A number as text; ``sd`` is empty if there is one seed."""

    value: str
    sd: str
    is_best: bool = False


@dataclasses.dataclass(frozen=True)
class ComparedTable:
    """Tables of several groups with the same basis, side by side: one row per group, one column per measure and row."""

    table: NumberTable
    measures: tuple[Measure, ...]
    rows: tuple[tuple[Group, tuple[ComparedCell | None, ...]], ...]


@dataclasses.dataclass(frozen=True)
class PlateSection(Section):
    """All plates of one kind."""

    template: ClassVar[str] = "plates.html"
    kind: str
    title: str
    about: str
    comparisons: tuple[ComparedTable, ...]
    groups: tuple[GroupPlates, ...]
    found: PlatesByGroup

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        rows: dict[str, list[dict[str, Any]]] = {}
        for group, runs in self.found:
            for run, content in runs:
                for table in content.tables:
                    rows.setdefault(table.name, []).extend(_table_rows(group, run, table))
        for name, of_all in rows.items():
            yield f"{self.kind}-{file_name(name)}", pl.DataFrame(of_all, infer_schema_length=None)

    def copies(self) -> Iterator[tuple[str, Path]]:
        for group, runs in self.found:
            run, first = runs[0]
            folder = RunFolder(run.folder).plates(self.kind, first.split).parent
            for name in sorted(Path(file).name for file in first.files):
                if (folder / name).is_file():
                    yield f"{self.kind}-{file_name(group.label)}-{name}", folder / name


def plate_sections(comparison: Comparison) -> Iterator[PlateSection]:
    """One section per kind that any run has; each group is shown by the run with the lowest seed that has it."""
    for kind, found in plates_by_kind(comparison.groups).items():
        first = found[0][1][0][1]
        groups = tuple(_of_group(group, *runs[0]) for group, runs in found)
        yield PlateSection(kind, first.title, first.about, tuple(_comparisons(found)), groups, found)


def plates_by_kind(groups: Sequence[Group]) -> dict[str, PlatesByGroup]:
    """Plates of the shown split by kind, group and seed; those over another tree are left out.

    Raises:
        InputError: An index is damaged or was written by another version.
    """
    kinds = {file.parts[-3] for group in groups for run in group.runs for file in _indices(run)}
    by_kind = {kind: _plates_of(groups, kind) for kind in sorted(kinds)}
    return {kind: found for kind, found in by_kind.items() if found}


def _plates_of(groups: Sequence[Group], kind: str) -> PlatesByGroup:
    found = [(group, [(run, there) for run in group.runs if (there := _read(run, kind))]) for group in groups]
    return [(group, runs) for group, runs in found if runs]


def _indices(run: ReportedRun) -> list[Path]:
    return RunFolder(run.folder).plates_of(run.evaluation.split)


def _read(run: ReportedRun, kind: str) -> Plates | None:
    file = RunFolder(run.folder).plates(kind, run.evaluation.split)
    content = read_plates(file) if file.is_file() else None
    return content if content is not None and content.fingerprint == run.taxonomy.fingerprint else None


def _table_rows(group: Group, run: ReportedRun, table: NumberTable) -> Iterator[dict[str, Any]]:
    names = [measure.name for measure in table.measures]
    for row, values in zip(table.rows, table.values, strict=True):
        place = {"group": group.label, "seed": run.seed, "basis": table.basis, table.heading: row}
        yield place | dict(zip(names, values, strict=True))


def _of_group(group: Group, run: ReportedRun, content: Plates) -> GroupPlates:
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


def _comparisons(found: PlatesByGroup) -> Iterator[ComparedTable]:
    """Compare the tables that several groups have with the same name, basis, rows and columns."""
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
        yield ComparedTable(first, tuple(first.measures[place] for place in places), tuple(rows))


def _key(table: NumberTable) -> tuple[object, ...]:
    return table.name, table.basis, table.rows, tuple(measure.name for measure in table.measures)


def _column(
    by_group: Sequence[Sequence[NumberTable]], row: int, place: int, measure: Measure
) -> list[ComparedCell | None]:
    """One cell per group; all that are printed like the best are marked."""
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
    """A number of a table as text, without decimals if it is whole.

    Example:
        >>> number_text(81.0), number_text(0.12345), number_text(None)
        ('81', '0.123', '–')
    """
    if value is None:
        return "–"
    return f"{value:.0f}" if value == int(value) and abs(value) > 1 else f"{value:.3f}"
