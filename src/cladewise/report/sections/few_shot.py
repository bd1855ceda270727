"""Section *Few-shot accuracy*: how well each group tells apart classes it was not trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from cladewise.records.few_shot import FewShot, read_few_shot
from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.sections.section import Section
from cladewise.statistics import mean_and_sd


@dataclasses.dataclass(frozen=True)
class FewShotCell:
    """Accuracy and its margin in percent; ``note`` says what the margin is."""

    value: str
    margin: str
    note: str
    is_best: bool = False


@dataclasses.dataclass(frozen=True)
class FewShotRow:
    """Cells of one group; ``None`` for episodes it was not evaluated on."""

    group: Group
    cells: tuple[FewShotCell | None, ...]


@dataclasses.dataclass(frozen=True)
class FewShotTable:
    """One column per kind of episodes, one row per group; ``notes`` say where there were too few images."""

    titles: tuple[str, ...]
    rows: tuple[FewShotRow, ...]
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FewShotSection(Section):
    """Accuracy over few-shot episodes."""

    template: ClassVar[str] = "few_shot.html"
    table: FewShotTable


def few_shot_sections(comparison: Comparison) -> Iterator[FewShotSection]:
    """The section, if any run was evaluated on few-shot episodes."""
    if table := few_shot_table(comparison.groups):
        yield FewShotSection(table)


def few_shot_table(groups: Sequence[Group]) -> FewShotTable | None:
    """Results on every kind of episodes that any run was evaluated on; ``None`` if there are none."""
    found = [_results(group) for group in groups]
    kinds = {kind: results[0] for of_group in found for kind, results in of_group.items()}
    if not kinds:
        return None
    columns = [_column([of_group.get(kind, []) for of_group in found]) for kind in kinds]
    rows = [FewShotRow(group, tuple(column[place] for column in columns)) for place, group in enumerate(groups)]
    notes = dict.fromkeys(
        f"{result.title}: {note}."
        for of_group in found
        for results in of_group.values()
        for result in results
        for note in result.notes
    )
    return FewShotTable(tuple(result.title for result in kinds.values()), tuple(rows), tuple(notes))


def _results(group: Group) -> Mapping[str, list[FewShot]]:
    """Results of a group's runs by kind of episodes, without those over another tree."""
    found: dict[str, list[FewShot]] = {}
    for run in group.runs:
        for kind, result in read_few_shot(RunFolder(run.folder).few_shot, run.evaluation.split).items():
            if result.fingerprint == run.taxonomy.fingerprint:
                found.setdefault(kind, []).append(result)
    return found


def _column(results: Sequence[Sequence[FewShot]]) -> list[FewShotCell | None]:
    """Cells of one kind of episodes, one per group; all that are printed like the best are marked."""
    cells = [_cell(of_group) for of_group in results]
    values = [float(cell.value) for cell in cells if cell is not None]
    best = max(values) if len(values) > 1 else None
    return [
        dataclasses.replace(cell, is_best=True) if cell is not None and float(cell.value) == best else cell
        for cell in cells
    ]


def _cell(results: Sequence[FewShot]) -> FewShotCell | None:
    if not results:
        return None
    spread = mean_and_sd([result.accuracy for result in results])
    several = spread.count > 1
    margin = spread.sd if several else results[0].half_width
    note = f"standard deviation of {spread.count} seeds" if several else "95% interval over the episodes"
    return FewShotCell(f"{100 * spread.mean:.1f}", f"{100 * margin:.1f}", note)
