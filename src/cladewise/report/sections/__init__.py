"""Sections of the report, one module each: data, interactive chart, drawing for print, and exported numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cladewise.report.comparison import Comparison
from cladewise.report.sections.by_frequency import frequency_sections
from cladewise.report.sections.by_level import level_sections
from cladewise.report.sections.by_node import node_sections
from cladewise.report.sections.classes import class_sections
from cladewise.report.sections.confusion import confusion_sections
from cladewise.report.sections.counts import counts_sections
from cladewise.report.sections.decisions import decision_sections
from cladewise.report.sections.explanations import explanation_sections
from cladewise.report.sections.few_shot import few_shot_sections
from cladewise.report.sections.mistakes import mistake_sections
from cladewise.report.sections.operating import operating_sections
from cladewise.report.sections.operating_point import operating_point_sections
from cladewise.report.sections.plates import plate_sections
from cladewise.report.sections.provenance import provenance_sections
from cladewise.report.sections.reliability import reliability_sections
from cladewise.report.sections.results import results_sections
from cladewise.report.sections.risk import risk_sections
from cladewise.report.sections.section import Section
from cladewise.report.sections.severity import severity_sections
from cladewise.report.sections.training import training_sections
from cladewise.report.sections.transitions import transition_sections
from cladewise.report.sections.unknown import unknown_sections

SECTIONS: tuple[Callable[[Comparison], Iterable[Section]], ...] = (
    results_sections,
    few_shot_sections,
    unknown_sections,
    operating_sections,
    risk_sections,
    operating_point_sections,
    decision_sections,
    level_sections,
    frequency_sections,
    confusion_sections,
    class_sections,
    severity_sections,
    reliability_sections,
    transition_sections,
    node_sections,
    counts_sections,
    mistake_sections,
    explanation_sections,
    plate_sections,
    training_sections,
    provenance_sections,
)
"""Makers of the sections, in the order of the page; each yields nothing if there is nothing to show."""


def build_sections(comparison: Comparison) -> list[Section]:
    """All sections that have something to show, in the order of the page."""
    return [section for make in SECTIONS for section in make(comparison)]


__all__ = ["SECTIONS", "Section", "build_sections"]
