"""Accuracy and time of the estimator beside hiclass and scikit-learn, on the frozen features of runs.

    python benchmarks/estimators.py runs/grocery-hxe runs/emoji-hxe [--seeds 3]

All get the same features of the training split, standardised or (``l2``) scaled to one length, and answer for the test
split. hiclass has one logistic regression per node, per parent or per level; labels at internal nodes and shorter paths
are blanks at the end, as its users pad them. Times are of the processor. Needs ``pip install 'cladewise[bench]'``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, normalize

from cladewise import Run, Taxonomy
from cladewise.engine.feeding.features import cached_features
from cladewise.estimators import HierarchicalClassifier
from cladewise.metrics import hierarchical_distance, level_correct
from cladewise.ops import at_levels

Split = tuple[np.ndarray, np.ndarray]


def features_of(run: Run, split: str) -> Split:
    data = run.dataset
    images = data.indices(split)
    features = cached_features(data, images, run.backbone, progress=False)
    usable = features.usable(images)
    return features.rows(usable), data.nodes[usable]


def padded(tree: Taxonomy, nodes: np.ndarray) -> np.ndarray:
    paths = [tree.path_names(node)[0 if tree.synthetic_root else 1 :] for node in nodes.tolist()]
    width = max(map(len, paths))
    return np.array([[*path, *[""] * (width - len(path))] for path in paths])


def deepest(tree: Taxonomy, rows: np.ndarray) -> np.ndarray:
    """Node of padded answers; paths that are not in the tree count as far as they are."""
    top = () if tree.synthetic_root else (str(tree.names[0]),)
    known = {tree.path_names(node): node for node in range(tree.num_nodes)}
    found = []
    for row in rows.tolist():
        path = (*top, *(cell for cell in row if cell != ""))
        while path not in known:
            path = path[:-1]
        found.append(known[path])
    return np.array(found)


def to_one_length(X: np.ndarray) -> np.ndarray:
    """Rows of the length that the scaling ``l2`` gives them."""
    return normalize(X) * X.shape[1] ** 0.5


def candidates(seed: int) -> dict[str, Callable[[], Any]]:
    import hiclass

    def ours(method: str, scaling: str) -> Callable[[], Any]:
        return lambda: HierarchicalClassifier(method, scaling=scaling, random_state=seed)

    def theirs(kind: Any, scaling: str) -> Callable[[], Any]:
        scaler = StandardScaler() if scaling == "standardise" else FunctionTransformer(to_one_length)
        return lambda: make_pipeline(scaler, kind(local_classifier=LogisticRegression(max_iter=1000)))

    kinds = {
        "FlatClassifier": hiclass.FlatClassifier,
        "per parent node": hiclass.LocalClassifierPerParentNode,
        "per node": hiclass.LocalClassifierPerNode,
        "per level": hiclass.LocalClassifierPerLevel,
    }
    made: dict[str, Callable[[], Any]] = {}
    for scaling in ("standardise", "l2"):
        for method in ("hxe", "hace", "conditional-softmax", "flat-softmax"):
            made[f"cladewise {method}, {scaling}"] = ours(method, scaling)
        if seed == 0:  # the others do not depend on a seed
            made |= {f"hiclass {name}, {scaling}": theirs(kind, scaling) for name, kind in kinds.items()}
    return made


def measure(run: Run, seeds: int, only: str) -> None:
    tree = run.taxonomy
    (train, nodes), (test, target) = features_of(run, "train"), features_of(run, "test")
    y = padded(tree, nodes)
    print(f"\n{run.path.name}: {len(train)} + {len(test)} images, {train.shape[1]} features, {tree}")
    names = "  ".join(f"{name[:9]:>9}" for name in tree.level_names)
    print(f"{'classifier':40} {names}  {'exact':>6} {'distance':>8} {'fit s':>7} {'predict s':>9}")
    rows: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        for name, make in candidates(seed).items():
            if only not in name:
                continue
            start = time.process_time()
            model = make().fit(train, y)
            fitted = time.process_time() - start
            start = time.process_time()
            answered = model.predict(test)
            predicted = time.process_time() - start
            given, label = torch.from_numpy(deepest(tree, answered)), torch.from_numpy(target)
            levels = level_correct(at_levels(given, tree), label, tree, node=given).nanmean(0).tolist()
            exact = (given == label).double().mean().item()
            distance = hierarchical_distance(given, label, tree).double().mean().item()
            rows.setdefault(name, []).append([*levels, exact, distance, fitted, predicted])
    for name, found in rows.items():
        *levels, exact, distance, fitted, predicted = np.mean(found, 0)
        shown = "  ".join(f"{100 * value:9.1f}" for value in levels)
        print(f"{name:40} {shown}  {100 * exact:6.1f} {distance:8.3f} {fitted:7.2f} {predicted:9.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the names of classifiers to run")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for path in chosen.runs:
        measure(Run.open(path), chosen.seeds, chosen.only)


if __name__ == "__main__":
    main()
