"""Runs that differ in nothing but their seed form one group: one row of the table, one colour of the page."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cladewise.errors import InputError
from cladewise.records import FOR_PEOPLE, MACHINE_SETTINGS
from cladewise.report.run import FloatArray, Run

FLAT = "flat-softmax"
NOT_IDENTITY = (
    *("schema_version", "name", "seed", *FOR_PEOPLE),
    *(f"training.{setting}" for setting in MACHINE_SETTINGS),
)
"""Entries and tables of a configuration that may differ between runs of one group."""


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Runs of one configuration, by ascending seed. ``index`` is the group's place on the page."""

    index: int
    label: str
    runs: tuple[Run, ...]

    @property
    def method(self) -> str:
        """Handle of the method."""
        return self.runs[0].method

    @property
    def shown_run(self) -> Run:
        """The run whose single answers stand for the group: that of the lowest seed."""
        return self.runs[0]

    @property
    def answers_with_sets(self) -> bool:
        """Whether images have any set of labels, and no place in the tree."""
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
        """Per-image values of all runs ``[series, image]``, or ``None`` where a run has none."""
        values = [run.values(metric) for run in self.runs]
        present = [value for value in values if value is not None]
        return np.concatenate(present) if len(present) == len(values) else None


def group_runs(runs: Sequence[Run]) -> tuple[Group, ...]:
    """Group runs by configuration, in the order in which the groups first appear.

    Raises:
        InputError: The runs are not about the same images and tree, or one group has a seed twice.
    """
    check_comparable(runs)
    by_key: dict[str, list[Run]] = {}
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


def baseline_of(groups: Sequence[Group], reference: str | None = None) -> Group:
    """The group that the others are compared with: the named one, else the first flat softmax, else the first.

    Args:
        groups: All groups.
        reference: Label of a group, handle of its method, or name of one of its run folders.

    Raises:
        InputError: No group has that name.
    """
    if reference is None:
        return next((group for group in groups if group.method == FLAT), groups[0])
    for group in groups:
        folders = {name for run in group.runs for name in (run.folder.name, str(run.folder))}
        if reference in (group.label, group.method) or reference.rstrip("/") in folders:
            return group
    raise InputError(
        "the baseline to be a method, a group or a run folder of the comparison",
        repr(reference),
        advice=f"Choose one of: {', '.join(group.label for group in groups)}.",
    )


def check_comparable(runs: Sequence[Run]) -> None:
    """Refuse runs whose numbers do not belong into one table.

    Raises:
        InputError: Another tree, or other images.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.taxonomy.fingerprint != first.taxonomy.fingerprint:
            raise InputError(
                f"runs over one taxonomy ({first.taxonomy.fingerprint} in {first.folder})",
                f"{run.taxonomy.fingerprint} in {run.folder}",
                advice=f"See: cladewise taxonomy diff {first.folder}/taxonomy.csv {run.folder}/taxonomy.csv",
            )
        if not (run.paths.equals(first.paths) and np.array_equal(run.target, first.target)):
            raise InputError(
                f"runs evaluated on the same images ({first.outcomes.height} in {first.folder})",
                f"{run.outcomes.height} images, not all the same, in {run.folder}",
                advice=f"Train both on the same split of the data, or run: cladewise evaluate {run.folder} "
                f"--split {first.evaluation.split}",
            )


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Entries of nested tables under dotted names.

    Example:
        >>> dict(flatten({"seed": 1, "method": {"name": "hxe", "alpha": 0.1}}))
        {'seed': 1, 'method.name': 'hxe', 'method.alpha': 0.1}
    """
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _identity(run: Run) -> dict[str, str]:
    entries = {name: _text(value) for name, value in flatten(run.config) if not _is_incidental(name)}
    return entries | {"inference": run.evaluation.inference, "decision": run.evaluation.decision}


def _is_incidental(name: str) -> bool:
    return name in NOT_IDENTITY or name.partition(".")[0] in NOT_IDENTITY


def _key(run: Run) -> str:
    return json.dumps(_identity(run), sort_keys=True)


def _labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    """The name that its runs were given, if it is one and no other's; else the method's handle, with what tells the
    groups of one method apart."""
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
