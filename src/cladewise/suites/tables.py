"""The tables of a suite, from the evaluations of its runs: mean and deviation over the seeds."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cladewise import engine
from cladewise.atomic import write_text
from cladewise.records import Resources, read_evaluation, read_resources
from cladewise.statistics import Spread, mean_and_sd
from cladewise.suites.columns import (
    CONDITION_MARK,
    column,
    in_unit,
    is_cost,
    number,
    out_of_unit,
    title_of,
    under_condition,
)
from cladewise.suites.entries import TableEntry
from cladewise.suites.jobs import evaluation_path, few_shot_accuracies
from cladewise.suites.spreads import ENDS, csv_text, markdown_lines, seeds_note, spread_cells, with_deviation
from cladewise.suites.suite import FEW_SHOT_PREFIX, Suite, few_shot_ways

NOTHING = "–"


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table: its method and rules, and each metric over the seeds, if it exists.

    Args:
        method: Label of the method or variant.
        inference: Spec of the inference.
        decision: Spec of the decision.
        values: Values by column.
        published: Published values by column, in the unit of ``values``.
    """

    method: str
    inference: str
    decision: str
    values: Mapping[str, Spread]
    published: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])


def table_rows(suite: Suite, table: TableEntry, runs: Mapping[str, Sequence[engine.Run]], split: str) -> list[Row]:
    """The rows of a table; combinations that no run could have are left out."""
    if table.across:
        return _rows_across(suite, table, runs, split)
    rows: list[Row] = []
    for method in suite.methods_of(table):
        for infer, decide in suite.rules_after(method, table):
            values, rules = row_values(suite, table.columns, runs[method], split, method, infer, decide)
            if rules:
                rows.append(Row(method, *rules, values, _published(suite, table, method, infer, decide)))
    return rows


def _rows_across(suite: Suite, table: TableEntry, runs: Mapping[str, Sequence[engine.Run]], split: str) -> list[Row]:
    """Rows that are a method under all conditions, with the columns of :func:`columns_across`."""
    rows: dict[tuple[str, str, str], Row] = {}
    for label in suite.methods_of(table):
        variant = suite.variant(label)
        for infer, decide in suite.rules_after(label, table):
            values, rules = row_values(suite, table.columns, runs[label], split, label, infer, decide)
            if rules:
                under = {under_condition(name, variant.condition): value for name, value in values.items()}
                row = rows.get((variant.plain, infer, decide))
                before = dict(row.values) if row else {}
                rows[variant.plain, infer, decide] = Row(variant.plain, *rules, {**before, **under})
    return list(rows.values())


def spread_out(suite: Suite, table: TableEntry) -> TableEntry:
    """The table with the columns that it has: where conditions are side by side, every column under each of them."""
    if not table.across:
        return table
    names = list(dict.fromkeys(suite.variant(label).condition for label in suite.methods_of(table)))
    heads = table.headings or [title_of(name) for name in table.columns]
    columns = [under_condition(name, condition) for name in table.columns for condition in names]
    headings = [condition if len(heads) == 1 else f"{head}, {condition}" for head in heads for condition in names]
    return dataclasses.replace(table, columns=tuple(columns), headings=tuple(headings))


def row_values(
    suite: Suite, columns: Iterable[str], runs: Sequence[engine.Run], split: str, method: str, infer: str, decide: str
) -> tuple[dict[str, Spread], tuple[str, str] | None]:
    """Values of a row by column over its runs, and the specs of its rules; none where no run could have them."""
    paths = [evaluation_path(run, split, infer, decide, suite.variant(method).tree) for run in runs]
    found = [read_evaluation(path) for path in paths if path.is_file()]
    if not found:
        return {}, None
    took = [read_resources(run.folder.resources) or Resources() for run in runs]
    columns = list(columns)
    episodes = [few_shot_accuracies(suite, run, split) for run in runs] if few_shot_ways(columns) else []
    values: dict[str, Spread | None] = {}
    for name in columns:
        if is_cost(name):
            values[name] = mean_and_sd([of.value(name) for of in took])
        elif name.startswith(FEW_SHOT_PREFIX):
            values[name] = _spread([of[name.removeprefix(FEW_SHOT_PREFIX)] for of in episodes])
        else:
            values[name] = _spread([one.value(name) for one in found])
    kept = {name: spread for name, spread in values.items() if spread is not None and spread.count}
    rules = found[0].rules
    return kept, (rules["inference"], rules["decision"])


def _published(suite: Suite, table: TableEntry, method: str, infer: str, decide: str) -> dict[str, float]:
    """The published values of a row by column, without those that the source lacks."""
    for row in suite.published_of(table):
        if row.row == method and row.inference in ("", infer) and row.decision in ("", decide):
            values = zip(table.columns, row.values, strict=True)
            return {name: out_of_unit(name, value) for name, value in values if not math.isnan(value)}
    return {}


def _spread(values: Sequence[float]) -> Spread | None:
    known = [value for value in values if not math.isnan(value)]
    return mean_and_sd(known) if known else None


def gaps(table: TableEntry, rows: Sequence[Row]) -> list[str]:
    """Sentences about columns of a table without any value."""
    if not rows:
        return ["no run has any of its rows"]
    present = {name.partition(CONDITION_MARK)[0] for row in rows for name in row.values}
    empty = [name for name in table.columns if name not in present]
    return [f"no row has a value of {' or '.join(empty)}"] if empty else []


