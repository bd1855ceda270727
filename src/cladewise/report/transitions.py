"""Transitions between levels: the matrices that were learnt, beside the one that the tree alone gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from cladewise.errors import InputError
from cladewise.records.layout import RunFolder
from cladewise.records.transitions import Order, naive_transition, read_transitions
from cladewise.report.groups import Group
from cladewise.report.run import FloatArray, IntArray, Run

UP: Order = "f2c"
"""The order of matrices whose columns sum to 1: of a finer node, which coarser one. Of the others rows do."""

Kind = tuple[Order, int, int]
"""Order, coarser level and finer level."""


@dataclasses.dataclass(frozen=True)
class Transition:
    """Matrices from one level to the next ``[coarser node, finer node]``, nodes in the order of the tree.

    Args:
        kind: Order, coarser and finer level.
        rows: Nodes of the coarser extended level.
        columns: Nodes of the finer one.
        naive: What the tree alone gives.
        learnt: By group's index, the mean over its seeds.
    """

    kind: Kind
    rows: IntArray
    columns: IntArray
    naive: FloatArray
    learnt: dict[int, FloatArray]

    def outside(self, group: Group) -> float:
        """Mean probability that a group's matrix gives to pairs which are not parent and child in the tree."""
        axis = 0 if self.kind[0] == UP else 1
        return float((self.learnt[group.index] * (self.naive == 0)).sum(axis=axis).mean())


def transitions_of(groups: Sequence[Group]) -> list[Transition]:
    """What all groups learnt, by order and level, coarse to fine; empty where none has learnt any."""
    taxonomy = groups[0].runs[0].taxonomy
    found: dict[Kind, dict[int, list[FloatArray]]] = {}
    for group in groups:
        for run in group.runs:
            for kind, matrix in _matrices(run).items():
                found.setdefault(kind, {}).setdefault(group.index, []).append(matrix)
    return [
        Transition(
            kind,
            taxonomy.level_nodes(kind[1]),
            taxonomy.level_nodes(kind[2]),
            naive_transition(taxonomy, *kind[1:], kind[0]).astype(np.float64),
            {index: np.mean(matrices, axis=0) for index, matrices in by_group.items()},
        )
        for kind, by_group in sorted(found.items(), key=lambda item: (item[0][0] != UP, item[0]))
    ]


def _matrices(run: Run) -> dict[Kind, FloatArray]:
    """The matrices that a run folder holds for the shown split; none of a network that knows another tree.

    Raises:
        InputError: They do not belong to the run's taxonomy, or are no such file.
    """
    file = RunFolder(run.folder).transitions(run.evaluation.split)
    if not file.is_file():
        return {}
    read, own = read_transitions(file), run.taxonomy.fingerprint
    if read.about.get("taxonomy", own) != own:
        return {}
    found: dict[Kind, FloatArray] = {}
    for coarse, matrix in read.means.items():
        fine = read.finer(coarse)
        expected = tuple(run.taxonomy.level_nodes(level).size for level in (coarse, fine))
        if matrix.shape != expected:
            raise InputError(
                f"a matrix level_{coarse} of shape {list(expected)}", f"{list(matrix.shape)}", at=str(file)
            )
        found[read.order, coarse, fine] = matrix.astype(np.float64)
    return found
