"""Figures of a suite's run folders, with tests against a baseline: the record that the page is made from."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from cladewise.engine import Run
from cladewise.records import Evaluation, read_evaluation, read_resources
from cladewise.records.resources import RESOURCE_TEXTS
from cladewise.statistics import mean_and_sd
from cladewise.suites.entries import DataEntry, TableEntry
from cladewise.suites.folders import folder_name
from cladewise.suites.jobs import evaluation_path
from cladewise.suites.suite import Suite

FloatArray = NDArray[np.float64]


@dataclasses.dataclass
class Figure:
    """One metric of one line: mean and deviation over the seeds, and the difference from the baseline.

    A line is compared with the baseline by the same rules, and the baseline with its own first line. ``p`` is the
    adjusted p-value of the difference: of a paired t-test over the images where the metric has a value per image (of
    the mean over the seeds), otherwise of Welch's t-test over the seeds.
    """

    mean: float
    sd: float
    seeds: int
    difference: float = math.nan
    p: float = math.nan

    @property
    def verdict(self) -> int:
        """1 or -1 where the difference is significant at 5%, by its sign; else 0."""
        return int(np.sign(self.difference)) if self.p < 0.05 else 0


@dataclasses.dataclass
class Line:
    """One combination of a method and rules on a dataset, with a figure for each metric that it has."""

    method: str
    inference: str
    decision: str
    figures: dict[str, Figure]


@dataclasses.dataclass
class Measured:
    """One dataset of a suite: each table's lines, by the name of the table."""

    name: str
    num_images: int
    tables: dict[str, list[Line]]
    left_out: list[str]


def collect(suite: Suite, folder: Path) -> list[Measured]:
    """Read the runs of the finished datasets of a suite from the folder that ``cladewise benchmark`` wrote."""
    places = [(entry, folder / folder_name(entry.name)) for entry in suite.data]
    return [_measured(suite, entry, place) for entry, place in places if _is_finished(suite, place)]


def _is_finished(suite: Suite, folder: Path) -> bool:
    return all((folder / f"{table.name}.csv").is_file() for table in suite.tables)


def _measured(suite: Suite, entry: DataEntry, folder: Path) -> Measured:
    runs = {
        label: [Run.open(folder / "runs" / f"{folder_name(label)}-{seed}") for seed in range(suite.seeds_of(label))]
        for label in suite.methods
    }
    tables = {table.name: _lines(suite, table, runs, entry.test) for table in suite.tables}
    left_out = (folder / "left_out.txt").read_text(encoding="utf-8").splitlines()
    num_images = max(_evaluation(path).num_images for path in folder.glob("runs/*-0/evaluations/*.json"))
    return Measured(entry.name, num_images, tables, left_out)


def _lines(suite: Suite, table: TableEntry, runs: Mapping[str, Sequence[Run]], split: str) -> list[Line]:
    lines: list[Line] = []
    values: list[dict[str, FloatArray]] = []
    for label in suite.methods_of(table):
        for infer, decide in suite.rules_of(table):
            tree = suite.variant(label).tree
            paths = [evaluation_path(run, split, infer, decide, tree) for run in runs[label]]
            if all(path.is_file() for path in paths):
                figures = {name: _figure(name, paths, runs[label]) for name in table.columns}
                known = {name: figure for name, figure in figures.items() if figure is not None}
                lines.append(Line(label, infer, decide, known))
                values.append(_per_image(paths, known) | _per_seed(paths, known))
    _compare(lines, values, table.columns, suite.baseline)
    return lines


def _figure(metric: str, paths: Sequence[Path], runs: Sequence[Run]) -> Figure | None:
    if metric in RESOURCE_TEXTS:
        found = [read_resources(run.folder.resources) for run in runs]
        spread = mean_and_sd([took.value(metric) for took in found if took is not None])
    else:
        spread = mean_and_sd([value for path in paths if not math.isnan(value := _value(path, metric))])
    return Figure(spread.mean, spread.sd, spread.count) if spread.count else None


def _value(path: Path, metric: str) -> float:
    evaluation = _evaluation(path)
    return evaluation.value(metric) if metric in evaluation.metrics else math.nan


@functools.cache
def _evaluation(path: Path) -> Evaluation:
    return read_evaluation(path)


def _per_image(paths: Sequence[Path], metrics: Iterable[str]) -> dict[str, FloatArray]:
    """Mean over the seeds of each metric that has a value for every image, ``[image]``."""
    files = [path.with_suffix(".parquet") for path in paths]
    shared = [name for name in metrics if all(name in pl.read_parquet_schema(file) for file in files)]
    tables = [pl.read_parquet(file, columns=shared) for file in files]
    columns = {name: np.stack([table[name].to_numpy().astype(np.float64) for table in tables]) for name in shared}
    return {name: column.mean(0) for name, column in columns.items() if not np.isnan(column).any()}


def _per_seed(paths: Sequence[Path], metrics: Iterable[str]) -> dict[str, FloatArray]:
    return {f"{name} by seed": np.array([_value(path, name) for path in paths]) for name in metrics}


def _compare(
    lines: Sequence[Line], values: Sequence[Mapping[str, FloatArray]], metrics: Iterable[str], baseline: str
) -> None:
    """Fill in the differences from the baseline, and their p-values, adjusted over the lines of a table.

    The adjustment is Benjamini and Hochberg's: of the differences called significant, 5% are expected to be chance.
    """
    against = [_rival(lines, line, baseline) for line in lines]
    for metric in (name for name in metrics if name not in RESOURCE_TEXTS):
        known: list[tuple[Figure, float]] = []
        for place, line in enumerate(lines):
            figure, other = line.figures.get(metric), lines[against[place]].figures.get(metric)
            if figure is not None and other is not None and against[place] != place:
                figure.difference = figure.mean - other.mean
                p = _p_value(metric, values[place], values[against[place]])
                known += [] if math.isnan(p) else [(figure, p)]
        adjusted = stats.false_discovery_control([p for _, p in known]) if known else []
        for (figure, _), p in zip(known, adjusted, strict=True):
            figure.p = float(p)


def _rival(lines: Sequence[Line], line: Line, baseline: str) -> int:
    """Place of the line to compare with: the baseline by the same rules, or its first line for the baseline itself."""
    places = [place for place, other in enumerate(lines) if other.method == baseline]
    same = [p for p in places if (lines[p].inference, lines[p].decision) == (line.inference, line.decision)]
    return same[0] if same and line.method != baseline else places[0]


def _p_value(metric: str, ours: Mapping[str, FloatArray], theirs: Mapping[str, FloatArray]) -> float:
    a, b = ours.get(metric), theirs.get(metric)
    if a is not None and b is not None:
        return 1.0 if np.ptp(a - b) < 1e-9 else float(stats.ttest_rel(a, b).pvalue)
    a, b = ours[f"{metric} by seed"], theirs[f"{metric} by seed"]
    if max(np.ptp(a), np.ptp(b)) < 1e-9:  # neither depends on the seed
        return float(np.isclose(a[0], b[0], atol=1e-9))
    return float(stats.ttest_ind(a, b, equal_var=False).pvalue)
