"""One model per branch with many images behind a general model, beside the general model alone.

    python benchmarks/branch_experts.py runs/grocery-flat-softmax runs/clipart-flat-softmax [--seeds 3]
    python benchmarks/branch_experts.py runs/grocery-flat-softmax --general-size 112

All are heads on the frozen features of a run. The general model is a softmax over all leaves. Each branch of the first
level with enough training images below it has a model of its own: the same softmax, trained on the images below the
branch alone, and put behind the general one by ``predictions.with_experts``. With ``--general-size``, all but the
experts see images of that size. The learning rate of every model is searched on its own images of ``val``, with the
first seed, by likelihood. Figures are means over the seeds, with the paired difference from the general model and its
standard deviation: images whose most probable leaf is at or under their label, in percent, the mean distance from it in
edges, and nats per image.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cladewise import Run, Taxonomy
from cladewise.engine.classifier import Classifier
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.training.in_memory import fit_features
from cladewise.methods import make
from cladewise.metrics import hierarchical_distance
from cladewise.predictions import Prediction, with_experts
from cladewise.records import TrainingConfig

RATES = (0.01, 0.03, 0.1)
GENERAL, EXPERTS = "flat-softmax", "with experts"
OTHERS = ("hxe", "conditional-softmax")
Images = tuple[torch.Tensor, np.ndarray]


def images_of(run: Run, split: str, size: int | None = None) -> Images:
    data = run.dataset
    wanted = data.indices(split)
    features = cached_features(data, wanted, run.backbone, image_size=size, progress=False)
    usable = features.usable(wanted)
    return torch.from_numpy(features.rows(usable)), data.nodes[usable]


def below(images: Images, tree: Taxonomy, branch: int) -> Images:
    """The images that are labelled below a branch, with their nodes in the tree of the branch."""
    features, nodes = images
    chosen = (nodes > branch) & (nodes < tree.end[branch])
    return features[torch.from_numpy(chosen)], nodes[chosen] - branch


def branch_tree(tree: Taxonomy, branch: int) -> Taxonomy:
    nodes = slice(branch, int(tree.end[branch]))
    parents = np.concatenate([[-1], tree.parents[nodes][1:] - branch])
    return Taxonomy.from_parents(parents, tree.names[nodes])


def predicted(classifier: Classifier, features: torch.Tensor) -> Prediction:
    with torch.inference_mode():
        return classifier(features).settled()


def nats(prediction: Prediction, nodes: np.ndarray) -> float:
    return float(-prediction.log_prob_of(torch.from_numpy(nodes)[:, None]).mean())


def fitted(method: str, tree: Taxonomy, train: Images, rate: float, seed: int, epochs: int) -> Classifier:
    settings = TrainingConfig(epochs=epochs, lr=rate)
    return fit_features(make(method), tree, *train, settings, seed=seed)


def best_rate(method: str, tree: Taxonomy, train: Images, val: Images, epochs: int) -> float:
    """The learning rate with the most likely validation images; the middle one if there are none."""
    if not len(val[1]):
        return RATES[1]
    found = {rate: nats(predicted(fitted(method, tree, train, rate, 0, epochs), val[0]), val[1]) for rate in RATES}
    return min(found, key=found.__getitem__)


def judged(prediction: Prediction, nodes: np.ndarray) -> tuple[float, float, float]:
    tree, leaf = prediction.taxonomy, prediction.best_leaf().node
    right = 100 * float(tree.contains(nodes, leaf.numpy()).mean())
    distance = hierarchical_distance(leaf, torch.from_numpy(nodes), tree)
    return right, float(distance.double().mean()), nats(prediction, nodes)


def main(folders: Sequence[Path], seeds: int, min_images: int, epochs: int, size: int | None) -> None:
    for folder in folders:
        run = Run.open(folder)
        tree = run.taxonomy
        train, val, test = (images_of(run, split) for split in ("train", "val", "test"))
        train_g, val_g, test_g = (images_of(run, split, size) for split in ("train", "val", "test"))
        first = np.flatnonzero((tree.depth == 1) & (tree.num_leaves_under > 1)).tolist()
        branches = [branch for branch in first if len(below(train, tree, branch)[1]) >= min_images]
        trees = {branch: branch_tree(tree, branch) for branch in branches}
        rates = {name: best_rate(name, tree, train_g, val_g, epochs) for name in (GENERAL, *OTHERS)}
        of_branch = {
            b: best_rate(GENERAL, trees[b], below(train, tree, b), below(val, tree, b), epochs) for b in branches
        }
        rows: dict[str, list[tuple[float, float, float]]] = {}
        for seed in range(seeds):
            for name, rate in rates.items():
                found = predicted(fitted(name, tree, train_g, rate, seed, epochs), test_g[0])
                rows.setdefault(name, []).append(judged(found, test[1]))
                if name == GENERAL:
                    experts = {
                        b: predicted(
                            fitted(GENERAL, trees[b], below(train, tree, b), of_branch[b], seed, epochs), test[0]
                        )
                        for b in branches
                    }
                    rows.setdefault(EXPERTS, []).append(judged(with_experts(found, experts), test[1]))
        print(f"{folder.name}: experts for {len(branches)} of {len(first)} branches")
        for name, values in rows.items():
            table, general = np.array(values), np.array(rows[GENERAL])
            texts = [
                f"{mean:7.3f} ({d:+.3f} ± {s:.3f})"
                for mean, d, s in zip(
                    table.mean(0), (table - general).mean(0), (table - general).std(0, ddof=1), strict=True
                )
            ]
            print(f"  {name:20s}", "  ".join(texts), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--min-images", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--general-size", type=int, default=None)
    given = parser.parse_args()
    main(given.runs, given.seeds, given.min_images, given.epochs, given.general_size)
