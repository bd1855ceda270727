"""Transitions between levels: the matrices that were learnt, beside the one that the tree alone gives."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from cladewise.errors import InputError
from cladewise.records.layout import RunFolder
from cladewise.report.groups import Group
from cladewise.report.run import FloatArray, IntArray, Run
from cladewise.taxonomy import Taxonomy

UP, DOWN = "f2c", "c2f"
"""The orders: columns that sum to 1 (of a finer node, which coarser one), and rows (of a coarser node, which finer)."""

Kind = tuple[str, int, int]
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
            for kind, matrix in read_transitions(run).items():
                found.setdefault(kind, {}).setdefault(group.index, []).append(matrix)
    return [
        Transition(
            kind,
            taxonomy.level_nodes(kind[1]),
            taxonomy.level_nodes(kind[2]),
            naive_matrix(taxonomy, *kind),
            {index: np.mean(matrices, axis=0) for index, matrices in by_group.items()},
        )
        for kind, by_group in sorted(found.items(), key=lambda item: (item[0][0] != UP, item[0]))
    ]


def naive_matrix(taxonomy: Taxonomy, order: str, coarse: int, fine: int) -> FloatArray:
    """The transition that the tree alone gives ``[coarser node, finer node]``.

    From fine to coarse a node goes to its representative; from coarse to fine it goes to each of those that it
    represents with equal probability.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> naive_matrix(tree, "f2c", 1, 2).tolist(), naive_matrix(tree, "c2f", 1, 2).tolist()
        ([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    """
    rows, columns = taxonomy.level_nodes(coarse), taxonomy.level_nodes(fine)
    above = taxonomy.at_level(coarse)[columns]
    matrix = (rows[:, None] == above[None, :]).astype(np.float64)
    return matrix if order == UP else matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))


def read_transitions(run: Run) -> dict[Kind, FloatArray]:
    """The matrices that a run folder holds for the shown split.

    Raises:
        InputError: They do not belong to the run's taxonomy, or are no such file.
    """
    file = RunFolder(run.folder).transitions(run.evaluation.split)
    if not file.is_file():
        return {}
    tensors, about = _read(file)
    levels, order = about["levels"], about["order"]
    found: dict[Kind, FloatArray] = {}
    for coarse, fine in itertools.pairwise(levels):
        matrix = tensors.get(f"level_{coarse}")
        if matrix is None:
            continue
        expected = tuple(run.taxonomy.level_nodes(level).size for level in (coarse, fine))
        if matrix.shape != expected:
            raise InputError(
                f"a matrix level_{coarse} of shape {list(expected)}", f"{list(matrix.shape)}", at=str(file)
            )
        found[order, coarse, fine] = matrix.astype(np.float64)
    return found


def _read(file: Path) -> tuple[dict[str, NDArray[Any]], Mapping[str, Any]]:
    try:
        with safe_open(str(file), framework="numpy") as content:  # type: ignore[no-untyped-call]
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
            about = json.loads((content.metadata() or {})["about"])
        levels = [int(level) for level in about["levels"]]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError("matrices with their levels and order", f"{error!r}", at=str(file)) from None
    if about.get("order") not in (UP, DOWN):
        raise InputError(f"the order {UP} or {DOWN}", repr(about.get("order")), at=str(file))
    return tensors, {"levels": levels, "order": about["order"]}
