"""The run folder: which file lies where."""

from __future__ import annotations

import dataclasses
import glob
from pathlib import Path
from typing import Literal, get_args

from cladewise.errors import InputError

SCHEMA_VERSION = 1

Tree = Literal["true", "own"]
"""In which tree a run is scored: the true one, or the one that its network knows where that was altered."""
TREES: tuple[Tree, ...] = get_args(Tree)


def check_tree(tree: str) -> None:
    """Refuse a word that stands for no tree.

    Raises:
        InputError: It does not.
    """
    if tree not in TREES:
        raise InputError(f"a tree to score in: {' or '.join(TREES)}", repr(tree))


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths inside one run folder.

    Example:
        >>> RunFolder(Path("runs/hace")).evaluation("test", "bottom-up", "leaf").as_posix()
        'runs/hace/evaluations/test-bottom-up-leaf.json'
    """

    path: Path

    def check_trained(self) -> None:
        """That the folder holds a finished run.

        Raises:
            InputError: It is not a run folder, or training has not finished.
        """
        if not self.config.is_file():
            advice = "Make one: cladewise train."
            raise InputError("a run folder", "no config.toml there", at=str(self.path), advice=advice)
        if not self.model.is_file():
            advice = "Repeat the train command to resume it."
            raise InputError("a finished run", "no model.safetensors", at=str(self.path), advice=advice)

    @property
    def config(self) -> Path:
        """Resolved configuration; reruns the run."""
        return self.path / "config.toml"

    @property
    def taxonomy(self) -> Path:
        """The label tree that the network knows."""
        return self.path / "taxonomy.csv"

    @property
    def true_taxonomy(self) -> Path:
        """The label tree as it is, where the network knows another; else there is no such file."""
        return self.path / "true_taxonomy.csv"

    def tree(self, tree: Tree = "true") -> Path:
        """The file of the true tree, or of the network's own."""
        altered = tree == "true" and self.true_taxonomy.is_file()
        return self.true_taxonomy if altered else self.taxonomy

    @property
    def model(self) -> Path:
        """Weights of the trained model."""
        return self.path / "model.safetensors"

    @property
    def log(self) -> Path:
        """One JSON object a line: epochs, skipped images, warnings."""
        return self.path / "log.jsonl"

    @property
    def resources(self) -> Path:
        """What training took: time, memory, parameters, images."""
        return self.path / "resources.json"

    @property
    def counts(self) -> Path:
        """Images of every node in every split of the data, when training began."""
        return self.path / "counts.csv"

    @property
    def checkpoints(self) -> Path:
        """State that a killed run resumes from."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """The checkpoint to go on from."""
        return self.checkpoints / "last.ckpt"

    @property
    def lock(self) -> Path:
        """Locked by the process that trains the run; it stays when that has ended."""
        return self.path / ".lock"

    @property
    def lock_holder(self) -> Path:
        """Which process that is."""
        return self.path / ".lock-holder"

    def scores(self, split: str) -> Path:
        """What is needed to evaluate again without the model."""
        return self.path / "scores" / f"{split}.safetensors"

    def predictions(self, split: str) -> Path:
        """One row an image: path, true node, the best nodes and their log-probabilities."""
        return self.path / "predictions" / f"{split}.parquet"

    def transitions(self, split: str) -> Path:
        """Mean transition matrices between levels over the images of a split, of a head that has them."""
        return self.path / "transitions" / f"{split}.safetensors"

    def fitted(self, split: str, rule: str, tree: Tree = "true") -> Path:
        """What a rule learnt from the scores of a split."""
        return self.path / "fitted" / _OF_TREE[tree] / f"{split}-{rule}.safetensors"

    def evaluations(self, tree: Tree = "true") -> Path:
        """Folder of the evaluations in a tree."""
        return self.path / "evaluations" / _OF_TREE[tree]

    def evaluation(self, split: str, inference: str, decision: str, tree: Tree = "true") -> Path:
        """Metrics with their intervals."""
        return self.evaluations(tree) / f"{split}-{inference}-{decision}.json"

    def outcomes(self, split: str, inference: str, decision: str, tree: Tree = "true") -> Path:
        """The per-image values that the metrics are means of."""
        return self.evaluation(split, inference, decision, tree).with_suffix(".parquet")

    @property
    def few_shot(self) -> Path:
        """Folder of few-shot results."""
        return self.path / "few_shot"

    def discovered(self, split: str) -> Path:
        """Folder of the classes that were found in the images of a split."""
        return self.path / "discovered" / split

    def explanations(self, split: str) -> Path:
        """Index of the pictures of what a model looked at, which lie beside it."""
        return self.path / "explanations" / split / "index.json"

    def plates(self, kind: str, split: str) -> Path:
        """Index of the pictures and tables of one kind, which lie beside it."""
        return self.path / "plates" / kind / split / "index.json"

    def plates_of(self, split: str) -> list[Path]:
        """Every such index of a split, by kind."""
        return sorted(self.path.glob(f"plates/*/{glob.escape(split)}/index.json"))


_OF_TREE: dict[Tree, str] = {"true": "", "own": "own-tree"}
"""Folders for what holds in one tree; in the true one there is none between."""
