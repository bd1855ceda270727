"""The tables of a suite, from the evaluations of its runs: mean and deviation over the seeds."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from cladewise import engine
from cladewise.atomic import write_text
from cladewise.records import Resources, read_evaluation, read_resources
from cladewise.records.metric_names import metric_text
from cladewise.records.resources import RESOURCE_TEXTS, column_text, resource_number
from cladewise.statistics import Spread, mean_and_sd
from cladewise.suites.jobs import evaluation_path
from cladewise.suites.suite import Suite, TableEntry

SHORT = {"majority_f1": "M-F1", "leaf_f1": "L-F1", "leaf_top1": "L-Top1", "ap": "AP", "ac": "AC"}
"""Names of these metrics in published tables."""
NOTHING = "–"


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table: its method and rules, and each metric over the seeds, if it exists."""

    method: str
    inference: str
    decision: str
    values: Mapping[str, Spread]


def table_rows(suite: Suite, table: TableEntry, runs: Mapping[str, Sequence[engine.Run]], split: str) -> list[Row]:
    """The rows of a table; combinations that no run could have are left out."""
    rows: list[Row] = []
    for method in suite.methods_of(table):
        took = [read_resources(run.folder.resources) or Resources() for run in runs[method]]
        for infer, decide in suite.rules_of(table):
            paths = [evaluation_path(run, split, infer, decide, suite.variant(method).tree) for run in runs[method]]
            found = [read_evaluation(path) for path in paths if path.is_file()]
            if found:
                values = {
                    name: mean_and_sd([of.value(name) for of in took])
                    if name in RESOURCE_TEXTS
                    else _spread([one.value(name) for one in found])
                    for name in table.columns
                }
                kept = {name: spread for name, spread in values.items() if spread is not None and spread.count}
                rules = found[0].rules
                rows.append(Row(method, rules["inference"], rules["decision"], kept))
    return rows


def _spread(values: Sequence[float]) -> Spread | None:
    known = [value for value in values if not math.isnan(value)]
    return mean_and_sd(known) if known else None


def write_table(folder: Path, suite: Suite, table: TableEntry, rows: Sequence[Row]) -> list[Path]:
    """Write a table as Markdown and as CSV."""
    paths = [folder / f"{table.name}.md", folder / f"{table.name}.csv"]
    write_text(paths[0], as_markdown(suite, table, rows))
    write_text(paths[1], as_csv(table, rows))
    return paths


def as_markdown(suite: Suite, table: TableEntry, rows: Sequence[Row]) -> str:
    """A table for people: percent with one decimal where a metric is a share, the best of a column in bold."""
    pairs = suite.rules_of(table)
    several = {"inference": len({infer for infer, _ in pairs}) > 1, "decision": len({rule for _, rule in pairs}) > 1}
    named = [name for name, varies in several.items() if varies]
    if len(suite.methods_of(table)) > 1 or not named:
        named.insert(0, "method")
    lines = [f"# {table.title}\n", f"| {' | '.join([*named, *map(_title, table.columns)])} |"]
    lines.append(f"|{'---|' * len(named)}{'---:|' * len(table.columns)}")
    best = {name: _best(name, rows) for name in table.columns}
    for row in rows:
        cells = [f"`{getattr(row, name)}`" for name in named]
        cells += [_cell(name, row.values.get(name), best[name]) for name in table.columns]
        lines.append(f"| {' | '.join(cells)} |")
    seeds = max((spread.count for row in rows for spread in row.values.values()), default=0)
    shares = [_title(name) for name in table.columns if column_text(name).is_share]
    note = f"Mean ± standard deviation of {seeds} seeds" if seeds > 1 else "One seed"
    lines.append(f"\n{note}{f'; {chr(44).join(shares)} in percent'.replace(',', ', ') if shares else ''}.")
    runs = {row.method: max(spread.count for spread in row.values.values()) for row in rows if row.values}
    for count in sorted(set(runs.values()) - {seeds}):
        fewer = ", ".join(f"`{method}`" for method, its in runs.items() if its == count)
        lines.append(f"\nOf {count} seed{'s' if count > 1 else ''}: {fewer}.")
    own = [f"`{label}`" for label in suite.methods_of(table) if suite.variant(label).tree == "own"]
    if own:
        lines.append(f"\nScored in the tree that the network was trained on: {', '.join(own)}.")
    return "\n".join(lines) + "\n"


def as_csv(table: TableEntry, rows: Sequence[Row]) -> str:
    """A table for programs: the mean, the deviation and the number of seeds of every metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"{name}{end}" for name in table.columns for end in ("", "_sd", "_seeds")]
    writer.writerow(["method", "inference", "decision", *heads])
    for row in rows:
        cells: list[object] = [row.method, row.inference, row.decision]
        for name in table.columns:
            spread = row.values.get(name)
            cells += (
                ["", "", 0] if spread is None else [spread.mean, spread.sd if spread.count > 1 else "", spread.count]
            )
        writer.writerow(cells)
    return text.getvalue()


def _title(metric: str) -> str:
    return SHORT.get(metric) or column_text(metric).title


def _best(metric: str, rows: Sequence[Row]) -> float | None:
    means = [row.values[metric].mean for row in rows if metric in row.values]
    higher_is_better = column_text(metric).higher_is_better
    if len(means) < 2 or higher_is_better is None or metric in RESOURCE_TEXTS:  # what training took is no contest
        return None
    return max(means) if higher_is_better else min(means)


def _cell(metric: str, spread: Spread | None, best: float | None) -> str:
    if spread is None:
        return NOTHING
    if metric in RESOURCE_TEXTS:
        mean, sd = (resource_number(metric, value) for value in (spread.mean, spread.sd))
        return f"{mean} ± {sd}" if spread.count > 1 else mean
    scale, digits = (100, 2) if metric_text(metric).is_share else (1, 3)
    mean = f"{scale * spread.mean:.{digits}f}"
    mean = f"**{mean}**" if spread.mean == best else mean
    return f"{mean} ± {scale * spread.sd:.{digits}f}" if spread.count > 1 else mean
