"""A trained run: a folder and what it holds."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from os import PathLike
from pathlib import Path

import safetensors.torch
import torch
from jaxtyping import Int
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cladewise import backbones, datasets, methods
from cladewise.datasets import Dataset
from cladewise.decisions import Decision
from cladewise.engine.ablation import changes_labels, relabelled
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.engine.digests import is_gone, training_digest
from cladewise.engine.predicting import Predicted, predict
from cladewise.engine.scoring import Scored, file_hash
from cladewise.engine.terms import Terms
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.methods import Method
from cladewise.records import RunConfig, RunFolder, Tree, check_tree, read_config
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder with its configuration and taxonomy; the weights are read when they are needed.

    Args:
        path: The folder.
    """

    path: Path

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Run:
        """Open a folder that training has finished.

        Raises:
            InputError: It is no run folder, or training did not finish.
        """
        run = cls(Path(path))
        if not run.folder.config.is_file():
            raise InputError("a run folder", "no config.toml there", at=str(path), advice="Make one: cladewise train.")
        if not run.folder.model.is_file():
            raise InputError(
                "a finished run",
                "no model.safetensors",
                at=str(path),
                advice="Resume it: give the train command again.",
            )
        return run

    @property
    def folder(self) -> RunFolder:
        """Where everything of the run lies."""
        return RunFolder(self.path)

    @cached_property
    def config(self) -> RunConfig:
        """The resolved configuration."""
        return read_config(self.folder.config)

    @cached_property
    def header(self) -> dict[str, str]:
        """Metadata of the file of weights; runs of earlier versions have less."""
        return _read_header(self.folder.model)

    @cached_property
    def alteration(self) -> Alteration:
        """The label tree as it is, and as the network knows it.

        Raises:
            InputError: It is not the one that the weights were trained for.
        """
        found = Alteration.read(self.folder.taxonomy, self.folder.true_taxonomy)
        trained_for = self.header.get("tree", found.fingerprint) if self.folder.model.is_file() else found.fingerprint
        if found.fingerprint != trained_for:
            files = [file.name for file in (self.folder.taxonomy, self.folder.true_taxonomy) if file.is_file()]
            raise InputError(
                "the label tree that the weights were trained for",
                f"another in {' or '.join(files)}",
                at=str(self.path),
                advice="Bring back what was there, or train again: its classes would get other names.",
            )
        return found

    @property
    def taxonomy(self) -> Taxonomy:
        """The label tree, in which the run answers."""
        return self.alteration.true

    @property
    def own_taxonomy(self) -> Taxonomy:
        """The tree that the network knows: another one where it was altered on purpose."""
        return self.alteration.own

    def terms(self, tree: Tree = "true") -> Terms:
        """How to answer in the true tree, or in the network's own where that is another.

        Raises:
            InputError: There is no such tree.
        """
        check_tree(tree)
        return Terms(self.alteration, "true" if self.alteration.is_none else tree)

    @cached_property
    def model_hash(self) -> str:
        """Hash of the weights: what was computed with them holds for these alone."""
        return file_hash(self.folder.model)

    @cached_property
    def method(self) -> Method:
        """The method with its hyper-parameters."""
        return methods.make(self.config.method, **self.config.options)

    @cached_property
    def dataset(self) -> Dataset:
        """The data that the run was made with, opened anew."""
        return open_data(self.config, self.taxonomy)

    @cached_property
    def dataset_if_there(self) -> Dataset | None:
        """The data, or None where it is no longer there.

        Raises:
            InputError: It is there, and cannot be read as it was.
        """
        try:
            return self.dataset
        except (InputError, OSError) as error:
            if not is_gone(self.config.data, error):
                raise
            return None

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the images and labels of splits, as far as they were needed."""
        return {}

    def is_trained_on_other(self, dataset: Dataset) -> bool:
        """Whether images or labels were changed since training; of runs of earlier versions that is not known."""
        trained_on, training = self.header.get("data", ""), self.config.training
        return bool(trained_on) and trained_on != training_digest(dataset, training.train_split, training.val_split)

    def reopened(self) -> Run:
        """The same run, with what was read of its folder, and without what was read of its data."""
        again = Run(self.path)
        of_data = ("dataset", "dataset_if_there", "digests")
        vars(again).update({name: value for name, value in vars(self).items() if name not in of_data})
        return again

    def known_target(self, seen: Scored) -> Int[Tensor, " image"]:
        """Labels of scored images as the run got to know them, in the true tree: wrong where they were made so."""
        if not changes_labels(self.config):
            return seen.target
        return torch.from_numpy(relabelled(self.dataset, self.config).nodes)[seen.index]

    @cached_property
    def backbone(self) -> backbones.Backbone:
        """The image encoder, with the run's weights where it was trained end to end; the first where there are more."""
        return self._network[1]

    @cached_property
    def classifier(self) -> Classifier:
        """The trained network, in evaluation mode: of images end to end, of features where the backbone is frozen."""
        return self._network[0]

    @cached_property
    def _network(self) -> tuple[Classifier, backbones.Backbone]:
        classifier, backbone = build(self.config, self.method, self.own_taxonomy)
        weights, trained_on = _read_weights(self.folder.model)
        if trained_on and trained_on != backbone.fingerprint:
            raise InputError(
                f"the weights of {backbone.name} that the run was trained on",
                "others",
                at=str(self.path),
                advice="Install the version of the weights that was used, or train again.",
            )
        try:
            classifier.load_state_dict(weights)
        except RuntimeError:
            raise InputError(
                f"the weights of a {self.method.name} over {self.taxonomy}",
                "those of another network",
                at=str(self.folder.model),
                advice="Was config.toml or taxonomy.csv changed? Train again, or bring back what was there.",
            ) from None
        backbone.eval()
        return classifier.eval(), backbone

    def predict(
        self,
        paths: Sequence[str | PathLike[str]],
        *,
        inference: str | Inference | None = None,
        decision: str | Decision | None = None,
        progress: bool = True,
    ) -> Predicted:
        """Predict for image files. Row ``i`` of the result is input ``i``; broken files have an error in their row.

        Args:
            paths: The files.
            inference: A rule or its spec; the method's own by default, ``"none"`` for none.
            decision: A rule or its spec, for results that do not ask for another; the method's own by default. One that
                learns from scores is fitted before the images are read.
            progress: Show progress bars.

        Raises:
            InputError: ``paths`` is one path instead of a sequence of them, or there is no such rule.
        """
        return predict(self, paths, inference=inference, decision=decision, progress=progress)


