"""A run as data: its folder, configuration, label trees and weights, read when they are first needed."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from os import PathLike
from pathlib import Path

from cladewise import datasets, methods
from cladewise.backbones import Backbone
from cladewise.datasets import Dataset
from cladewise.datasets.relabelling import relabelled_by
from cladewise.decisions import Decision, Majority
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.classifier import Classifier
from cladewise.engine.digests import file_hash, is_gone, training_digest
from cladewise.engine.network import read_header, trained_network
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.methods import Method
from cladewise.records import RunConfig, RunFolder, Tree, check_tree, local_run_folder, read_config
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration
from cladewise.taxonomy.carry_over import CarryOver

_OF_DATA = ("dataset", "dataset_if_there", "digests", "before_migration")
"""Attributes of a run that hold what was read of its data."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder and what is in it. Functions such as :func:`evaluate` and :func:`predict` take it.

    A run is a trained network with its data, or, made by :func:`cladewise.decide`, scores that another tool made. The
    latter has no network: its attributes :attr:`method`, :attr:`dataset`, :attr:`backbone` and :attr:`classifier` are
    errors.

    Args:
        path: The folder.
    """

    path: Path

    def __fspath__(self) -> str:
        """The folder, so that a run can be given wherever a path can."""
        return str(self.path)

    @classmethod
    def open(cls, path: str | PathLike[str] | Run) -> Run:
        """Open the folder of a finished run, or a run on the Hugging Face Hub.

        Args:
            path: A run folder, or ``hf://user/name`` or ``hf://user/name@revision``, which is fetched
                (:func:`~cladewise.records.local_run_folder`).

        Raises:
            InputError: It is not a run folder, training has not finished, or it cannot be fetched.
        """
        if isinstance(path, Run):
            return path
        run = cls(local_run_folder(path))
        run.folder.check_trained()
        return run

    @property
    def folder(self) -> RunFolder:
        """Paths of everything in the folder."""
        return RunFolder(self.path)

    @cached_property
    def config(self) -> RunConfig:
        """The resolved configuration."""
        return read_config(self.folder.config)

    @property
    def has_network(self) -> bool:
        """Whether the run has a network; otherwise it has scores that another tool made."""
        return self.config.scores is None

    def check_network(self) -> None:
        """Check that the run has a network.

        Raises:
            InputError: It has only scores that another tool made.
        """
        if not self.has_network:
            self.folder.check_network()

    @cached_property
    def header(self) -> dict[str, str]:
        """Metadata of the file of weights; early versions wrote less of it, and a run without a network has none."""
        return read_header(self.folder.model) if self.has_network else {}

    @cached_property
    def model_hash(self) -> str:
        """Hash of the weights, or digest of the scores; results computed with them are valid for these only."""
        scores = self.config.scores
        return file_hash(self.folder.model) if scores is None else scores.digest

    @cached_property
    def alteration(self) -> Alteration:
        """The true label tree, and the one that the network was trained with.

        Raises:
            InputError: The tree in the folder is not the one that the weights were trained with.
        """
        found = Alteration.read(self.folder.taxonomy, self.folder.true_taxonomy)
        trained_for = self.header.get("tree", found.fingerprint) if self.folder.model.is_file() else found.fingerprint
        if found.fingerprint != trained_for:
            files = [file.name for file in (self.folder.taxonomy, self.folder.true_taxonomy) if file.is_file()]
            raise InputError(
                "the label tree that the weights were trained with",
                f"a different one in {' or '.join(files)}",
                at=str(self.path),
                advice="Restore the original tree, or retrain; otherwise its classes would get wrong names.",
            )
        return found

    @cached_property
    def carried(self) -> CarryOver | None:
        """The map from the tree that the network was trained to answer in to that of a migration; ``None`` without one.

        Raises:
            InputError: The files of the migration are damaged.
        """
        if not self.folder.carried_answers.is_file():
            return None
        after = Taxonomy.read(self.folder.new_taxonomy)
        return CarryOver.read(self.folder.carried_answers, self.alteration.true, after)

    @cached_property
    def relabelling(self) -> CarryOver | None:
        """The map from the tree of the data's labels to the one that the network was trained with, if they differ.

        Raises:
            InputError: The files of the migration are damaged.
        """
        if not self.folder.carried_labels.is_file():
            return None
        before = Taxonomy.read(self.folder.labelled_taxonomy)
        return CarryOver.read(self.folder.carried_labels, before, self.alteration.true)

    def answering_in(self, carried: CarryOver) -> Run:
        """The same run, answering in a new tree: its answers and labels are translated by a map from its present tree.

        Nothing is written but what using a run writes into its folder anyway.

        Raises:
            InputError: The map is from another tree.
        """
        whole = carried if self.carried is None else self.carried.then(carried)
        if whole.before != self.alteration.true:
            raise InputError(f"a map from {self.taxonomy}", f"one from {whole.before}", at=str(self.path))
        return self._carried_by(whole)

    @cached_property
    def before_migration(self) -> Run:
        """The same run, answering in the tree that its network was trained to answer in, with labels in that tree."""
        return self if self.carried is None else self._carried_by(None)

    def check_not_carried(self) -> None:
        """Check that the run answers in the tree of its network, for whatever looks into the network.

        Raises:
            InputError: It was carried over to another tree.
        """
        if self.carried is not None:
            raise InputError(
                "a run that answers in the tree of its network",
                "one that was carried over to another tree",
                at=str(self.path),
                advice="Give the run that it was migrated from, or fit its head again: cladewise migrate --refit.",
            )

    def _carried_by(self, carried: CarryOver | None) -> Run:
        again = self._without(_OF_DATA)
        vars(again)["carried"] = carried
        return again

    def _without(self, names: tuple[str, ...]) -> Run:
        """The same run, keeping all that was read of it but some."""
        again = Run(self.path)
        vars(again).update({name: value for name, value in vars(self).items() if name not in names})
        return again

    @property
    def taxonomy(self) -> Taxonomy:
        """The label tree in which the run answers: the true one, or that of a migration."""
        return self.alteration.true if self.carried is None else self.carried.after

    @property
    def own_taxonomy(self) -> Taxonomy:
        """The tree that the network was trained with; different from the true one after an ablation."""
        return self.alteration.own

    def answer_tree(self, tree: Tree = "true") -> AnswerTree:
        """The tree to answer and score in.

        Raises:
            InputError: ``tree`` is neither ``"true"`` nor ``"own"``, or it is ``"own"`` and the run was migrated.
        """
        check_tree(tree)
        if tree == "own" and self.carried is not None:
            advice = "Score the run that was migrated in its own tree."
            raise InputError("tree true for a migrated run", "own", at=str(self.path), advice=advice)
        return AnswerTree(self.alteration, "true" if self.alteration.is_none else tree, self.carried)

    @cached_property
    def method(self) -> Method:
        """The method with its hyper-parameters.

        Raises:
            InputError: The run has no network.
        """
        self.check_network()
        return methods.recorded(self.config.method, self.config.options)

    @property
    def inference(self) -> Inference | None:
        """The inference of its method; none for scores that another tool made."""
        return self.method.inference() if self.has_network else None

    @property
    def decision(self) -> Decision:
        """The decision of its method; the majority for scores that another tool made."""
        return self.method.decision() if self.has_network else Majority()

    @cached_property
    def dataset(self) -> Dataset:
        """The data that the run was trained on, as it is now, with labels in the tree that the run answers in.

        Raises:
            InputError: It cannot be opened, or the run has no network.
        """
        self.check_network()
        if self.carried is not None:
            return relabelled_by(self.carried, self.before_migration.dataset)
        data = self._own_data()
        return data if self.relabelling is None else relabelled_by(self.relabelling, data)

    def _own_data(self) -> Dataset:
        if not self.config.data:
            raise InputError(
                "a run with images",
                "one that was made without any",
                at=str(self.path),
                advice="It can predict. To evaluate it or to fit rules, give zero-shot images with labels as its data.",
            )
        try:
            return configured_data(self.config, self.labelled_taxonomy)
        except (InputError, OSError) as error:
            place = str(self.config.data.get("path", ""))
            if not place or Path(place).is_absolute() or not is_gone(self.config.data, error):
                raise
            advice = f"Runs are shared without their data: put it at {place} in the working folder."
            raise InputError("the data of the run", "none", at=str(Path(place).absolute()), advice=advice) from error

    @property
    def labelled_taxonomy(self) -> Taxonomy:
        """The tree of the labels in the data: with the classes that were held out of training, if some were."""
        if self.relabelling is not None:
            return self.relabelling.before
        whole = self.folder.whole_taxonomy
        return Taxonomy.read(whole) if whole.is_file() else self.alteration.true

    @cached_property
    def dataset_if_there(self) -> Dataset | None:
        """The data, or ``None`` if it no longer exists or the run has no network.

        Raises:
            InputError: It exists but cannot be read as before.
        """
        if not self.has_network:
            return None
        try:
            return self.dataset
        except (InputError, OSError) as error:
            if not is_gone(self.config.data, error):
                raise
            return None

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the images and labels of splits that have been computed so far."""
        return {}

    def is_trained_on_other(self, dataset: Dataset) -> bool:
        """Whether images or labels have changed since training; false for early runs, which did not record this."""
        trained_on, training = self.header.get("data", ""), self.config.training
        return bool(trained_on) and trained_on != training_digest(dataset, training.train_split, training.val_split)

    def reopened(self) -> Run:
        """The same run, keeping what was read from its folder but not what was read from its data."""
        return self._without(_OF_DATA)

    @property
    def backbone(self) -> Backbone:
        """The image encoder, with the run's weights if it was trained end to end; the first of several towers."""
        return self._network[1]

    @property
    def classifier(self) -> Classifier:
        """The trained network in evaluation mode; its input is images, or features of a frozen backbone."""
        return self._network[0]

    @cached_property
    def _network(self) -> tuple[Classifier, Backbone]:
        self.check_network()
        return trained_network(self.folder.model, self.config, self.method, self.own_taxonomy)


def configured_data(config: RunConfig, taxonomy: Taxonomy | None) -> Dataset:
    """The data of a configuration.

    Args:
        config: The configuration.
        taxonomy: The label tree; needed if the data has no file of it.

    Raises:
        InputError: The data cannot be opened.
    """
    if "fingerprint" not in config.data:
        return datasets.open(config.data)
    if taxonomy is None:
        raise InputError(
            "the taxonomy of the data", "a configuration alone", advice="Give config.toml in its run folder."
        )
    return datasets.open(config.data, taxonomy=taxonomy)