def write_table(folder: Path, suite: Suite, table: TableEntry, rows: Sequence[Row]) -> list[Path]:
    """Write a table as Markdown and as CSV."""
    table = spread_out(suite, table)
    paths = [folder / f"{table.name}.md", folder / f"{table.name}.csv"]
    write_text(paths[0], as_markdown(suite, table, rows))
    write_text(paths[1], as_csv(table, rows))
    return paths


def as_markdown(suite: Suite, table: TableEntry, rows: Sequence[Row]) -> str:
    """A table for people: percent with two digits where a metric is a share, the best of a column in bold.

    Published values stand in brackets behind ours, with the difference of ours from them.
    """
    pairs = suite.rules_of(table)
    several = {"inference": len({infer for infer, _ in pairs}) > 1, "decision": len({rule for _, rule in pairs}) > 1}
    named = [name for name, varies in several.items() if varies]
    if len(suite.methods_of(table)) > 1 or not named:
        named.insert(0, "method")
    titles = table.headings or [title_of(name) for name in table.columns]
    best = {name: _best(name, rows) for name in table.columns}
    cells = [
        [*(f"`{getattr(row, name)}`" for name in named), *(_cell(name, row, best[name]) for name in table.columns)]
        for row in rows
    ]
    notes = [f"\n{note}" for note in _notes(suite, table, rows, titles)]
    return "\n".join([f"# {table.title}\n", *markdown_lines(named, titles, cells), *notes]) + "\n"


def _notes(suite: Suite, table: TableEntry, rows: Sequence[Row], titles: Sequence[str]) -> list[str]:
    """Sentences below a table."""
    seeds = max((spread.count for row in rows for spread in row.values.values()), default=0)
    heads = map(title_of, table.columns) if table.across else titles  # of which each condition has all
    shares = list(dict.fromkeys(head for head, name in zip(heads, table.columns, strict=True) if column(name).is_share))
    notes = [f"{seeds_note(seeds)}; {', '.join(shares)} in percent." if shares else f"{seeds_note(seeds)}."]
    if any(row.published for row in rows):
        source = f" ({table.source})" if table.source else ""
        notes.append(f"In brackets: the published value{source}; the difference of ours from it.")
    elif table.source:
        notes.append(f"Source of the table: {table.source}.")
    runs = {row.method: max(spread.count for spread in row.values.values()) for row in rows if row.values}
    for count in sorted(set(runs.values()) - {seeds}):
        fewer = ", ".join(f"`{method}`" for method, its in runs.items() if its == count)
        notes.append(f"Of {count} seed{'s' if count > 1 else ''}: {fewer}.")
    own = [f"`{label}`" for label in suite.methods_of(table) if suite.variant(label).tree == "own"]
    if own:
        notes.append(f"Scored in the tree that the network was trained on: {', '.join(own)}.")
    return notes


def as_csv(table: TableEntry, rows: Sequence[Row]) -> str:
    """A table for programs: the mean, the deviation and the number of seeds of every metric.

    With published values, also these and the difference of the mean from them, in the unit of the mean.
    """
    ends = [*ENDS, *(["_published", "_difference"] if any(row.published for row in rows) else [])]
    heads = ["method", "inference", "decision", *(f"{name}{end}" for name in table.columns for end in ends)]
    cells: list[list[object]] = []
    for row in rows:
        numbers = [_numbers(row.values.get(name), row.published.get(name))[: len(ends)] for name in table.columns]
        cells.append([row.method, row.inference, row.decision, *itertools.chain(*numbers)])
    return csv_text(heads, cells)


def _numbers(spread: Spread | None, published: float | None) -> list[object]:
    """The cells of a column in a CSV file; published values to the digits that were published."""
    theirs = "" if published is None else float(f"{published:.10g}")
    difference = "" if spread is None or published is None else float(f"{spread.mean - published:.10g}")
    return [*spread_cells(spread), theirs, difference]


def _best(metric: str, rows: Sequence[Row]) -> float | None:
    means = [row.values[metric].mean for row in rows if metric in row.values]
    higher_is_better = column(metric).higher_is_better
    if len(means) < 2 or higher_is_better is None or is_cost(metric):  # what training took is no contest
        return None
    return max(means) if higher_is_better else min(means)


def _cell(metric: str, row: Row, best: float | None) -> str:
    spread, published = row.values.get(metric), row.published.get(metric)
    if spread is None:
        return NOTHING if published is None else f"{NOTHING} ({number(metric, published)})"
    mean = number(metric, spread.mean)
    ours = with_deviation(f"**{mean}**" if spread.mean == best else mean, number(metric, spread.sd), spread)
    return ours if published is None else f"{ours} ({number(metric, published)}; {_signed(metric, spread, published)})"


def _signed(metric: str, spread: Spread, published: float) -> str:
    """The difference of two values as they are written, with its sign."""
    digits = 0 if is_cost(metric) else 2 if column(metric).is_share else 3
    difference = round(in_unit(metric, spread.mean), digits) - round(in_unit(metric, published), digits)
    return f"{difference:+,.{digits}f}".replace("-", "−")
