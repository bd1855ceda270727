"""A run's evaluations, and which of them the page shows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cladewise.errors import InputError, warn
from cladewise.records.layout import RunFolder, Tree
from cladewise.records.reading import building, read_json

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
    promise: float | None = None
    """Share of right answers that the decision promised; ``None`` where it promised nothing."""
    data: str = ""
    """Digest of the images and their labels; empty in evaluations of earlier versions."""

    def __post_init__(self) -> None:
        """Refuse numbers that are none.

        Raises:
            KeyError, TypeError, ValueError: A metric or curve is not as an evaluation writes it.
        """
        for name, entry in self.metrics.items():
            _check_numbers([entry.get(part) for part in ("value", "low", "high", "count")], name)
        if self.promise is not None and not 0 <= self.promise <= 1:
            raise ValueError(f"promise {self.promise!r}")
        if operating := self.curves.get("operating"):
            _check_curve(operating, ("threshold", "recall", "precision", "correct"), "operating")
        for level, bins in (self.curves.get("reliability") or {}).items():
            _check_curve(bins, ("confidence", "accuracy", "count"), f"reliability at {level}")

    @property
    def folder(self) -> Path:
        """The run folder."""
        return _folder_of(self.file)

    @property
    def outcomes(self) -> Path:
        """The file of its per-image values."""
        return self.file.with_suffix(".parquet")

    @property
    def again(self) -> str:
        """Advice to make it anew."""
        return f"Run: {command(self.folder, self.split, self.tree)}"

    def is_by(self, kind: str, name: str) -> bool:
        """Whether its ``inference`` or ``decision`` has this name: the one in file names, or the rule as given."""
        return name in (getattr(self, kind), self.specs.get(kind))

    def belongs_with(self, other: Evaluation) -> bool:
        """Whether both are of the same weights, images and labels, as far as they say."""
        return self.is_of(other.model, other.data)

    def is_of(self, model: str, data: str) -> bool:
        """Whether it is of these weights, and of the images and labels with this digest, as far as both are known."""
        pairs = ((self.model, model), (self.data, data))
        return all(mine == theirs or not (mine and theirs) for mine, theirs in pairs)

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
    newest = max(of_split, key=lambda evaluation: evaluation.file.stat().st_mtime_ns)
    stale = [evaluation.file.stem for evaluation in of_split if not evaluation.belongs_with(newest)]
    if stale:
        warn(
            f"{len(stale)} evaluations of {split} are of other weights, images or labels than the newest, and are left "
            f"out: {', '.join(stale)}",
            at=str(folder),
            advice=f"Evaluate them again: {command(folder, split, tree)}",
        )
    return tuple(evaluation for evaluation in of_split if evaluation.belongs_with(newest))


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
    advice = f"Delete it, and run: cladewise evaluate {_folder_of(file)}"
    content = read_json(file, "an evaluation", advice=advice)
    with building("an evaluation as cladewise evaluate writes it", at=str(file), advice=advice):
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
            promise=content.get("promise"),
            data=str(content.get("data", "")),
        )


def _folder_of(file: Path) -> Path:
    return file.parent.parent


def _check_numbers(values: Any, name: str) -> None:
    """Refuse what is no list of numbers.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(values, list) or any(isinstance(v, bool | str | list | dict) for v in values):
        raise TypeError(f"{name} that are no list of numbers")


def _check_curve(curve: Mapping[str, Any], names: Sequence[str], of: str) -> None:
    """Refuse a curve whose columns are missing, no numbers, or of different lengths.

    Raises:
        KeyError, TypeError, ValueError: They are.
    """
    for name in names:
        _check_numbers(curve[name], f"{of} {name}")
    if len({len(curve[name]) for name in names}) > 1 or not curve[names[0]]:
        raise ValueError(f"{of}: {', '.join(f'{len(curve[name])} of {name}' for name in names)}")
