"""Lines: groups split by inference, the unit of whatever does not depend on the decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from cladewise.drawing.palette import COLORS, DASHES, color
from cladewise.records import CalibrationBins, CurvePoints, Evaluation, RiskPoints
from cladewise.records.evaluation import NO_INFERENCE
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import ReportedRun
from cladewise.statistics import Spread, mean_and_sd


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """All evaluations of a group's runs with one inference, or by one decision that has inferences of its own.

    Args:
        index: Index among all lines.
        group: The runs; gives the line its colour.
        inference: Handle of the inference; ``none`` uses the prediction as it is.
        inference_index: Index among all inferences of the comparison; gives the line its dashes.
    """

    index: int
    group: Group
    inference: str
    inference_index: int

    @property
    def label(self) -> str:
        """The group's name, with the inference if there is one and the name does not already state it."""
        is_named = self.inference == NO_INFERENCE or f"inference={self.inference}" in self.group.label
        return self.group.label if is_named else f"{self.group.label} + {self.inference}"

    @property
    def color(self) -> str:
        """The group's colour."""
        return color(self.group.index)

    @property
    def dash(self) -> str:
        """The inference's line style, as plotly names it; shifted each time the palette of groups repeats."""
        return DASHES[(self.inference_index + self.group.index // len(COLORS)) % len(DASHES)]

    @property
    def meta(self) -> dict[str, int]:
        """Metadata by which the page's buttons find the traces of the line."""
        return {"group": self.group.index, "inference": self.inference_index}

    @property
    def is_shown_first(self) -> bool:
        """Whether the page shows it initially: true for the inference of the other sections."""
        return self.inference == self.group.shown_run.evaluation.predicted_by

    @property
    def is_shown_with_its_calibration(self) -> bool:
        """Whether diagrams that show the effect of calibration have it initially: also before or after calibration."""
        return _uncalibrated(self.inference) == _uncalibrated(self.group.shown_run.evaluation.predicted_by)

    @cached_property
    def evaluations(self) -> tuple[tuple[ReportedRun, tuple[Evaluation, ...]], ...]:
        """Every run evaluated with this inference, with its evaluations, the shown one first."""
        by_run = [
            (run, [evaluation for evaluation in run.evaluations if evaluation.predicted_by == self.inference])
            for run in self.group.runs
        ]
        return tuple(
            (run, tuple(sorted(found, key=lambda evaluation, run=run: evaluation is not run.evaluation)))
            for run, found in by_run
            if found
        )

    @property
    def decisions(self) -> tuple[str, ...]:
        """Names of the decisions of all evaluations, sorted."""
        return tuple(sorted({evaluation.decision for _, found in self.evaluations for evaluation in found}))

    def operating_curves(self) -> Iterator[tuple[ReportedRun, CurvePoints]]:
        """The operating curve of every run that has one."""
        for run, found in self.evaluations:
            curve = next((evaluation.curves.operating for evaluation in found if evaluation.curves.operating), None)
            if curve is not None:
                yield run, curve

    def risk_curves(self, rule: str) -> Iterator[tuple[ReportedRun, RiskPoints]]:
        """The risk–coverage curve by a rule of every run that has one."""
        for run, found in self.evaluations:
            curve = next((each for evaluation in found if (each := evaluation.curves.risk.get(rule))), None)
            if curve is not None:
                yield run, curve

    def reliability(self) -> Iterator[Mapping[str, CalibrationBins]]:
        """The calibration bins by level of every run that has any."""
        for _, found in self.evaluations:
            bins = next((evaluation.curves.reliability for evaluation in found if evaluation.curves.reliability), None)
            if bins is not None:
                yield bins

    def spread(self, metric: str, decision: str | None = None) -> Spread:
        """Mean and standard deviation of a metric over the runs, from one decision or from any that has it."""
        values: list[float] = []
        for _, found in self.evaluations:
            fitting = [e for e in found if metric in e.metrics and decision in (None, e.decision)]
            values += [evaluation.value(metric) for evaluation in fitting[:1]]
        return mean_and_sd(values)


def split_by_inference(groups: Sequence[Group]) -> tuple[Line, ...]:
    """The lines of all groups, in the order of the groups, each group's ``none`` first."""
    found = {evaluation.predicted_by for group in groups for run in group.runs for evaluation in run.evaluations}
    order = sorted(found, key=lambda name: (name != NO_INFERENCE, name))
    pairs = [(group, place, name) for group in groups for place, name in enumerate(order)]
    present = [(group, place, name) for group, place, name in pairs if any(_has(run, name) for run in group.runs)]
    return tuple(Line(index, group, name, place) for index, (group, place, name) in enumerate(present))


def _uncalibrated(inference: str) -> str:
    """The handle of an inference without calibration.

    Example:
        >>> _uncalibrated("diffusion-0.5+calibrate-isotonic"), _uncalibrated("calibrate")
        ('diffusion-0.5', 'none')
    """
    return "+".join(part for part in inference.split("+") if not part.startswith("calibrate")) or NO_INFERENCE


def _has(run: ReportedRun, inference: str) -> bool:
    return any(evaluation.predicted_by == inference for evaluation in run.evaluations)


def shown_and_by_inference(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The lines of each exported drawing, by the ending of its name.

    The drawing without an ending has the lines that the page shows initially; if there are several inferences, each has
    a drawing too.
    """
    own = {"": [line for line in lines if line.is_shown_first]}
    inferences = dict.fromkeys(line.inference for line in lines)
    if len(inferences) < 2:
        return own
    return own | {f"-{name}": [line for line in lines if line.inference == name] for name in inferences}
