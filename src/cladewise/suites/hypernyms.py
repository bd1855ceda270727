"""Hypernym tables of a suite: label trees embedded without images, by the share of their closure that is trained on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.embeddings import embed
from cladewise.records import EmbeddingFolder, read_results
from cladewise.statistics import Spread, mean_and_sd
from cladewise.suites.hypernym_entries import COLUMNS, HypernymEntry, HypernymRow
from cladewise.suites.jobs import carry_out
from cladewise.suites.spreads import ENDS, csv_text, markdown_lines, seeds_note, spread_cells, with_deviation
from cladewise.taxonomy import Taxonomy

Results = Mapping[str, Mapping[str, float]]
"""Metrics of an embedding by kind of pairs and name."""


@dataclasses.dataclass(frozen=True)
class _Job:
    """One embedding: a row, a share of the closure and a seed, in a folder."""

    tree: Taxonomy
    entry: HypernymEntry
    row: HypernymRow
    closure: float
    seed: int
    folder: Path


def _embed(job: _Job) -> Results:
    entry = job.entry
    embed(
        job.tree,
        out=job.folder,
        closure=job.closure,
        seed=job.seed,
        epochs=entry.epochs,
        batch_size=entry.batch_size,
        lr=entry.lr,
        progress=False,
        **job.row.settings,
    )
    return read_results(EmbeddingFolder(job.folder))


def write_hypernym_table(
    folder: Path, entry: HypernymEntry, tree: Taxonomy, *, seeds: int, pool: Executor | None = None
) -> list[Path]:
    """Embed the tree for every cell of a table, as far as that is not done, and write the table.

    Args:
        folder: Where to; the embeddings are in its folder of the entry's name.
        entry: The table.
        tree: The label tree.
        seeds: Number of runs of each cell.
        pool: Processes to train in.

    Returns:
        The table as Markdown and as CSV.
    """
    count = min(seeds, entry.seeds or seeds)
    jobs = [
        _Job(tree, entry, row, share, seed, folder / entry.name / _folder_name(row, share, seed))
        for row in entry.rows
        for share in entry.closures
        for seed in range(count)
    ]
    found = {job.folder: results for job, results in carry_out(_embed, jobs, pool)}
    cells: dict[tuple[str, float], list[Results]] = {}
    for job in jobs:
        cells.setdefault((job.row.label, job.closure), []).append(found[job.folder])
    values = {
        row.label: [
            mean_and_sd([_value(name, results) for results in cells[row.label, share]])
            for name in entry.columns
            for share in entry.closures
        ]
        for row in entry.rows
    }
    paths = [folder / f"{entry.name}.md", folder / f"{entry.name}.csv"]
    write_text(paths[0], _as_markdown(entry, tree, values, count))
    write_text(paths[1], _as_csv(entry, values))
    return paths


def _folder_name(row: HypernymRow, share: float, seed: int) -> str:
    margin = "tuned" if "," in row.margin else row.margin
    return f"{row.geometry.replace(':', '-')}-{row.dim}-{margin}-{share:g}-{seed}"


def _value(name: str, results: Results) -> float:
    """A metric of an embedding; NaN where its tree has no transitive edges to hold out."""
    _, pairs, key = COLUMNS[name]
    return results.get(pairs, {}).get(key, float("nan"))


def _as_markdown(entry: HypernymEntry, tree: Taxonomy, values: Mapping[str, Sequence[Spread]], count: int) -> str:
    heads = [f"{COLUMNS[name][0]}, {share:.0%}" for name in entry.columns for share in entry.closures]
    cells = ([label, *map(_cell, spreads)] for label, spreads in values.items())
    lines = [f"# {entry.title}\n", *markdown_lines(["embedding"], heads, cells)]
    lines.append(
        f"\n{seeds_note(count)}, in percent; {tree.num_nodes - 1:,} labels. The heads are the shares of the "
        "transitive edges, without those of val and test, that were trained on."
    )
    if entry.source:
        lines.append(f"\nProtocol: {entry.source}.")
    return "\n".join(lines) + "\n"


def _as_csv(entry: HypernymEntry, values: Mapping[str, Sequence[Spread]]) -> str:
    heads = [f"{name}/{share:g}{end}" for name in entry.columns for share in entry.closures for end in ENDS]
    rows = ([label, *itertools.chain(*map(spread_cells, spreads))] for label, spreads in values.items())
    return csv_text(["embedding", *heads], rows)


def _cell(spread: Spread) -> str:
    return with_deviation(f"{100 * spread.mean:.1f}", f"{100 * spread.sd:.1f}", spread)
