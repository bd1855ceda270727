"""Groups: runs that differ only in their seed, shown as one row of each table and in one colour."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cladewise.errors import InputError
from cladewise.records import FOR_PEOPLE, MACHINE_SETTINGS, RunFolder
from cladewise.records.metric_names import LEVEL_PREFIX
from cladewise.report.runs.run import FloatArray, ReportedRun

FLAT = "flat-softmax"
NOT_IDENTITY = (
    *("schema_version", "name", "seed", *FOR_PEOPLE),
    *(f"training.{setting}" for setting in MACHINE_SETTINGS),
)
"""Entries and tables of a configuration that may differ within a group."""


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Runs of one configuration, sorted by seed; ``index`` is the group's position on the page."""

    index: int
    label: str
    runs: tuple[ReportedRun, ...]

    @property
    def method(self) -> str:
        """Handle of the method."""
        return self.runs[0].method

    @property
    def shown_run(self) -> ReportedRun:
        """The run whose individual answers are shown for the group: the one with the lowest seed."""
        return self.runs[0]

    @property
    def answers_with_sets(self) -> bool:
        """Whether any run answers with sets of labels, which have no place in the tree."""
        return any(run.answers_with_sets for run in self.runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of every run."""
        return tuple(run.seed for run in self.runs)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that every run has."""
        return tuple(
            m for m in self.runs[0].evaluation.metrics if all(m in run.evaluation.metrics for run in self.runs)
        )

    def values(self, metric: str) -> FloatArray | None:
        """Per-image values of all runs ``[series, image]``, or ``None`` if a run has none."""
        values = [run.values(metric) for run in self.runs]
        present = [value for value in values if value is not None]
        return np.concatenate(present) if len(present) == len(values) else None


def group_runs(runs: Sequence[ReportedRun]) -> tuple[Group, ...]:
    """Group runs by configuration, in the order in which the groups first appear.

    Raises:
        InputError: The runs differ in their images or tree, or a group has two runs with the same seed.
    """
    check_comparable(runs)
    by_key: dict[str, list[ReportedRun]] = {}
    for run in runs:
        by_key.setdefault(_key(run), []).append(run)
    members = [sorted(group, key=lambda run: run.seed) for group in by_key.values()]
    for group in members:
        for first, second in itertools.pairwise(group):
            if first.seed == second.seed:
                raise InputError(
                    "runs of one configuration with different seeds",
                    f"seed {first.seed} in both {first.folder} and {second.folder}",
                    advice="Leave one of them out.",
                )
    labels = _labels(members)
    return tuple(
        Group(index, label, tuple(group)) for index, (label, group) in enumerate(zip(labels, members, strict=True))
    )


def find_baseline(groups: Sequence[Group], name: str | None = None) -> Group:
    """The group that the others are compared with: the named one, or else the first flat softmax, or else the first.

    Args:
        groups: All groups.
        name: Label of a group, handle of its method, or name of one of its run folders.

    Raises:
        InputError: No group has that name.
    """
    if name is None:
        return next((group for group in groups if group.method == FLAT), groups[0])
    for group in groups:
        folders = {path for run in group.runs for path in (run.folder.name, str(run.folder))}
        if name in (group.label, group.method) or name.rstrip("/") in folders:
            return group
    raise InputError(
        "the baseline to be a method, a group or a run folder of the comparison",
        repr(name),
        advice=f"Choose one of: {', '.join(group.label for group in groups)}.",
    )


def shared_levels(groups: Sequence[Group]) -> list[str]:
    """Names of the levels, coarse to fine, at which every group was evaluated."""
    if not groups:
        return []
    taxonomy = groups[0].runs[0].taxonomy
    return [name for name in taxonomy.level_names if all(LEVEL_PREFIX + name in group.metrics for group in groups)]


def check_comparable(runs: Sequence[ReportedRun]) -> None:
    """Refuse runs whose numbers cannot be compared.

    Raises:
        InputError: They differ in their tree or their images.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.taxonomy.fingerprint != first.taxonomy.fingerprint:
            trees = " ".join(str(RunFolder(each.folder).tree()) for each in (first, run))
            raise InputError(
                f"runs over one taxonomy ({first.taxonomy.fingerprint} in {first.folder})",
                f"{run.taxonomy.fingerprint} in {run.folder}",
                advice=f"See: cladewise taxonomy diff {trees}",
            )
        if not (run.paths.equals(first.paths) and np.array_equal(run.target, first.target)):
            raise InputError(
                f"runs evaluated on the same images ({first.outcomes.height} in {first.folder})",
                f"{run.outcomes.height} images, not all the same, in {run.folder}",
                advice=f"Train both on the same split of the data, or run: cladewise evaluate {run.folder} "
                f"--split {first.evaluation.split}",
            )


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Entries of nested tables, by dotted name.

    Example:
        >>> dict(flatten({"seed": 1, "method": {"name": "hxe", "alpha": 0.1}}))
        {'seed': 1, 'method.name': 'hxe', 'method.alpha': 0.1}
    """
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _identity(run: ReportedRun) -> dict[str, str]:
    entries = {name: _text(value) for name, value in flatten(run.config) if not _is_incidental(name)}
    return entries | {"inference": run.evaluation.inference, "decision": run.evaluation.decision}


def _is_incidental(name: str) -> bool:
    return name in NOT_IDENTITY or name.partition(".")[0] in NOT_IDENTITY


def _key(run: ReportedRun) -> str:
    return json.dumps(_identity(run), sort_keys=True)


def _labels(groups: Sequence[Sequence[ReportedRun]]) -> list[str]:
    """Names of the groups: the name in the configuration of their runs, if it is one name and no other group's;
    otherwise the method's handle with the settings that distinguish it from other groups of the method."""
    labels: list[str] = []
    names = [{str(run.config.get("name", "")) for run in group} for group in groups]
    for (run, *_), given in zip(groups, names, strict=True):
        if len(given) == 1 and "" not in given and names.count(given) == 1:
            labels += given
            continue
        namesakes = [_identity(other) for other, *_ in groups if other.method == run.method]
        own = _identity(run)
        varying = [
            name
            for name in dict.fromkeys(name for entries in namesakes for name in entries)
            if len({entries.get(name) for entries in namesakes}) > 1
        ]
        differences = [f"{name.removeprefix('method.')}={own.get(name, 'unset')}" for name in varying]
        labels.append(" ".join([run.method, ", ".join(differences)]).strip())
    return labels


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
