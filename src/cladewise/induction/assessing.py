"""Value of a proposed tree: agreement with a given one, severity of a run's mistakes, and training on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.atomic import write_bytes
from cladewise.errors import InputError
from cladewise.induction.class_lists import class_list
from cladewise.induction.proposal import Proposal
from cladewise.statistics import TreeAgreement, tree_agreement
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.surgery import random_hierarchy

if TYPE_CHECKING:
    from cladewise.engine import Run

IntArray = NDArray[np.int64]

RANDOM_TREES = 20
"""Number of random trees that a severity is compared with."""
METHODS = ("flat-softmax", "hace")
"""Methods that are trained on a proposed tree."""


@dataclasses.dataclass(frozen=True)
class MistakesInTree:
    """Mistakes of a classifier in one tree.

    Heights depend on the tree's depth, so severities of different trees are compared by their ratio to the same tree
    with its leaves permuted.

    Args:
        tree: Name of the tree.
        severity: Mean height of the lowest common ancestor of the answer and the label, over mistakes.
        random_severity: The same, averaged over 20 trees of the same shape with permuted leaves.
        accuracy: Share of the images whose answer has the right group at each level, by name of the level; the last is
            that of the classes.
    """

    tree: str
    severity: float
    random_severity: float
    accuracy: dict[str, float]

    @property
    def ratio(self) -> float:
        """Severity relative to random trees of the same shape: 1 for a tree that says nothing about the mistakes."""
        return self.severity / self.random_severity if self.random_severity else float("nan")


@dataclasses.dataclass(frozen=True)
class TrainedOn:
    """Accuracy and mistakes of a method that was trained on a tree.

    Args:
        method: Name of the method.
        num_images: Number of images evaluated.
        mistakes: Its mistakes in each tree; the answer is the most probable leaf.
    """

    method: str
    num_images: int
    mistakes: tuple[MistakesInTree, ...]


def nodes_in(tree: Taxonomy, proposal: Proposal, at: str = "") -> IntArray:
    """Node of each class of a proposal in a given tree, by name.

    Raises:
        InputError: A class is not a leaf of the tree, or ambiguous.
    """
    own = class_list(tree)  # leaves of equal names have the names that they have in a proposal
    leaf = dict(zip(own.names, tree.leaf_nodes[own.given].tolist(), strict=True))
    found = [
        [leaf[name]] if name in leaf else [v for v in tree.matches(name) if tree.is_leaf[v]]
        for name in proposal.classes
    ]
    wrong = [name for name, nodes in zip(proposal.classes, found, strict=True) if len(nodes) != 1]
    if wrong:
        raise InputError(
            "a tree that has each class as one leaf", f"{len(wrong)} that it has not: {some(wrong)}", at=at
        )
    return np.array([nodes[0] for nodes in found], dtype=np.int64)


def agreement_with(proposal: Proposal, tree: Taxonomy, nodes: IntArray, *, seed: int = 0) -> TreeAgreement:
    """Agreement of a proposal with a given tree; see :func:`cladewise.statistics.tree_agreement`."""
    return tree_agreement(proposal.taxonomy, tree, proposal.nodes, nodes, seed=seed)


def random_agreement(proposal: Proposal, tree: Taxonomy, nodes: IntArray, *, seed: int = 0) -> TreeAgreement:
    """The same agreement for the proposal with its classes permuted, as a yardstick."""
    drawn = np.random.default_rng(seed).permutation(proposal.nodes)
    return tree_agreement(proposal.taxonomy, tree, drawn, nodes, seed=seed)


def mistakes_in(tree: Taxonomy, answers: IntArray, labels: IntArray, nodes: IntArray, name: str) -> MistakesInTree:
    """Severity and accuracy of answers in a tree.

    Args:
        tree: The tree.
        answers: Class of each answer.
        labels: Class of each label.
        nodes: Node of each class in the tree.
        name: Name of the tree.

    Example:
        >>> t = Taxonomy.from_paths([("x", "p"), ("x", "q"), ("y", "r")])
        >>> found = mistakes_in(t, np.array([0, 1, 2]), np.array([0, 0, 0]), t.leaf_nodes, "t")
        >>> found.severity, found.accuracy["level_1"]
        (1.5, 0.6666666666666666)
    """
    given, true = nodes[answers], nodes[labels]
    accuracy: dict[str, float] = {}
    for level, level_name in enumerate(tree.level_names, start=1):
        at = tree.at_level(level)
        accuracy[level_name] = float((at[given] == at[true]).mean()) if given.size else np.nan
    wrong = answers != labels
    heights = [_severity(tree, nodes, answers[wrong], labels[wrong])]
    for seed in range(RANDOM_TREES):
        shuffled = random_hierarchy(tree, seed)
        moved = np.zeros(tree.num_nodes, dtype=np.int64)
        moved[shuffled.origin] = np.arange(tree.num_nodes)
        heights.append(_severity(shuffled.own, moved[nodes], answers[wrong], labels[wrong]))
    return MistakesInTree(name, heights[0], float(np.mean(heights[1:])), accuracy)


def _severity(tree: Taxonomy, nodes: IntArray, answers: IntArray, labels: IntArray) -> float:
    return float(tree.height[tree.lca(nodes[answers], nodes[labels])].mean()) if answers.size else np.nan


def train_on(
    proposal: Proposal,
    run: Run,
    out: str | PathLike[str],
    *,
    split: str = "test",
    trees: Mapping[str, tuple[Taxonomy, IntArray]] | None = None,
    epochs: int = 30,
    seed: int = 0,
    progress: bool = True,
) -> list[TrainedOn]:
    """Train a flat softmax and HACE on frozen features with a proposed tree, and evaluate both.

    Writes ``classes.csv`` (the tree), ``images.csv`` (a manifest with the labels) and a run folder per method.

    Args:
        proposal: The tree, over the classes of the run.
        run: The run that gives images and encoder.
        out: Folder to write.
        split: Split to evaluate on.
        trees: Further trees to score the answers in, each with the node of every class.
        epochs: Epochs of training.
        seed: Seed of training.
        progress: Show progress bars.

    Raises:
        InputError: The classes are not those of the run, or the data cannot be read.
    """
    import cladewise as cw
    from cladewise.datasets import from_manifest
    from cladewise.induction.run_evidence import answers_of

    if len(proposal.classes) != run.taxonomy.num_leaves:
        raise InputError("a proposal over the classes of the run", f"{len(proposal.classes)} classes", at=str(run.path))
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    proposal.taxonomy.write(folder / "classes.csv")
    _write_manifest(proposal, run, folder / "images.csv")
    dataset = from_manifest(folder / "images.csv", folder / "classes.csv")
    nodes = dataset.taxonomy.find([proposal.taxonomy.path_names(int(v)) for v in proposal.nodes])
    scored = {"proposed": (dataset.taxonomy, nodes), **(trees or {})}
    backbone = dataclasses.asdict(run.config.backbone)
    chosen = {key: value for key, value in backbone.items() if key not in ("name", "freeze", "views")}
    done: list[TrainedOn] = []
    for method in METHODS:
        trained = cw.train(
            dataset,
            method=method,
            backbone=run.config.backbone.name,
            freeze=True,
            out=folder / method,
            epochs=epochs,
            seed=seed,
            tell=False,
            overwrite=True,
            progress=progress,
            **chosen,
        )
        answers, labels = answers_of(trained, split, progress=progress)
        class_at = np.zeros(dataset.taxonomy.num_leaves, dtype=np.int64)
        class_at[dataset.taxonomy.leaf_start[nodes]] = np.arange(nodes.size)
        answers, labels = class_at[answers], class_at[labels]
        found = tuple(mistakes_in(tree, answers, labels, at, name) for name, (tree, at) in scored.items())
        done.append(TrainedOn(method, labels.size, found))
    return done


def _write_manifest(proposal: Proposal, run: Run, file: Path) -> None:
    """Paths, labels in the proposed tree and splits of the run's images that are labelled with a leaf."""
    dataset, taxonomy = run.dataset, run.taxonomy
    split_of = np.full(len(dataset), "", dtype=object)
    for name, images in dataset.splits.items():
        split_of[images] = name
    kept = np.flatnonzero(taxonomy.is_leaf[dataset.nodes] & (split_of != ""))
    nodes = proposal.nodes[taxonomy.leaf_start[dataset.nodes[kept]]]
    paths = path_texts(proposal.taxonomy).tolist()
    table = pl.DataFrame(
        {
            "path": [str(dataset.root / str(dataset.paths[image])) for image in kept.tolist()],
            "label": [paths[node] for node in nodes.tolist()],
            "split": [str(name) for name in split_of[kept].tolist()],
        }
    )
    write_bytes(file, table.write_csv().encode())
