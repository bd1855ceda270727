"""A run's evaluations, and which of them the page shows."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.records.layout import SCHEMA_VERSION, RunFolder, Tree

NO_INFERENCE = "none"
"""The inference of an evaluation that takes the prediction as it is."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The summary that ``cladewise evaluate`` wrote."""

    file: Path
    split: str
    inference: str
    decision: str
    num_images: int
    num_skipped: int
    fingerprint: str
    metrics: Mapping[str, Mapping[str, Any]]
    curves: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    specs: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    tree: Tree = "true"
    model: str = ""

    def is_by(self, kind: str, name: str) -> bool:
        """Whether its ``inference`` or ``decision`` has this name: the one in file names, or the rule as given."""
        return name in (getattr(self, kind), self.specs.get(kind))

    def value(self, metric: str) -> float:
        """Value of a metric; NaN where the evaluation has none."""
        return number(self.metrics.get(metric, {}).get("value"))


def number(value: float | None) -> float:
    """A number as it stands in a summary, which writes ``null`` for one that is not defined."""
    return math.nan if value is None else float(value)


def evaluations_of(folder: Path, split: str, tree: Tree = "true") -> tuple[Evaluation, ...]:
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
            advice=f"Run: {command(folder, split, tree)}",
        )
    return of_split


def command(folder: Path, split: str, tree: Tree = "true") -> str:
    """How to evaluate a run."""
    return f"cladewise evaluate {folder} --split {split}{'' if tree == 'true' else f' --tree {tree}'}"


def choose(
    of_split: Sequence[Evaluation],
    folder: Path,
    config: Mapping[str, Any],
    *,
    inference: str | None = None,
    decision: str | None = None,
) -> Evaluation:
    """The evaluation that the page shows, of all those of a split.

    What is not asked for is the method's own inference, which the configuration names, else none; and of what is left
    the method's own decision, else ``leaf``; whatever there is where there is but one.

    Raises:
        InputError: There is no such evaluation, or the choice is open.
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
                    advice=f"Run: {command(folder, split, tree)} --{kind} {name}",
                )
    chosen = _prefer(chosen, "inference", (str(config.get("inference", NO_INFERENCE)), NO_INFERENCE))
    chosen = _prefer(chosen, "decision", (str(config.get("decision", "")), "leaf"))
    if len(chosen) > 1:
        listed = ", ".join(f"{evaluation.inference}-{evaluation.decision}" for evaluation in chosen)
        advice = "Choose one with inference= and decision=."
        raise InputError(f"one evaluation of the split {split!r} in {folder}", listed, advice=advice)
    return chosen[0]


def _prefer(evaluations: Sequence[Evaluation], field: str, names: Sequence[str]) -> list[Evaluation]:
    """Those whose field has the first of the names that any has; all of them where none has."""
    for name in names:
        matching = [evaluation for evaluation in evaluations if getattr(evaluation, field) == name]
        if matching:
            return matching
    return list(evaluations)


def read_evaluation(file: Path) -> Evaluation:
    """Read one summary.

    Raises:
        InputError: It is not the JSON that this version writes.
    """
    advice = "Evaluate the run again: cladewise evaluate FOLDER"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError("an evaluation in JSON", str(error), at=str(file), advice=advice) from None
    if not isinstance(content, dict):
        raise InputError("a JSON object", type(content).__name__, at=str(file), advice=advice)
    check_schema(content, file)
    try:
        return Evaluation(
            file=file,
            split=str(content["split"]),
            inference=str(content["inference"]),
            decision=str(content["decision"]),
            num_images=int(content["num_images"]),
            num_skipped=int(content.get("num_skipped", 0)),
            fingerprint=str(content["fingerprint"]),
            metrics=content["metrics"],
            curves=content.get("curves") or {},
            specs=content.get("rules") or {},
            tree="own" if content.get("tree") == "own" else "true",
            model=str(content.get("model", "")),
        )
    except KeyError as error:
        raise InputError(f"the entry {error} in an evaluation", "none", at=str(file), advice=advice) from None


def check_schema(content: Mapping[str, Any], file: Path) -> None:
    """Refuse what another version of the run folder's layout wrote.

    Raises:
        InputError: ``schema_version`` is missing or another.
    """
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        advice = "Update cladewise." if newer else "Train and evaluate the run with this version."
        raise InputError(f"schema_version {SCHEMA_VERSION}", version or "none", at=str(file), advice=advice)
