"""Accuracy of a migrated run on what did not change, and of merged and split classes beside training anew.

Some pairs of sibling classes are pooled before the first run is trained, so that a later split has true new labels. The
tree is then edited at random (renamed, moved, merged, added, removed, regrouped, dissolved), and those pairs are split
again. The run is migrated without training, and with its head fitted again on the new labels, which is training anew.

    python benchmarks/migrating.py grocery-store --path data/grocery-store --method flat-softmax hace --seeds 3
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import cladewise as cw
from cladewise import datasets
from cladewise.datasets import Dataset
from cladewise.migration.accuracy import answers_of, scores_of
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence
from reference.random_edits import EDITS, EditedTree

KINDS = tuple(kind for kind in EDITS if kind != "split")


@dataclasses.dataclass(frozen=True)
class Case:
    """Data in the old tree, the same images in the new one with true labels, and the correspondences."""

    old: Dataset
    new: Dataset
    found: Correspondence
    done: list[str]


def pooled(data: Dataset, pairs: int, random: np.random.Generator) -> tuple[Dataset, dict[int, tuple[int, int]]]:
    """The data with some pairs of sibling leaves as one class each; and the pair of each pooled node."""
    tree = data.taxonomy
    chosen: list[tuple[int, int]] = []
    for parent in random.permutation(np.unique(tree.parents[tree.leaf_nodes])).tolist():
        leaves = [v for v in tree.children(parent).tolist() if tree.is_leaf[v]]
        if len(chosen) < pairs and len(leaves) > 2:
            first, second = sorted(random.choice(leaves, 2, replace=False).tolist())
            chosen.append((first, second))
    gone = {second: first for first, second in chosen}
    kept = [v for v in range(tree.num_nodes) if v not in gone]
    number = {v: k for k, v in enumerate(kept)}
    names = [str(tree.names[v]) for v in kept]
    for first, second in chosen:
        names[number[first]] += f" or {tree.names[second]}"
    parents = [-1 if v == 0 else number[int(tree.parents[v])] for v in kept]
    coarse = Taxonomy.from_parents(
        parents, names, level=tree.level[kept], level_names=tree.level_names, synthetic_root=tree.synthetic_root
    )
    place = np.array([number[gone.get(v, v)] for v in range(tree.num_nodes)])
    old = dataclasses.replace(data, taxonomy=coarse, nodes=place[data.nodes])
    return old, {number[first]: (first, second) for first, second in chosen}


def made(data: Dataset, edits: int, splits: int, seed: int) -> Case:
    """A case with some edits in all, some of which are splits with true labels."""
    random = np.random.default_rng(seed)
    old, pairs = pooled(data, splits, random)
    tree = EditedTree(old.taxonomy, seed)
    daughters: dict[int, int] = {}
    for node, (first, second) in pairs.items():
        of = tree.nodes.pop(node)
        for leaf in (first, second):
            daughters[leaf] = tree.new(str(data.taxonomy.names[leaf]), of.parent, of.origins)
            tree.nodes[daughters[leaf]].level = of.level
        tree.done.append("split")
    while len(tree.done) < edits:
        tree.edit(str(random.choice(KINDS)))
    found = tree.correspondence()
    nodes = CarryOver.of(found).place[old.nodes]
    for leaf, node in daughters.items():
        if node in tree.nodes:
            nodes[data.nodes == leaf] = tree.number[node]
    new = dataclasses.replace(old, taxonomy=found.new, nodes=nodes)
    return Case(old, new, found, tree.done)


def on_disk(data: Dataset, folder: Path) -> Dataset:
    """The data as a manifest with its own tree, which a run can open again."""
    folder.mkdir(parents=True)
    data.taxonomy.write(folder / "classes.csv")
    split = np.full(len(data), "", dtype=object)
    for name, rows in data.splits.items():
        split[rows] = name
    labels = [data.taxonomy.path_name(node) or "root" for node in data.nodes.tolist()]
    table = {"path": [str(data.root / path) for path in data.paths], "label": labels, "split": split.tolist()}
    pl.DataFrame(table).write_csv(folder / "images.csv")
    return datasets.from_manifest(folder / "images.csv", folder / "classes.csv")


def answered(run: cw.Run, data: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Index of each test image, the node that it is answered with, and whether that is its label."""
    seen = scores_of(run, "test", progress=False)
    assert not isinstance(seen, str), seen
    answers = answers_of(run, seen)
    return answers.index, answers.answer, answers.answer == data.nodes[answers.index]


def measure(case: Case, method: str, epochs: int, folder: Path) -> dict[str, object]:
    """One row of the table."""
    case = dataclasses.replace(case, old=on_disk(case.old, folder / "data"), new=on_disk(case.new, folder / "new"))
    found, place = case.found, CarryOver.of(case.found)
    run = cw.train(case.old, method=method, freeze=True, epochs=epochs, out=folder / "old", progress=False)
    start = time.perf_counter()
    carried = cw.migrate(run, found, out=folder / "carried", progress=False)
    migrating = time.perf_counter() - start
    start = time.perf_counter()
    anew = cw.migrate(run, found, out=folder / "anew", refit=True, data=case.new, progress=False)
    training = time.perf_counter() - start
    moved = dataclasses.replace(case.old, taxonomy=found.new, nodes=place.place[case.old.nodes])
    index, _, was = answered(run, case.old)
    _, _, same = answered(carried.run, moved)
    _, answer, new = answered(anew.run, case.new)
    label = case.old.nodes[index]
    pairs = found.change == "split"
    origin = np.full(found.new.num_nodes, -1)
    origin[found.new_nodes[pairs]] = found.old_nodes[pairs]
    either = origin[answer] == label  # one of the daughters, whichever
    kept = place.untouched[label]
    assert (was[kept] == same[kept]).all(), "an untouched image changed"
    merged, split = (np.isin(label, found.old_nodes[found.change == kind]) for kind in ("merged", "split"))

    def share(values: NDArray[np.bool_], of: NDArray[np.bool_]) -> str:
        return f"{100 * values[of].mean():.2f}" if of.any() else "-"

    return {
        "head": carried.report.way,
        "untouched": int(kept.sum()),
        "before": share(was, kept),
        "migrated": share(same, kept),
        "equal": "yes" if was[kept].sum() == same[kept].sum() else "no",
        "anew": share(new, kept),
        "merged: before, migrated, anew": ", ".join(share(values, merged) for values in (was, same, new)),
        "split, either daughter: migrated, anew": ", ".join(share(values, split) for values in (same, either)),
        "split, the daughter: anew": share(new, split),
        "seconds: migrated, anew": f"{migrating:.1f}, {training:.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--path")
    parser.add_argument("--method", nargs="+", default=["flat-softmax", "hace"])
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=30)
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    data = datasets.load(wanted.data, **({"path": wanted.path} if wanted.path else {}))
    first = True
    for seed in range(wanted.seeds):
        case = made(data, wanted.edits, wanted.splits, seed)
        for method in wanted.method:
            with tempfile.TemporaryDirectory() as folder:
                row = {"method": method, "seed": seed, **measure(case, method, wanted.epochs, Path(folder))}
            if first:
                print(f"| {' | '.join(row)} |\n|{'---|' * len(row)}")
                first = False
            print(f"| {' | '.join(map(str, row.values()))} |", flush=True)
        print(f"seed {seed}: {', '.join(f'{case.done.count(kind)} {kind}' for kind in EDITS)}", file=sys.stderr)


if __name__ == "__main__":
    main()