def _read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """The weights of a model, and the fingerprint of the encoder whose features they were trained on."""
    with _reading(path):
        return safetensors.torch.load_file(path), _read_header(path).get("encoder", "")


def _read_header(path: Path) -> dict[str, str]:
    with _reading(path), safe_open(str(path), framework="pt") as file:  # type: ignore[no-untyped-call]
        return dict(file.metadata() or {})


@contextmanager
def _reading(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        advice = "Copy it anew, or remove it and give the train command again."
        raise InputError("a model in safetensors", str(error), at=str(path), advice=advice) from None


def open_data(config: RunConfig, taxonomy: Taxonomy | None) -> Dataset:
    """The data of a configuration; ``taxonomy`` is needed where the labels' tree has no file of its own."""
    if "fingerprint" not in config.data:
        return datasets.open(config.data)
    if taxonomy is None:
        raise InputError(
            "the taxonomy of the data", "a configuration alone", advice="Give config.toml in its run folder."
        )
    return datasets.open(config.data, taxonomy=taxonomy)


def build(config: RunConfig, method: Method, taxonomy: Taxonomy) -> tuple[Classifier, backbones.Backbone]:
    """A new network of a configuration, and its backbone: end to end a part of the network, the first of its towers."""
    wanted = config.backbone
    torch.manual_seed(config.seed)  # an encoder without published weights follows from the seed too
    load = functools.partial(
        backbones.load,
        wanted.name,
        pretrained=wanted.pretrained,
        image_size=wanted.image_size or None,
        crop_ratio=wanted.crop_ratio or None,
        checkpoint=wanted.checkpoint or None,
    )
    if wanted.freeze:
        backbone = load()
        head = method.head(taxonomy, backbone.num_features)
        return Classifier(head, scaling=FeatureScaling(wanted.scaling, backbone.num_features)), backbone
    towers = [load(pooling=method.pooling()) for _ in range(method.towers(taxonomy))]
    head = method.head(taxonomy, towers[0].num_features)
    return Classifier(head, towers=towers, chunk=config.training.chunk), towers[0]
