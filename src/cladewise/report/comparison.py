"""A comparison of runs: the input of every section of the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cached_property
from os import PathLike
from pathlib import Path

from cladewise.errors import InputError
from cladewise.records import Tree, local_run_folder
from cladewise.report.metric_table import MetricTable, main_table
from cladewise.report.runs.groups import Group, find_baseline, group_runs
from cladewise.report.runs.languages import named_in
from cladewise.report.runs.lines import Line, split_by_inference
from cladewise.report.runs.operating_curves import MeanCurve, mean_curves
from cladewise.report.runs.run import read_run
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Groups of runs and the baseline they are compared with; what several sections need is computed once."""

    groups: tuple[Group, ...]
    baseline: Group

    @classmethod
    def read(
        cls,
        run_folders: Iterable[str | PathLike[str]],
        *,
        split: str = "test",
        baseline: str | None = None,
        decision: str | None = None,
        inference: str | None = None,
        tree: Tree = "true",
        names: str | None = None,
    ) -> Comparison:
        """Read run folders and group them by configuration; a folder given twice counts once.

        Args:
            run_folders: Run folders or addresses on the hub, each evaluated on the split.
            split: Split whose evaluations are compared.
            baseline: A method, a group or a folder's name; by default the first flat softmax.
            decision: Decision whose evaluation is shown, if a run has several.
            inference: Inference whose evaluation is shown, if a run has several.
            tree: Tree of the evaluations: the true one or the networks' own.
            names: Language to name nodes in; their own names by default.

        Raises:
            InputError: A folder is not a run or lacks the evaluation, or its numbers cannot be compared with the
                others'.
        """
        if isinstance(run_folders, str | PathLike):
            raise InputError("a list of runs", f"the single path {str(Path(run_folders))!r}", advice="Pass a list.")
        given = map(local_run_folder, run_folders)
        folders = list({folder.resolve(): folder for folder in given}.values())
        if not folders:
            raise InputError("at least one run folder", "none", advice="Name some: cladewise compare runs/*")
        runs = [read_run(folder, split, decision, inference, tree) for folder in folders]
        groups = group_runs(named_in(runs, names) if names else runs)
        return cls(groups, find_baseline(groups, baseline))

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree of all runs."""
        return self.baseline.runs[0].taxonomy

    @property
    def split(self) -> str:
        """The evaluated split."""
        return self.baseline.runs[0].evaluation.split

    @cached_property
    def placing(self) -> tuple[Group, ...]:
        """Groups whose answers are nodes of the tree, not arbitrary sets of labels."""
        return tuple(group for group in self.groups if not group.answers_with_sets)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The groups split by inference."""
        return split_by_inference(self.groups)

    @cached_property
    def curves(self) -> list[MeanCurve]:
        """Operating curves of the lines that have any."""
        return mean_curves(self.lines)

    @cached_property
    def results(self) -> MetricTable:
        """The main metrics of every group."""
        return main_table(self.groups, self.baseline)
