"""The evaluation of a run on a split: its type, its reader and its writer."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text
from cladewise.catalogue import split_chain
from cladewise.records.curves import Curves
from cladewise.records.json_numbers import numbers_of, or_null
from cladewise.records.layout import SCHEMA_VERSION, Tree
from cladewise.records.promises import PromiseKept
from cladewise.records.reading import building, read_json
from cladewise.records.verdict import verdict
from cladewise.statistics import Interval

NO_INFERENCE = "none"
"""Handle of the inference of evaluations that use the prediction as it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The metrics of a run on one split, by one inference and one decision.

    ``evaluation["hd@1"]`` is a metric with its 95% bootstrap interval, ``evaluation.top1`` only its value.

    Args:
        split: The split that was evaluated.
        inference: Handle of the inference; ``none`` if there was none.
        decision: Handle of the decision.
        tree: Whether the true tree or the network's own was used for scoring.
        rules: Full specs of ``inference`` and ``decision``, options included.
        num_images: Number of images that were evaluated.
        num_skipped: Number of images that could not be read.
        fingerprint: Fingerprint of the taxonomy.
        model: Hash of the weights; empty in early versions.
        data: Digest of the images and labels; empty in early versions.
        fitted: Parameters that the rules learnt, by name.
        fitted_on: Split that each fitted rule learnt from, by handle.
        promise: Share of right answers that the decision promised; ``None`` if it promised nothing.
        promises: Everything that it promised, with the numbers of right answers; empty in early versions.
        warnings: Warnings from fitting the rules.
        metrics: Value, interval and number of images of each metric; NaN where something is undefined.
        curves: Operating curve and reliability.
        about: Further facts reported by the inference.
        frequencies: Numbers of training images, ``few_below`` and ``many_above``, by which labels are grouped; empty if
            the training images are unknown, and in early versions.
        grouped_by: Column or other means by which images were grouped, each group counting as one; empty if none was.
        path: The JSON file.

    Raises:
        ValueError: The promise is not in [0, 1].
    """

    split: str
    inference: str
    decision: str
    tree: Tree = "true"
    rules: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    num_images: int
    num_skipped: int = 0
    fingerprint: str
    model: str = ""
    data: str = ""
    fitted: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    fitted_on: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    promise: float | None = None
    promises: tuple[PromiseKept, ...] = ()
    warnings: tuple[str, ...] = ()
    metrics: Mapping[str, Interval]
    curves: Curves = dataclasses.field(default_factory=Curves)
    about: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    frequencies: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    grouped_by: str = ""
    path: Path = dataclasses.field(default=Path(), compare=False)

    def __post_init__(self) -> None:
        if self.promise is not None and not 0 <= self.promise <= 1:
            raise ValueError(f"promise {self.promise!r}")

    def __getitem__(self, metric: str) -> Interval:
        return self.metrics[metric]

    def __getattr__(self, metric: str) -> float:
        if metric.startswith("_") or metric == "metrics" or metric not in self.metrics:
            known = "" if metric == "metrics" else f"; there are {', '.join(self.metrics)}"
            raise AttributeError(f"no metric {metric!r}{known}")
        return self.metrics[metric].value

    def __dir__(self) -> Iterator[str]:
        yield from super().__dir__()
        yield from (name for name in self.metrics if name.isidentifier())

    @property
    def verdict(self) -> str:
        """One sentence: the share of right answers, the share that are leaves, and whether the promises were kept."""
        unit = "group" if self.grouped_by else "image"
        return verdict(self.metrics, promise=self.promise, promises=self.promises, unit=unit)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return _run_folder(self.path, self.tree)

    @property
    def outcomes(self) -> Path:
        """The file of per-image values."""
        return self.path.with_suffix(".parquet")

    @property
    def command(self) -> str:
        """The shell command that makes the evaluation again."""
        return evaluate_command(self.folder, self.split, self.tree)

    def value(self, metric: str) -> float:
        """Value of a metric; NaN if the evaluation does not have it."""
        found = self.metrics.get(metric)
        return math.nan if found is None else found.value

    @property
    def predicted_by(self) -> str:
        """Handle of the inference whose prediction was decided on; a decision with inferences of its own is named too.

        Evaluations with equal handles have the same curves and metrics of the prediction.
        """
        if len(split_chain(self.rules.get("decision", ""))) < 2:
            return self.inference
        return "+".join(name for name in (self.inference, self.decision) if name != NO_INFERENCE)

    def is_by(self, kind: str, name: str) -> bool:
        """Whether the ``inference`` or ``decision`` has this handle or spec.

        Args:
            kind: ``inference`` or ``decision``.
            name: A handle, as in file names, or the spec with all options.
        """
        return name in (getattr(self, kind), self.rules.get(kind))

    def is_of(self, model: str, data: str) -> bool:
        """Whether weights and data are the given ones, as far as both sides know theirs.

        Args:
            model: Hash of the weights; may be empty.
            data: Digest of the images and labels; may be empty.
        """
        pairs = ((self.model, model), (self.data, data))
        return all(mine == theirs or not (mine and theirs) for mine, theirs in pairs)


def evaluate_command(folder: Path, split: str, tree: Tree = "true") -> str:
    """The shell command that evaluates a run on a split.

    Example:
        >>> evaluate_command(Path("runs/hace"), "test", "own")
        'cladewise evaluate runs/hace --split test --tree own'
    """
    return f"cladewise evaluate {folder.as_posix()} --split {split}{'' if tree == 'true' else f' --tree {tree}'}"


def write_evaluation(evaluation: Evaluation) -> None:
    """Write an evaluation to its ``path``, atomically."""
    own = {field.name: getattr(evaluation, field.name) for field in dataclasses.fields(evaluation)}
    del own["path"]
    content = {
        "schema_version": SCHEMA_VERSION,
        **own,
        "metrics": {name: _plain(dataclasses.asdict(each)) for name, each in evaluation.metrics.items()},
        "curves": evaluation.curves.to_dict(),
    }
    content["promises"] = [dataclasses.asdict(one) for one in evaluation.promises]
    for optional in ("about", "frequencies", "grouped_by", "promises"):
        if not content[optional]:
            del content[optional]
    write_text(evaluation.path, json.dumps(content, indent=1) + "\n")


def read_evaluation(path: Path) -> Evaluation:
    """Read an evaluation.

    Raises:
        InputError: The file is not an evaluation of this version.

    Example:
        >>> kept = Evaluation(
        ...     split="test", inference="none", decision="leaf", num_images=3, fingerprint="0",
        ...     metrics={"top1": Interval(0.5, 0.25, math.nan, 3)}, path=getfixture("tmp_path") / "test-none-leaf.json",
        ... )
        >>> write_evaluation(kept)
        >>> read_evaluation(kept.path).top1
        0.5
    """
    tree: Tree = "own" if path.parent.name == "own-tree" else "true"
    advice = f"Delete it, and run: cladewise evaluate {_run_folder(path, tree).as_posix()}"
    content = read_json(path, "an evaluation", advice=advice)
    with building("an evaluation as cladewise evaluate writes it", at=str(path), advice=advice):
        return Evaluation(
            split=str(content["split"]),
            inference=str(content["inference"]),
            decision=str(content["decision"]),
            tree="own" if content.get("tree") == "own" else "true",
            rules=_texts(content.get("rules")),
            num_images=int(content["num_images"]),
            num_skipped=int(content.get("num_skipped", 0)),
            fingerprint=str(content["fingerprint"]),
            model=str(content.get("model", "")),
            data=str(content.get("data", "")),
            fitted=dict(content.get("fitted") or {}),
            fitted_on=_texts(content.get("fitted_on")),
            promise=content.get("promise"),
            promises=tuple(_promise(entry) for entry in content.get("promises") or ()),
            warnings=tuple(map(str, content.get("warnings") or ())),
            metrics={name: _interval(name, entry) for name, entry in content["metrics"].items()},
            curves=Curves.from_dict(content.get("curves") or {}),
            about=_texts(content.get("about")),
            frequencies={str(name): int(number) for name, number in (content.get("frequencies") or {}).items()},
            grouped_by=str(content.get("grouped_by", "")),
            path=path,
        )


def _run_folder(path: Path, tree: Tree) -> Path:
    return path.parent.parent if tree == "true" else path.parent.parent.parent


def _interval(name: str, entry: Mapping[str, Any]) -> Interval:
    value, low, high, count = numbers_of([entry.get(part) for part in ("value", "low", "high", "count")], name)
    return Interval(value, low, high, 0 if math.isnan(count) else int(count))


def _promise(entry: Mapping[str, Any]) -> PromiseKept:
    return PromiseKept(str(entry["name"]), float(entry["share"]), int(entry["right"]), int(entry["images"]))


def _plain(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {name: or_null(number) for name, number in numbers.items()}


def _texts(content: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(name): str(text) for name, text in (content or {}).items()}
