"""A trained run as data: its folder, configuration, label trees and weights, read when they are first needed."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from os import PathLike
from pathlib import Path

from cladewise import datasets, methods
from cladewise.backbones import Backbone
from cladewise.datasets import Dataset
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.classifier import Classifier
from cladewise.engine.digests import file_hash, is_gone, training_digest
from cladewise.engine.network import read_header, trained_network
from cladewise.errors import InputError
from cladewise.methods import Method
from cladewise.records import RunConfig, RunFolder, Tree, check_tree, read_config
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder and what is in it. Functions such as :func:`evaluate` and :func:`predict` take it.

    Args:
        path: The folder.
    """

    path: Path

    def __fspath__(self) -> str:
        """The folder, so that a run can be given wherever a path can."""
        return str(self.path)

    @classmethod
    def open(cls, path: str | PathLike[str] | Run) -> Run:
        """Open the folder of a finished run.

        Raises:
            InputError: It is not a run folder, or training has not finished.
        """
        if isinstance(path, Run):
            return path
        run = cls(Path(path))
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

    @cached_property
    def header(self) -> dict[str, str]:
        """Metadata of the file of weights; early versions wrote less of it."""
        return read_header(self.folder.model)

    @cached_property
    def model_hash(self) -> str:
        """Hash of the weights; results computed with them are valid for these weights only."""
        return file_hash(self.folder.model)

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

    @property
    def taxonomy(self) -> Taxonomy:
        """The true label tree, in which the run answers."""
        return self.alteration.true

    @property
    def own_taxonomy(self) -> Taxonomy:
        """The tree that the network was trained with; different from the true one after an ablation."""
        return self.alteration.own

    def answer_tree(self, tree: Tree = "true") -> AnswerTree:
        """The tree to answer and score in.

        Raises:
            InputError: ``tree`` is neither ``"true"`` nor ``"own"``.
        """
        check_tree(tree)
        return AnswerTree(self.alteration, "true" if self.alteration.is_none else tree)

    @cached_property
    def method(self) -> Method:
        """The method with its hyper-parameters."""
        return methods.make(self.config.method, **self.config.options)

    @cached_property
    def dataset(self) -> Dataset:
        """The data that the run was trained on, as it is now."""
        return configured_data(self.config, self.taxonomy)

    @cached_property
    def dataset_if_there(self) -> Dataset | None:
        """The data, or ``None`` if it no longer exists.

        Raises:
            InputError: It exists but cannot be read as before.
        """
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
        again = Run(self.path)
        of_data = ("dataset", "dataset_if_there", "digests")
        vars(again).update({name: value for name, value in vars(self).items() if name not in of_data})
        return again

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
