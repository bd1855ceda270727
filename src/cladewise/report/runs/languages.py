"""Runs whose nodes are shown under their names in a language."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cladewise.report.runs.run import ReportedRun
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.arrays import StrArray


def named_in(runs: Sequence[ReportedRun], language: str) -> list[ReportedRun]:
    """The runs with the names in a language that the first run's taxonomy has.

    Raises:
        InputError: It has none in this language.
    """
    first = runs[0].taxonomy
    names = first.names_in(language)
    return [
        dataclasses.replace(run, taxonomy=_shown(run.taxonomy, names))
        if run.taxonomy.fingerprint == first.fingerprint
        else run
        for run in runs
    ]


def _shown(taxonomy: Taxonomy, names: StrArray) -> Taxonomy:
    shown = Taxonomy(
        taxonomy.parents,
        names,
        level=taxonomy.level,
        level_names=taxonomy.level_names,
        columns=taxonomy.columns,
        synthetic_root=taxonomy.synthetic_root,
        further_parents=taxonomy.further_parents,
    )
    shown.__dict__["fingerprint"] = taxonomy.fingerprint  # the run's other files are checked against it
    return shown
