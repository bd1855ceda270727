"""The few-shot table of a suite: accuracy over the seeds, one column per kind of episode."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.records import FewShot
from cladewise.statistics import Spread, mean_and_sd
from cladewise.suites.spreads import ENDS, csv_text, markdown_lines, seeds_note, spread_cells, with_deviation
from cladewise.suites.suite import FEW_SHOT_TABLE


def write_few_shot_table(folder: Path, results: Mapping[str, Sequence[Sequence[FewShot]]]) -> list[Path]:
    """Write the table as Markdown and as CSV.

    Args:
        folder: Where to.
        results: Of each method and run, the results, in the same order for all.
    """
    first = next(iter(results.values()))[0]
    titles = [result.title for result in first]
    rows = {
        method: [mean_and_sd([run[k].accuracy for run in runs]) for k in range(len(titles))]
        for method, runs in results.items()
    }
    notes = dict.fromkeys(
        f"{result.title}: {note}."
        for runs in results.values()
        for run in runs
        for result in run
        for note in result.notes
    )
    paths = [folder / f"{FEW_SHOT_TABLE}.md", folder / f"{FEW_SHOT_TABLE}.csv"]
    write_text(paths[0], as_markdown(titles, rows, list(notes), first))
    write_text(paths[1], as_csv(first, rows))
    return paths


def as_markdown(
    titles: Sequence[str], rows: Mapping[str, Sequence[Spread]], notes: Sequence[str], first: Sequence[FewShot]
) -> str:
    """A table for people, in percent, the best of a column in bold."""
    best = [max(row[k].mean for row in rows.values()) for k in range(len(titles))]
    cells = [
        [f"`{method}`", *(_cell(spread, spread.mean == best[k] and len(rows) > 1) for k, spread in enumerate(row))]
        for method, row in rows.items()
    ]
    lines = ["# Few-shot accuracy", "", *markdown_lines(["method"], titles, cells)]
    seeds = max(spread.count for row in rows.values() for spread in row)
    counts = ", ".join(f"{result.episodes:,}" for result in first)
    lines.append(f"\n{seeds_note(seeds)}, in percent.")
    widest = 100 * max(result.half_width for result in first)
    lines.append(f"\nEpisodes: {counts}; the 95% interval of a run is at most ± {widest:.2f}.")
    return "\n".join([*lines, *(f"\n{note}" for note in notes)]) + "\n"


def as_csv(first: Sequence[FewShot], rows: Mapping[str, Sequence[Spread]]) -> str:
    """A table for programs: the mean, the deviation and the number of seeds of every kind."""
    heads = ["method", *(f"{result.kind}{end}" for result in first for end in ENDS)]
    return csv_text(heads, ([method, *itertools.chain(*map(spread_cells, row))] for method, row in rows.items()))


def _cell(spread: Spread, is_best: bool) -> str:
    mean = f"{100 * spread.mean:.2f}"
    return with_deviation(f"**{mean}**" if is_best else mean, f"{100 * spread.sd:.2f}", spread)
