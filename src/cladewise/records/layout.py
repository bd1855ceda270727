"""The paths of everything in a run folder."""

from __future__ import annotations

import dataclasses
import glob
import tomllib
from pathlib import Path
from typing import Literal, get_args

from cladewise.errors import InputError

SCHEMA_VERSION = 1
SCORES = "scores"
"""Table of a configuration that only runs without a network have."""

Tree = Literal["true", "own"]
"""The tree in which a run is scored: the true one, or the altered one that its network was trained with."""
TREES: tuple[Tree, ...] = get_args(Tree)


def check_tree(tree: str) -> None:
    """Check the name of a tree.

    Raises:
        InputError: It is neither ``true`` nor ``own``.
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
        """Check that the folder holds a finished run, with a network or with scores that another tool made.

        Raises:
            InputError: It is not a run folder, or training has not finished.
        """
        if not self.config.is_file():
            advice = "Make one: cladewise train."
            raise InputError("a run folder", "no config.toml", at=str(self.path), advice=advice)
        if not self.model.is_file() and not _has_scores_alone(self.config):
            advice = "Repeat the train command to resume it."
            raise InputError("a finished run", "no model.safetensors", at=str(self.path), advice=advice)

    def check_network(self) -> None:
        """Check that the folder holds a finished run with a network.

        Raises:
            InputError: It does not, or has only scores that another tool made.
        """
        self.check_trained()
        if not self.model.is_file():
            raise InputError(
                "a run with a network",
                "one of scores that another tool made",
                at=str(self.path),
                advice="It can be evaluated and compared; for answers to other scores, use cladewise decide.",
            )

    @property
    def config(self) -> Path:
        """The resolved configuration, from which the run can be repeated."""
        return self.path / "config.toml"

    @property
    def taxonomy(self) -> Path:
        """The label tree that the network was trained with."""
        return self.path / "taxonomy.csv"

    @property
    def true_taxonomy(self) -> Path:
        """The true label tree; only there if the network was trained with an altered one."""
        return self.path / "true_taxonomy.csv"

    @property
    def whole_taxonomy(self) -> Path:
        """The label tree with the classes that were held out of training; only there if some were."""
        return self.path / "whole_taxonomy.csv"

    def tree(self, tree: Tree = "true") -> Path:
        """The file of the tree that the run answers in, or of the network's own tree."""
        if tree == "true" and self.new_taxonomy.is_file():
            return self.new_taxonomy
        altered = tree == "true" and self.true_taxonomy.is_file()
        return self.true_taxonomy if altered else self.taxonomy

    @property
    def migration(self) -> Path:
        """Folder of what a migration to another tree added; only there in a migrated run."""
        return self.path / "migration"

    @property
    def new_taxonomy(self) -> Path:
        """The tree that a migrated run answers in although its network was trained with another."""
        return self.migration / "taxonomy.csv"

    @property
    def carried_answers(self) -> Path:
        """Place in the new tree of each node of the tree that the network was trained to answer in."""
        return self.migration / "answers.csv"

    @property
    def labelled_taxonomy(self) -> Path:
        """The tree that the labels of the data are in, if it is not the one that the network was trained with."""
        return self.migration / "labelled_taxonomy.csv"

    @property
    def carried_labels(self) -> Path:
        """Place of each node of :attr:`labelled_taxonomy` in the tree that the network was trained with."""
        return self.migration / "labels.csv"

    @property
    def migration_report(self) -> Path:
        """Changes made by the migration, as numbers; ``report.md`` beside it is the text for people."""
        return self.migration / "report.json"

    @property
    def model(self) -> Path:
        """Weights of the trained model."""
        return self.path / "model.safetensors"

    @property
    def log(self) -> Path:
        """One JSON object per line: epochs, skipped images, warnings."""
        return self.path / "log.jsonl"

    @property
    def loggers(self) -> Path:
        """Folder of what experiment trackers keep on this machine; only there if training logged to one."""
        return self.path / "loggers"

    @property
    def logger_runs(self) -> Path:
        """Ids of the runs in experiment trackers, which a resumed training continues."""
        return self.loggers / "runs.json"

    @property
    def resources(self) -> Path:
        """Resources used by training: time, memory, parameters, images."""
        return self.path / "resources.json"

    @property
    def columns(self) -> Path:
        """Further columns of the rows, only in a run without a network: one row per row of its scores."""
        return self.path / "columns.parquet"

    def answers(self, inference: str, decision: str) -> Path:
        """Answers for every row, only in a run without a network."""
        return self.path / "answers" / f"{inference}-{decision}.parquet"

    @property
    def counts(self) -> Path:
        """Number of images per node and split, at the beginning of training."""
        return self.path / "counts.csv"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints, from which an interrupted run is resumed."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """The checkpoint to resume from."""
        return self.checkpoints / "last.ckpt"

    @property
    def lock(self) -> Path:
        """Locked by the process that trains the run; the file stays afterwards."""
        return self.path / ".lock"

    @property
    def lock_holder(self) -> Path:
        """The process that holds the lock."""
        return self.path / ".lock-holder"

    def scores(self, split: str) -> Path:
        """Scores of a split, to evaluate it again without the model."""
        return self.path / "scores" / f"{split}.safetensors"

    def predictions(self, split: str) -> Path:
        """One row per image: path, true node, the best nodes and their log-probabilities."""
        return self.path / "predictions" / f"{split}.parquet"

    def transitions(self, split: str) -> Path:
        """Mean transition matrices between levels over the images of a split, for heads that have them."""
        return self.path / "transitions" / f"{split}.safetensors"

    def fitted(self, split: str, rule: str, tree: Tree = "true") -> Path:
        """Parameters that a rule learnt from the scores of a split."""
        return self.path / "fitted" / _OF_TREE[tree] / f"{split}-{rule}.safetensors"

    def evaluations(self, tree: Tree = "true") -> Path:
        """Folder of the evaluations in a tree."""
        return self.path / "evaluations" / _OF_TREE[tree]

    def evaluation(self, split: str, inference: str, decision: str, tree: Tree = "true") -> Path:
        """An evaluation: metrics with their intervals."""
        return self.evaluations(tree) / f"{split}-{inference}-{decision}.json"

    def outcomes(self, split: str, inference: str, decision: str, tree: Tree = "true") -> Path:
        """Per-image values of an evaluation, of which the metrics are means."""
        return self.evaluation(split, inference, decision, tree).with_suffix(".parquet")

    @property
    def few_shot(self) -> Path:
        """Folder of few-shot results."""
        return self.path / "few_shot"

    def unknown(self, split: str) -> Path:
        """Result of the protocol of unknown classes on a split."""
        return self.path / "unknown" / f"{split}.json"

    def discovered(self, split: str) -> Path:
        """Folder of the classes discovered in the images of a split."""
        return self.path / "discovered" / split

    def audit(self, split: str) -> Path:
        """Folder of the audit of the labels of a split."""
        return self.path / "audit" / split

    @property
    def audit_folds(self) -> Path:
        """Folder of the heads that were fitted for audits."""
        return self.path / "audit" / "folds"

    def explanations(self, split: str) -> Path:
        """Index of the explanations of a split; the pictures are in the same folder."""
        return self.path / "explanations" / split / "index.json"

    def plates(self, kind: str, split: str) -> Path:
        """Index of the plates of one kind; their files are in the same folder."""
        return self.path / "plates" / kind / split / "index.json"

    def plates_of(self, split: str) -> list[Path]:
        """The indices of all plates of a split, ordered by kind."""
        return sorted(self.path.glob(f"plates/*/{glob.escape(split)}/index.json"))


_OF_TREE: dict[Tree, str] = {"true": "", "own": "own-tree"}
"""Subfolder for each tree; none for the true one."""


def _has_scores_alone(config: Path) -> bool:
    """Whether a configuration is that of a run without a network, of scores that another tool made."""
    try:
        return SCORES in tomllib.loads(config.read_text(encoding="utf-8-sig"))
    except ValueError:  # told by its reader
        return False
