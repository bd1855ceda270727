"""Lines: a group under one inference. What does not depend on the decision has one value a line and seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from cladewise.drawing.palette import COLORS, DASHES, color
from cladewise.records import CalibrationBins, CurvePoints, Evaluation
from cladewise.report.evaluation import NO_INFERENCE
from cladewise.report.groups import Group
from cladewise.report.run import Run
from cladewise.statistics import Spread, mean_and_sd


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """All evaluations of a group's runs by one inference.

    Args:
        index: Place among all lines.
        group: The runs, which give the colour.
        inference: Handle of the inference; ``none`` takes the prediction as it is.
        inference_index: Its place among all inferences of the comparison, which gives the dashes.
    """

    index: int
    group: Group
    inference: str
    inference_index: int

    @property
    def label(self) -> str:
        """The group's name, with the inference where there is one that the name does not tell already."""
        told = self.inference == NO_INFERENCE or f"inference={self.inference}" in self.group.label
        return self.group.label if told else f"{self.group.label} + {self.inference}"

    @property
    def color(self) -> str:
        """The group's colour."""
        return color(self.group.index)

    @property
    def dash(self) -> str:
        """The inference's line style, as plotly names it; another where the colours begin again."""
        return DASHES[(self.inference_index + self.group.index // len(COLORS)) % len(DASHES)]

    @property
    def is_shown_first(self) -> bool:
        """Whether the page shows it before anything is chosen: the inference of the other sections."""
        return self.inference == self.group.shown_run.evaluation.inference

    @cached_property
    def evaluations(self) -> tuple[tuple[Run, tuple[Evaluation, ...]], ...]:
        """Every run that was evaluated so, with its evaluations, the shown one first."""
        by_run = [
            (run, [evaluation for evaluation in run.evaluations if evaluation.inference == self.inference])
            for run in self.group.runs
        ]
        return tuple(
            (run, tuple(sorted(found, key=lambda evaluation, run=run: evaluation is not run.evaluation)))
            for run, found in by_run
            if found
        )

    @property
    def decisions(self) -> tuple[str, ...]:
        """Every decision of any of the evaluations, by name."""
        return tuple(sorted({evaluation.decision for _, found in self.evaluations for evaluation in found}))

    def operating_curves(self) -> Iterator[tuple[Run, CurvePoints]]:
        """The operating curve of every run that has one."""
        for run, found in self.evaluations:
            curve = next((evaluation.curves.operating for evaluation in found if evaluation.curves.operating), None)
            if curve is not None:
                yield run, curve

    def reliability(self) -> Iterator[Mapping[str, CalibrationBins]]:
        """The calibration bins by level of every run that has any."""
        for _, found in self.evaluations:
            bins = next((evaluation.curves.reliability for evaluation in found if evaluation.curves.reliability), None)
            if bins is not None:
                yield bins

    def spread(self, metric: str, decision: str | None = None) -> Spread:
        """Mean and deviation of a metric over the runs, by one decision or by whichever has it."""
        values: list[float] = []
        for _, found in self.evaluations:
            fitting = [e for e in found if metric in e.metrics and decision in (None, e.decision)]
            values += [evaluation.value(metric) for evaluation in fitting[:1]]
        return mean_and_sd(values)


def lines_of(groups: Sequence[Group]) -> tuple[Line, ...]:
    """The lines of all groups, in the order of the groups; of one group, the untouched prediction first."""
    found = {evaluation.inference for group in groups for run in group.runs for evaluation in run.evaluations}
    order = sorted(found, key=lambda name: (name != NO_INFERENCE, name))
    pairs = [(group, place, name) for group in groups for place, name in enumerate(order)]
    present = [(group, place, name) for group, place, name in pairs if any(_has(run, name) for run in group.runs)]
    return tuple(Line(index, group, name, place) for index, (group, place, name) in enumerate(present))


def _has(run: Run, inference: str) -> bool:
    return any(evaluation.inference == inference for evaluation in run.evaluations)
