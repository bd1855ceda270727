"""Section *Unknown classes*: what each group makes of images of classes that were held out of its training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, TypeVar

import polars as pl

from cladewise.records.layout import RunFolder
from cladewise.records.unknown import Unknown, UnknownRule, UnknownScore, read_unknown
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.sections.section import Section
from cladewise.statistics import Spread, mean_and_sd

Measured = TypeVar("Measured")

SCORES: dict[str, Callable[[UnknownScore], float]] = {
    "new anywhere": lambda score: score.auroc,
    "new under its parent": lambda score: score.at_parent,
    "missed at 95%": lambda score: score.missed,
}
"""Columns of the table of novelty scores."""
RULES: dict[str, Callable[[UnknownRule], float]] = {
    "known right": lambda rule: rule.known_right,
    "known called new": lambda rule: rule.known_called_new,
    "new found": lambda rule: rule.new_found,
    "new placed": lambda rule: rule.placed,
    "balanced accuracy": lambda rule: rule.balanced,
    "edges off": lambda rule: rule.distance_balanced,
}
"""Columns of the table of rules."""


@dataclasses.dataclass(frozen=True)
class UnknownRow:
    """Values of one group and score or rule; the mean over runs, and the deviation if there are several."""

    group: Group
    name: str
    values: tuple[Spread, ...]

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Mean and deviation of every value as text; the latter is empty with one run."""
        return tuple(
            ("–" if math.isnan(v.mean) else f"{v.mean:.3f}", f"{v.sd:.3f}" if v.count > 1 else "") for v in self.values
        )


@dataclasses.dataclass(frozen=True)
class UnknownTable:
    """One row per group and score, or per group and rule."""

    columns: tuple[str, ...]
    rows: tuple[UnknownRow, ...]

    def frame(self, named: str) -> pl.DataFrame:
        """The numbers, for CSV."""
        rows = [
            {"group": row.group.label, named: row.name}
            | {
                key: value
                for name, spread in zip([column.replace(" ", "_") for column in self.columns], row.values, strict=True)
                for key, value in ((f"{name}_mean", spread.mean), (f"{name}_sd", spread.sd))
            }
            for row in self.rows
        ]
        return pl.DataFrame(rows)


@dataclasses.dataclass(frozen=True)
class UnknownSection(Section):
    """Novelty scores and rules on images of held-out classes."""

    template: ClassVar[str] = "unknown.html"
    scores: UnknownTable
    rules: UnknownTable
    notes: tuple[str, ...]

    def frames(self) -> Iterable[tuple[str, pl.DataFrame]]:
        """Both tables."""
        yield "unknown-scores", self.scores.frame("score")
        yield "unknown-decisions", self.rules.frame("decision")


def unknown_sections(comparison: Comparison) -> Iterator[UnknownSection]:
    """The section, if any run was evaluated on images of held-out classes."""
    found = [(group, _results(group)) for group in comparison.groups]
    if not any(results for _, results in found):
        return
    scores, rules = list[UnknownRow](), list[UnknownRow]()
    for group, results in found:
        of_scores = [(one.score, one) for result in results for one in result.scores]
        scores += _rows(group, of_scores, tuple(SCORES.values()))
        of_rules = [(one.rule, one) for result in results for one in result.rules]
        rules += _rows(group, of_rules, tuple(RULES.values()))
    notes = dict.fromkeys(_note(result) for _, results in found for result in results)
    yield UnknownSection(
        UnknownTable(tuple(SCORES), tuple(scores)), UnknownTable(tuple(RULES), tuple(rules)), tuple(notes)
    )


def _results(group: Group) -> list[Unknown]:
    """Results of a group's runs, without those over another tree."""
    found = [(run, read_unknown(RunFolder(run.folder).unknown(run.evaluation.split))) for run in group.runs]
    return [one for run, one in found if one is not None and one.fingerprint == run.taxonomy.fingerprint]


def _rows(
    group: Group, named: Sequence[tuple[str, Measured]], measures: Sequence[Callable[[Measured], float]]
) -> Iterator[UnknownRow]:
    """One row per name of a score or rule, in the order of their first mention."""
    by_name: dict[str, list[Measured]] = {}
    for name, one in named:
        by_name.setdefault(name, []).append(one)
    for name, some in by_name.items():
        yield UnknownRow(group, name, tuple(mean_and_sd([measure(one) for one in some]) for measure in measures))


def _note(result: Unknown) -> str:
    left = f"; {result.left_out:,} images labelled at inner nodes take no part" if result.left_out else ""
    return (
        f"{result.num_known:,} images of known classes and {result.num_new:,} of {len(result.held_out):,} held-out "
        f"ones{left}."
    )
