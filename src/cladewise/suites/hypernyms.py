"""Hypernym tables of a suite: label trees embedded without images, by the share of their closure that is trained on."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from cladewise import datasets
from cladewise.atomic import write_text
from cladewise.catalogue import from_spec, nearest
from cladewise.embeddings import available, embed
from cladewise.errors import InputError
from cladewise.records import EmbeddingFolder, read_results
from cladewise.statistics import Spread, mean_and_sd
from cladewise.taxonomy import Taxonomy

COLUMNS: Mapping[str, tuple[str, str, str]] = {
    "hypernym_f1": ("F1", "test", "f1"),
    "hypernym_precision": ("Precision", "test", "precision"),
    "hypernym_recall": ("Recall", "test", "recall"),
    "hypernym_tnr": ("TNR of hypernyms", "test", "tnr"),
    "reconstruction_tpr": ("TPR", "reconstruction", "recall"),
    "reconstruction_tnr": ("TNR", "reconstruction", "tnr"),
    "reconstruction_f1": ("Full F1", "reconstruction", "f1"),
}
"""Columns: title, and the place in the results of an embedding."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HypernymEntry:
    """Label embeddings of one tree: a row per geometry, dimension and margin, columns by the share of the closure.

    Args:
        name: Name of its files.
        title: Heading.
        tree: Name of a dataset or of a tree whose file or folder is given with ``data``.
        under: Only the subtree at this label; the largest one if several nodes have that name. Empty: the whole tree.
        geometries: Geometries, with options.
        dims: Dimensions of the vectors.
        margins: Margins, each a number or several with commas to choose from by F1 on val.
        closures: Shares of the transitive edges to train on.
        columns: Metrics, each for every share.
        epochs: Passes over the edges.
        batch_size: Edges per step.
        lr: Learning rate.
        seeds: Runs of each at most; as many as the suite says by default.
        path: File or folder of the tree, where it is no dataset of the suite.
        source: Table or section of a paper that it repeats.
    """

    name: str
    title: str
    tree: str
    under: str = ""
    geometries: tuple[str, ...] = ("order", "euclidean", "hyperbolic")
    dims: tuple[int, ...] = (10,)
    margins: tuple[str, ...] = ("1",)
    closures: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    columns: tuple[str, ...] = ("hypernym_f1",)
    epochs: int = 500
    batch_size: int = 10
    lr: float = 0.01
    seeds: int = 0
    path: str = ""
    source: str = ""

    @property
    def rows(self) -> tuple[HypernymRow, ...]:
        """The rows of the table."""
        return tuple(
            HypernymRow(geometry, dim, margin)
            for geometry in self.geometries
            for dim in self.dims
            for margin in self.margins
        )


