"""How well label embeddings represent a tree, per geometry, by the protocols of Dhall et al. and Ganea et al.

``toy`` trains on the transitive closure of regular trees (4 levels with branching factor 3; 3 with 7; 4 with 4),
except for the few edges used to select the epoch, and prints how well the energies classify all ordered pairs.
``hypernyms`` trains on the edges of a tree and on shares of its closure, and prints the F1 of hypernym prediction on
held-out edges. ``epoch`` times one epoch, including the evaluation at its end, on a tree with the level sizes of
iNat18 and half of its closure.

    python benchmarks/embeddings.py toy
    python benchmarks/embeddings.py hypernyms classes.csv --closures 0 0.1 0.25 0.5 --dim 10 --seeds 3
    python benchmarks/embeddings.py hypernyms /usr/share/wordnet --under mammal --epochs 100
    python benchmarks/embeddings.py epoch --dim 100
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from cladewise import Taxonomy, datasets, embeddings
from cladewise.embeddings import HypernymTask, LabelSpace, reconstruction, split_edges
from cladewise.suites.hypernyms import subtree
from losses import LEVEL_SIZES, synthetic_tree

GEOMETRIES = ("order", "euclidean", "hyperbolic")
TOYS = ((4, 3), (3, 7), (4, 4))
"""Levels and branching factors: the panels of the paper's figure, and last the one in its caption."""


def regular(levels: int, branching: int) -> Taxonomy:
    """A synthetic root above a regular tree of labels with a single top label."""
    steps = itertools.product(map(str, range(branching)), repeat=levels - 1)
    return Taxonomy.from_paths([("top", *path) for path in steps])


def tree_of(word: str, under: str | None) -> Taxonomy:
    """A taxonomy from a file, or the tree of a named dataset."""
    if word in datasets.available():
        tree = datasets.load(word).taxonomy
    else:
        tree = Taxonomy.read(word, parents="first") if Path(word).is_dir() else Taxonomy.read(word)
    return tree if under is None else subtree(tree, under)


def trained(taxonomy: Taxonomy, geometry: str, seed: int, options: argparse.Namespace, **more: Any) -> LabelSpace:
    settings = {"dim": options.dim, "epochs": options.epochs, "margin": options.margin, "negatives": options.negatives}
    settings |= {"lr": options.lr, "batch_size": options.batch_size, "initial": options.initial}
    if options.initial == "poincare" and not embeddings.make(geometry).curvature:
        settings["initial"] = "random"
    return embeddings.embed(taxonomy, geometry=geometry, seed=seed, progress=False, **settings, **more)


def spread(values: Iterable[float]) -> str:
    numbers = [100 * value for value in values]
    deviation = f" ± {statistics.stdev(numbers):.1f}" if len(numbers) > 1 else ""
    return f"{statistics.mean(numbers):.1f}{deviation}"


def toy(options: argparse.Namespace) -> Table:
    table = Table("tree", "labels", "geometry", "TPR, %", "TNR, %", "F1, %", "s")
    geometries: list[str] = list(options.geometries)
    for (levels, branching), geometry in itertools.product(TOYS, geometries):
        tree, begun = regular(levels, branching), time.perf_counter()
        spaces = [trained(tree, geometry, seed, options, closure=1.0) for seed in range(options.seeds)]
        scores = [reconstruction(tree, space.geometry, space.vectors) for space in spaces]
        rates = (spread(getattr(score, name) for score in scores) for name in ("recall", "tnr", "f1"))
        name = f"{levels} levels × {branching}"
        seconds = (time.perf_counter() - begun) / options.seeds
        table.add_row(name, str(tree.num_nodes - 1), geometry, *rates, f"{seconds:.0f}")
    return table


def hypernyms(options: argparse.Namespace) -> Table:
    tree = tree_of(options.tree, options.under)
    shares = [f"{share:.0%}" for share in options.closures]
    table = Table(
        "geometry", *shares, "s per run", title=f"F1 on test, %; {tree.num_nodes - 1} labels, closure trained on:"
    )
    for geometry in options.geometries:
        begun, cells = time.perf_counter(), []
        for share in options.closures:
            found: list[float] = []
            for seed in range(options.seeds):
                space = trained(tree, geometry, seed, options, closure=share)
                task = HypernymTask(tree, split_edges(tree, closure=share, seed=seed), seed=seed)
                found.append(task.scores(space.geometry, space.vectors).test.f1)
            cells.append(spread(found))
        runs = len(options.closures) * options.seeds
        table.add_row(geometry, *cells, f"{(time.perf_counter() - begun) / runs:.0f}")
    return table


def epoch(options: argparse.Namespace) -> Table:
    tree = synthetic_tree(LEVEL_SIZES["inat18"])
    table = Table("geometry", "CPU s", "relative", title=f"An epoch; {tree.num_nodes - 1:,} labels")
    options.epochs, first = 1, 0.0
    for geometry in options.geometries:
        begun = time.process_time()
        trained(tree, geometry, 0, options, closure=0.5)
        seconds = time.process_time() - begun
        first = first or seconds
        table.add_row(geometry, f"{seconds:.0f}", f"{seconds / first:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    training = argparse.ArgumentParser(add_help=False)
    training.add_argument("--geometries", nargs="+", default=GEOMETRIES)
    training.add_argument("--dim", type=int, default=None, help="2 for toy, 10 for hypernyms, 100 for epoch")
    training.add_argument("--epochs", type=int, default=200)
    training.add_argument("--margin", type=float, default=1.0)
    training.add_argument("--lr", type=float, default=0.01)
    training.add_argument("--batch-size", type=int, default=10)
    training.add_argument("--negatives", default="pick-per-level")
    training.add_argument("--initial", default="random")
    training.add_argument("--seeds", type=int, default=3)
    kind = kinds.add_parser("toy", parents=[training])
    kind.set_defaults(work=toy, usual_dim=2)
    kind = kinds.add_parser("hypernyms", parents=[training])
    kind.add_argument("tree", help="a taxonomy file, WordNet's folder, or the name of a dataset")
    kind.add_argument("--under", help="only the subtree at this label")
    kind.add_argument("--closures", type=float, nargs="+", default=[0.0, 0.1, 0.25, 0.5])
    kind.set_defaults(work=hypernyms, usual_dim=10)
    kind = kinds.add_parser("epoch", parents=[training])
    kind.set_defaults(work=epoch, usual_dim=100)
    options = parser.parse_args()
    options.dim = options.dim or options.usual_dim
    torch.set_num_threads(1)
    Console(width=140).print(options.work(options))


if __name__ == "__main__":
    main()
