"""One run folder as the report reads it: configuration, tree, log, and one evaluation with its per-image values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.records import Resources, RunFolder, Tree, read_resources
from cladewise.records.evaluation import Evaluation, evaluate_command
from cladewise.records.layout import SCORES
from cladewise.records.reading import read_toml
from cladewise.report.runs.evaluations import choose_evaluation, read_evaluations
from cladewise.report.runs.log import RunLog, read_log
from cladewise.report.runs.outcomes import LABEL_SETS, PREDICTED_LEVEL, read_outcomes
from cladewise.report.runs.status import IntArray, judge
from cladewise.taxonomy import Taxonomy

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class ReportedRun:
    """One evaluated model: a trained one, or scores that another tool made.

    Args:
        folder: The run folder.
        config: Its configuration.
        taxonomy: Tree of the evaluations: the true one, or the network's own if that was asked for.
        evaluation: The evaluation that the page shows.
        outcomes: Its per-image values, one row per image, ordered by path.
        log: Events of the training.
        evaluations: All evaluations of the split, the shown one included.
        resources: Time and memory that training took, if they were recorded.
    """

    folder: Path
    config: dict[str, Any]
    taxonomy: Taxonomy
    evaluation: Evaluation
    outcomes: pl.DataFrame
    log: RunLog
    evaluations: tuple[Evaluation, ...]
    resources: Resources | None = None

    @property
    def method(self) -> str:
        """Handle of the method; for scores that another tool made, the name of the run."""
        return str(self.config["method"]["name"] if "method" in self.config else self.config.get("name") or SCORES)

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.config.get("seed", 0))

    @property
    def paths(self) -> pl.Series:
        """Path of every image, relative to :attr:`image_root`."""
        return self.outcomes["path"]

    @property
    def image_root(self) -> Path:
        """Folder that the image paths are relative to."""
        return Path(str(self.config.get("images", {}).get("root", ".")))

    @cached_property
    def target(self) -> IntArray:
        """True node of every image."""
        return self.outcomes["target"].to_numpy().astype(np.int64)

    @cached_property
    def _predicted_column(self) -> str:
        name = "predicted"
        if name not in self.outcomes.columns or bool((self.outcomes[name].fill_null(-1) < 0).all()):
            levels = [PREDICTED_LEVEL + level for level in reversed(self.taxonomy.level_names)]
            name = next((level for level in levels if level in self.outcomes.columns), "")
        return name

    @property
    def answers_with_sets(self) -> bool:
        """Whether the decision answers with arbitrary sets of labels, which have no place in the tree."""
        return not self._predicted_column and LABEL_SETS in self.outcomes.columns

    @cached_property
    def predicted(self) -> IntArray:
        """Chosen node of every image; if there is one node per level, that of the finest level."""
        name = self._predicted_column
        if not name:
            raise InputError(
                "a column 'predicted', or one per level",
                f"columns {', '.join(self.outcomes.columns)}",
                at=str(self.folder),
            )
        return self.outcomes[name].to_numpy().astype(np.int64)

    @cached_property
    def lca(self) -> IntArray:
        """Lowest common ancestor of the true and the chosen node, through any parents."""
        return self.taxonomy.meet(self.target, self.predicted)

    @cached_property
    def is_mistake(self) -> NDArray[np.bool_]:
        """Whether each answer is neither its label nor below it; answers above the label count as mistakes."""
        return self.lca != self.target

    @cached_property
    def status(self) -> IntArray:
        """:class:`~cladewise.report.runs.status.Status` of each answer."""
        return judge(self.target, self.predicted, self.taxonomy)

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability of the chosen node; NaN if the evaluation does not record it."""
        if "confidence" not in self.outcomes.columns:
            return np.full(self.outcomes.height, np.nan)
        return np.exp(self.outcomes["confidence"].to_numpy().astype(np.float64))

    def values(self, metric: str) -> FloatArray | None:
        """Per-image values of a metric ``[series, image]``; the metric is the mean over series of their means.

        A metric without its own column is the mean over its levels; ``None`` if there are no levels either.
        """
        columns = [metric] if metric in self.outcomes.columns else self.level_columns(metric)
        if not columns:
            return None
        return self.outcomes.select(columns).to_numpy().astype(np.float64).T

    def level_columns(self, metric: str) -> list[str]:
        """Columns ``metric/<level>`` of a metric, coarse to fine."""
        names = [f"{metric}/{level}" for level in self.taxonomy.level_names]
        return [name for name in names if name in self.outcomes.columns]


def read_run(
    folder: Path, split: str, decision: str | None = None, inference: str | None = None, tree: Tree = "true"
) -> ReportedRun:
    """Read the parts of a run folder that the report needs.

    Raises:
        InputError: The folder is not a run, was written by another version, or has no such evaluation.
    """
    files = RunFolder(folder)
    if not files.config.is_file():
        raise InputError(
            "a run folder",
            f"{folder}, which has no config.toml",
            advice="Make one: cladewise train.",
        )
    config = _read_config(files.config)
    if not files.taxonomy.is_file():
        raise InputError("a run folder with taxonomy.csv", "none", at=str(folder), advice="Train the run again.")
    tree = tree if files.true_taxonomy.is_file() else "true"
    taxonomy = Taxonomy.read(files.tree(tree))
    evaluations = read_evaluations(folder, split, tree)
    for evaluation in evaluations:
        if evaluation.fingerprint != taxonomy.fingerprint:
            raise InputError(
                f"an evaluation over the run's own taxonomy ({taxonomy.fingerprint})",
                evaluation.fingerprint or "none named",
                at=str(evaluation.path),
                advice=f"Run: {evaluate_command(folder, split, tree)}",
            )
    chosen = choose_evaluation(evaluations, folder, config, inference=inference, decision=decision)
    return ReportedRun(
        folder,
        config,
        taxonomy,
        chosen,
        outcomes_of(chosen, taxonomy),
        read_log(files.log),
        evaluations,
        read_resources(files.resources),
    )


def outcomes_of(evaluation: Evaluation, taxonomy: Taxonomy, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Per-image values of an evaluation, with all columns or only some; see :func:`read_outcomes`."""
    return read_outcomes(
        evaluation.outcomes,
        taxonomy,
        num_images=evaluation.num_images,
        advice=f"Run: {evaluation.command}",
        columns=columns,
    )


def _read_config(file: Path) -> dict[str, Any]:
    advice = "Train the run again."
    config = read_toml(file, "a configuration", advice=advice)
    for name, expected, fits in (
        ("method", "a table [method] with a name", lambda table: isinstance(table, dict) and "name" in table),
        ("seed", "a whole number as seed", lambda seed: isinstance(seed, int)),
        ("images", "a table [images]", lambda table: isinstance(table, dict)),
    ):
        if (name == "method" and SCORES not in config) or name in config:
            value = config.get(name)
            if not fits(value):
                got = "none" if value is None or isinstance(value, dict) else repr(value)
                raise InputError(expected, got, at=str(file), advice=advice)
    return config