@dataclasses.dataclass(frozen=True)
class HypernymRow:
    """A row of a hypernym table.

    Example:
        >>> HypernymRow("order", 10, "1").label, HypernymRow("order", 10, "0.1,1").label
        ('order, 10 dimensions, margin 1', 'order, 10 dimensions, best margin')
    """

    geometry: str
    dim: int
    margin: str

    @property
    def label(self) -> str:
        """Name in the table."""
        margin = "best margin" if "," in self.margin else f"margin {self.margin}"
        return f"{self.geometry}, {self.dim} dimensions, {margin}"

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of :func:`cladewise.embeddings.embed`."""
        margin = {"margins": self.margin} if "," in self.margin else {"margin": float(self.margin)}
        return {"geometry": self.geometry, "dim": self.dim, **margin}


def check_hypernyms(entry: HypernymEntry) -> None:
    """Check the names and numbers of an entry.

    Raises:
        InputError: There is no such geometry or column, or a number is out of range.

    Example:
        >>> check_hypernyms(HypernymEntry(name="h", title="", tree="t", columns=("f1",)))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a column: hypernym_f1, ..., but got 'f1' at columns.
    """
    for geometry in entry.geometries:
        from_spec(available(), "geometry", geometry)
    for name in entry.columns:
        if name not in COLUMNS:
            raise InputError(f"a column: {', '.join(COLUMNS)}", repr(name), at="columns", advice=nearest(name, COLUMNS))
    for share in entry.closures:
        if not 0 <= share <= 1:
            raise InputError("shares of the closure from 0 to 1", share, at="closures")
    for margin in entry.margins:
        try:
            [float(each) for each in margin.split(",")]
        except ValueError as error:
            raise InputError("margins as numbers, several with commas", repr(margin), at="margins") from error
    for name in ("epochs", "batch_size"):
        if getattr(entry, name) < 1:
            raise InputError("at least 1", getattr(entry, name), at=name)


def tree_of(entry: HypernymEntry) -> Taxonomy:
    """The label tree of an entry: that of a dataset, or one in a file or folder.

    Raises:
        InputError: There is no path, or no tree in it.
    """
    if entry.tree in datasets.available():
        options: dict[str, Any] = {"path": entry.path} if entry.path else {}
        tree = datasets.load(entry.tree, **options).taxonomy
    elif not entry.path:
        advice = f'Pass data="{entry.tree}=the/folder".'
        raise InputError(f"the tree {entry.tree}", "no path", at=entry.name, advice=advice)
    else:
        tree = Taxonomy.read(entry.path, parents="first") if Path(entry.path).is_dir() else Taxonomy.read(entry.path)
    return part_of(tree, entry)


def part_of(tree: Taxonomy, entry: HypernymEntry) -> Taxonomy:
    """The part of a tree that an entry is about."""
    return subtree(tree, entry.under) if entry.under else tree


def subtree(taxonomy: Taxonomy, label: str) -> Taxonomy:
    """The tree at a label, with a root of its own above it; the largest one if several nodes have that name.

    Raises:
        InputError: No node has that name.

    Example:
        >>> t = Taxonomy.from_paths([("animal", "bird", "wren"), ("plant", "moss")])
        >>> subtree(t, "bird").names.tolist()
        ['', 'bird', 'wren']
    """
    found = taxonomy.matches(label)
    if not len(found):
        raise InputError("a label of the tree", repr(label), at="under", advice=nearest(label, taxonomy.names.tolist()))
    top = max(found, key=lambda node: int(taxonomy.end[node]) - node)
    nodes = range(top, int(taxonomy.end[top]))
    parents = [-1, *(0 if node == top else int(taxonomy.parents[node]) - top + 1 for node in nodes)]
    return Taxonomy.from_parents(parents, ["", *(str(taxonomy.names[node]) for node in nodes)])


@dataclasses.dataclass(frozen=True)
class _Job:
    """One embedding: a row, a share of the closure and a seed, in a folder."""

    tree: Taxonomy
    entry: HypernymEntry
    row: HypernymRow
    closure: float
    seed: int
    folder: Path


def _carry_out(job: _Job) -> dict[str, dict[str, float]]:
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
    found: Iterable[dict[str, dict[str, float]]]
    found = map(_carry_out, jobs) if pool is None else pool.map(_carry_out, jobs)
    cells: dict[tuple[str, float], list[dict[str, dict[str, float]]]] = {}
    for job, results in zip(jobs, found, strict=True):
        cells.setdefault((job.row.label, job.closure), []).append(results)
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


def _value(name: str, results: Mapping[str, Mapping[str, float]]) -> float:
    """A metric of an embedding; NaN where its tree has no transitive edges to hold out."""
    _, pairs, key = COLUMNS[name]
    return results.get(pairs, {}).get(key, float("nan"))


def _as_markdown(entry: HypernymEntry, tree: Taxonomy, values: Mapping[str, Sequence[Spread]], count: int) -> str:
    heads = [f"{COLUMNS[name][0]}, {share:.0%}" for name in entry.columns for share in entry.closures]
    lines = [f"# {entry.title}\n", f"| embedding | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    lines += [f"| {label} | {' | '.join(map(_cell, spreads))} |" for label, spreads in values.items()]
    seeds = f"Mean ± standard deviation of {count} seeds" if count > 1 else "One seed"
    lines.append(
        f"\n{seeds}, in percent; {tree.num_nodes - 1:,} labels. The heads are the shares of the transitive edges, "
        "without those of val and test, that were trained on."
    )
    if entry.source:
        lines.append(f"\nProtocol: {entry.source}.")
    return "\n".join(lines) + "\n"


def _as_csv(entry: HypernymEntry, values: Mapping[str, Sequence[Spread]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"{name}/{share:g}" for name in entry.columns for share in entry.closures]
    writer.writerow(["embedding", *(f"{head}{end}" for head in heads for end in ("", "_sd", "_seeds"))])
    for label, spreads in values.items():
        cells: list[object] = [label]
        for spread in spreads:
            cells += [spread.mean, spread.sd if spread.count > 1 else "", spread.count]
        writer.writerow(cells)
    return text.getvalue()


def _cell(spread: Spread) -> str:
    mean = f"{100 * spread.mean:.1f}"
    return f"{mean} ± {100 * spread.sd:.1f}" if spread.count > 1 else mean
