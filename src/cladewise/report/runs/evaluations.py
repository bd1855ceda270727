"""A run's evaluations of a split, and the choice of the one that the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cladewise.errors import InputError, warn
from cladewise.records import Evaluation, RunFolder, Tree, evaluate_command, read_evaluation
from cladewise.records.evaluation import NO_INFERENCE


def read_evaluations(folder: Path, split: str, tree: Tree = "true") -> tuple[Evaluation, ...]:
    """All evaluations of a split in a tree, ordered by the names of their files.

    Raises:
        InputError: There is none.
    """
    found = [read_evaluation(file) for file in sorted(RunFolder(folder).evaluations(tree).glob("*.json"))]
    of_split = tuple(evaluation for evaluation in found if evaluation.split == split)
    if not of_split:
        splits = ", ".join(sorted({evaluation.split for evaluation in found})) or "none"
        raise InputError(
            f"an evaluation of the split {split!r} in {folder}",
            f"evaluations of: {splits}",
            advice=f"Run: {evaluate_command(folder, split, tree)}",
        )
    newest = max(of_split, key=lambda evaluation: evaluation.path.stat().st_mtime_ns)
    stale = [evaluation.path.stem for evaluation in of_split if not evaluation.is_of(newest.model, newest.data)]
    if stale:
        warn(
            f"{len(stale)} evaluations of {split} have different weights, images or labels than the newest and are "
            f"left out: {', '.join(stale)}",
            at=str(folder),
            advice=f"Evaluate them again: {evaluate_command(folder, split, tree)}",
        )
    return tuple(evaluation for evaluation in of_split if evaluation.is_of(newest.model, newest.data))


def choose_evaluation(
    of_split: Sequence[Evaluation],
    folder: Path,
    config: Mapping[str, Any],
    *,
    inference: str | None = None,
    decision: str | None = None,
) -> Evaluation:
    """Choose the evaluation that the page shows.

    Without ``inference``, the method's own (named in the configuration) is preferred, then ``none``; without
    ``decision``, the method's own, then ``leaf``. A single remaining evaluation is taken in any case.

    Raises:
        InputError: There is no such evaluation, or several remain.
    """
    split, tree = of_split[0].split, of_split[0].tree
    chosen = list(of_split)
    for kind, name in (("inference", inference), ("decision", decision)):
        if name is not None:
            there = ", ".join(sorted({getattr(evaluation, kind) for evaluation in chosen}))
            chosen = [evaluation for evaluation in chosen if evaluation.is_by(kind, name)]
            if not chosen:
                raise InputError(
                    f"an evaluation by the {kind} {name!r} in {folder}",
                    f"{kind}s {there}",
                    advice=f"Run: {evaluate_command(folder, split, tree)} --{kind} {name}",
                )
    chosen = _prefer(chosen, "inference", (str(config.get("inference", NO_INFERENCE)), NO_INFERENCE))
    chosen = _prefer(chosen, "decision", (str(config.get("decision", "")), "leaf"))
    if len(chosen) > 1:
        listed = ", ".join(f"{evaluation.inference}-{evaluation.decision}" for evaluation in chosen)
        advice = "Choose one with inference= and decision=."
        raise InputError(f"one evaluation of the split {split!r} in {folder}", listed, advice=advice)
    return chosen[0]


def _prefer(evaluations: Sequence[Evaluation], field: str, names: Sequence[str]) -> list[Evaluation]:
    """The evaluations whose field equals the first of the names that occurs; all of them if none occurs."""
    for name in names:
        matching = [evaluation for evaluation in evaluations if getattr(evaluation, field) == name]
        if matching:
            return matching
    return list(evaluations)
