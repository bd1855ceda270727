"""Fitting a run: a configuration and its data to a finished run folder."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import lightning
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise import methods
from cladewise.atomic import write_bytes
from cladewise.backbones import Backbone
from cladewise.datasets import Dataset
from cladewise.engine.ablation import altered_tree, in_own_tree, relabelled
from cladewise.engine.classifier import FeatureScaling
from cladewise.engine.devices import preferred_device
from cladewise.engine.digests import training_digest
from cladewise.engine.feeding.images import Batch
from cladewise.engine.feeding.rows import DecodedRows, FeatureRows, rows_of
from cladewise.engine.feeding.sampling import EpochSampler, class_weights
from cladewise.engine.network import build_network, finished_state
from cladewise.engine.processes import is_first_process, rank
from cladewise.engine.rules import handle_of
from cladewise.engine.run import Run, configured_data
from cladewise.engine.training.checkpoints import Origin, WholeCheckpoints
from cladewise.engine.training.earlier import check_same
from cladewise.engine.training.locking import training_lock
from cladewise.engine.training.loggers import facts_of, logging_to
from cladewise.engine.training.metering import Meter
from cladewise.engine.training.module import Fitting
from cladewise.engine.training.telling import tell_of, tell_of_adapters
from cladewise.engine.training.trainer import Loaders, make_trainer, run_trainer
from cladewise.errors import InputError, warn
from cladewise.methods import Method
from cladewise.records import (
    NO_SPLIT,
    AblationConfig,
    RunConfig,
    RunFolder,
    TrainingConfig,
    counts,
    log,
)
from cladewise.records.clearing import check_clearable, clear
from cladewise.records.loggers import check_loggers
from cladewise.taxonomy.alteration import Alteration
from cladewise.tensor_files import reproducible
from cladewise.version import __version__


def fit(
    config: RunConfig,
    out: Path,
    *,
    dataset: Dataset | None = None,
    method: Method | None = None,
    reuse: bool = False,
    overwrite: bool = False,
    tell: bool = True,
    logger: Sequence[str] = (),
    progress: bool = True,
) -> Run:
    """Train a run from its resolved configuration, as :func:`train` makes it or a run folder keeps it.

    Args:
        config: The configuration.
        out: Folder of the run.
        dataset: The data, if it is open already.
        method: The method, if it is made already.
        reuse: See :func:`train`.
        overwrite: See :func:`train`.
        tell: See :func:`train`.
        logger: See :func:`train`.
        progress: See :func:`train`.

    Raises:
        InputError: ``out`` holds a finished run, or a run with another configuration; or there is no such logger.
        MissingExtraError: The package of a logger is not installed.
    """
    folder, loggers = RunFolder(out), check_loggers(logger)
    if overwrite:
        check_clearable(folder)
    if reuse and not overwrite and folder.model.is_file() and is_first_process():
        return _finished(folder, config, dataset)
    with training_lock(folder, wait=reuse):
        if reuse and not overwrite and folder.model.is_file() and is_first_process():  # by the one we waited for
            return _finished(folder, config, dataset)
        return _fit(
            config,
            folder,
            dataset=dataset,
            method=method,
            overwrite=overwrite,
            tell=tell,
            loggers=loggers,
            progress=progress,
        )


def _fit(
    config: RunConfig,
    folder: RunFolder,
    *,
    dataset: Dataset | None,
    method: Method | None,
    overwrite: bool,
    tell: bool,
    loggers: Sequence[str],
    progress: bool,
) -> Run:
    if not overwrite:
        check_same(folder, config)
        if folder.model.is_file() and is_first_process():
            raise InputError(
                "a run that is not finished",
                "one that is already trained",
                at=str(folder.path),
                advice="Give overwrite=True to retrain, or choose another folder with out=.",
            )
    meter = Meter(folder.resources, every=config.training.checkpoint_seconds, anew=overwrite)
    dataset = dataset or configured_data(config, None)
    method = method or methods.recorded(config.method, config.options)
    _check_splits(config.training, dataset)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    # every mistake in the settings is found here, before anything is written
    change = altered_tree(dataset.taxonomy, config)
    named = relabelled(dataset, config)
    known = in_own_tree(named, change)
    if config.training.epochs == 0:
        method.check_untrained(config.backbone.name)
    classifier, backbone = build_network(config, method, known.taxonomy)
    trained_on = training_digest(dataset, config.training.train_split, config.training.val_split)
    checkpoints = WholeCheckpoints(Origin(config, change.fingerprint, trained_on))
    loss, trainer = method.loss(known.taxonomy), make_trainer(config, folder, meter, checkpoints, progress=progress)
    inference, decision = method.inference(), method.decision()
    if is_first_process():
        if overwrite:
            clear(folder)
        if tell:
            tell_of(dataset, config.training, method, known.taxonomy, shown=progress)
            tell_of_adapters(classifier, config.backbone.adapter_rank, shown=progress)
        if few := _few_views(config, method):
            warn(few, advice=_MORE_VIEWS)
        is_new = not folder.config.is_file()
        if folder.last_checkpoint.is_file() and not is_new:
            _check_same_tree(folder, change)
        else:  # there is no checkpoint, so changed data does no harm
            _begin(config, dataset, change, folder, inference=handle_of(inference), decision=handle_of(decision))
        if config.ablation != AblationConfig() and is_new:
            changed = int((named.nodes != dataset.nodes).sum())
            log.append(folder.log, "ablation", moved_leaves=change.num_moved, changed_labels=changed)
    with meter:
        views = method.views() if not config.backbone.freeze else min(method.views(), config.backbone.views)
        data = _Data(config, known, backbone, views=views, progress=progress)
        if is_first_process():
            skipped = (*dataset.skipped, *data.skipped)
            log.append_skipped(folder.log, [(image.path, image.reason) for image in skipped])
            _log_few_views(config, method, folder)
        if isinstance(classifier.encoder, FeatureScaling) and isinstance(data.rows, FeatureRows):
            classifier.encoder.fit(data.rows.vectors())
        if config.training.epochs > 0:
            classifier.head.begin(config.seed)
            fitting = Fitting(
                classifier,
                loss.for_labels(data.num_images()),
                method.watched(),
                known.taxonomy,
                config.training,
                steps=config.training.epochs * math.ceil(len(data.loaders[0]) / config.training.accumulate),
                seed=config.seed,
                log_path=folder.log,
                node_weights=data.node_weights(),
                views=views,
                objective=method.objective(known.taxonomy, data.trained_nodes()),
                momentum=method.momentum(),
                plain=data.plain,
            )
            facts, done = facts_of(known.taxonomy, data.num_images()), checkpoints.steps_in(folder.last_checkpoint)
            with logging_to(loggers, config, folder, facts, step=done) as trainer.loggers:
                run_trainer(trainer, fitting, data.loaders, folder, checkpoints)
    if is_first_process():
        weights = {k: v.contiguous() for k, v in finished_state(classifier, config).items()}
        about = {
            "encoder": backbone.fingerprint if config.backbone.freeze else "",
            "tree": change.fingerprint,
            "data": trained_on,
        }
        write_bytes(folder.model, reproducible(safetensors.torch.save(weights, metadata=about)))
    return Run(folder.path)


def _check_same_tree(folder: RunFolder, change: Alteration) -> None:
    """Check that the label tree is the one that the run in the folder began with."""
    before = Alteration.read(folder.taxonomy, folder.true_taxonomy)
    if before.fingerprint != change.fingerprint:
        raise InputError(
            "the label tree of the run to resume",
            f"{change.own}, but the folder contains {before.own}",
            at=str(folder.taxonomy),
            advice="Restore the original tree, or remove the folder to train from scratch.",
        )


def _finished(folder: RunFolder, config: RunConfig, dataset: Dataset | None) -> Run:
    """The finished run in a folder, checked to have this configuration and data."""
    check_same(folder, config)
    run = Run(folder.path)
    if dataset is not None and run.is_trained_on_other(dataset):
        raise InputError(
            "a run trained on these images and labels",
            "one trained before they changed",
            at=str(folder.path),
            advice="Give overwrite=True to retrain, or restore the data.",
        )
    return run


def _check_splits(wanted: TrainingConfig, dataset: Dataset) -> None:
    if dataset.indices(wanted.train_split).size == 0:
        raise InputError("images to train on", f"an empty split {wanted.train_split!r}", at=dataset.name)
    optional = wanted.val_split in ("val", NO_SPLIT) and not wanted.early_stop
    if not optional and dataset.indices(wanted.val_split).size == 0:
        raise InputError("images to validate on", f"an empty split {wanted.val_split!r}", at=dataset.name)


def _begin(config: RunConfig, dataset: Dataset, change: Alteration, folder: RunFolder, **rules: str) -> None:
    """Write the configuration, label trees and counts of a new run, and the handles of the method's own rules."""
    change.write(folder.taxonomy, folder.true_taxonomy)
    if dataset.held_out_classes is not None:
        dataset.held_out_classes.taxonomy.write(folder.whole_taxonomy)
    counts.write_counts(folder.counts, {split: dataset.nodes[rows] for split, rows in dataset.splits.items()})
    images = {"name": dataset.name, "root": str(dataset.root), "credit": dataset.credit}
    config.write(folder.config, cladewise=__version__, **rules, images=images)


_MORE_VIEWS = "Cache more: views=8."


def _few_views(config: RunConfig, method: Method) -> str:
    """Warning if fewer views of frozen features are cached than the method compares; empty if there are enough."""
    wanted, cached = method.views(), config.backbone.views
    if not config.backbone.freeze or wanted <= cached or config.training.epochs == 0:
        return ""
    if cached > 1:
        return f"{method.name} compares {wanted} views of an image, and {cached} of frozen features are cached"
    return (
        f"{method.name} compares {wanted} views of an image, and 1 of frozen features is cached, so that different "
        "images alone are compared"
    )


def _log_few_views(config: RunConfig, method: Method, folder: RunFolder) -> None:
    few = _few_views(config, method)
    text = f"{few}. {_MORE_VIEWS}"
    if few and text not in {event.get("text") for event in log.read(folder.log)}:
        log.append(folder.log, "warning", text=text)


class _Data:
    """Training and validation rows of this process, and their loaders."""

    def __init__(self, config: RunConfig, dataset: Dataset, backbone: Backbone, *, views: int, progress: bool) -> None:
        wanted = config.training
        device, world = preferred_device(wanted.accelerator), wanted.devices * wanted.num_nodes
        self.taxonomy, self.balance = dataset.taxonomy, wanted.balance

        def rows(split: str, *, train: bool) -> FeatureRows | DecodedRows:
            return rows_of(
                config,
                dataset,
                split,
                backbone,
                train=train,
                device=device,
                progress=progress,
                views=views if train else 1,
            )

        self.rows = rows(wanted.train_split, train=True)
        if len(self.rows) == 0:
            raise InputError(
                "images to train on", "none that can be read", at=f"{wanted.train_split} of {dataset.name}"
            )
        self.num_images_of_data = len(dataset)
        self._plain = functools.cache(lambda: rows(wanted.train_split, train=False))
        self._batches = {"batch_size": wanted.batch_size, "workers": wanted.workers}
        self.weights = class_weights(self.rows.nodes, dataset.taxonomy)
        order = EpochSampler(
            self.rows,
            seed=config.seed,
            weights=self.weights if wanted.balance == "sample" else None,
            rank=rank(),
            world_size=world,
        )
        loader = self.rows.loader(order, batch_size=wanted.batch_size, workers=wanted.workers)
        self.skipped, watching = self.rows.skipped, None
        if wanted.val_split in dataset.splits and dataset.indices(wanted.val_split).size:
            watched = rows(wanted.val_split, train=False)
            share = range(rank(), len(watched), world)  # no row is repeated, so that metrics are exact
            watching = watched.loader(share, batch_size=wanted.batch_size, workers=wanted.workers)
            self.skipped += watched.skipped
        self.loaders: Loaders = (loader, watching)

    def plain(self) -> Iterable[Batch]:
        """All training images in order, without augmentation."""
        return self._plain().loader(range(len(self._plain())), **self._batches)

    def trained_nodes(self) -> NDArray[np.int64]:
        """Label of each image of the dataset; -1 if it is not trained on."""
        nodes = np.full(self.num_images_of_data, -1, dtype=np.int64)
        nodes[self.rows.indices] = self.rows.nodes
        return nodes

    def num_images(self) -> Tensor:
        """Number of training images per node."""
        return torch.from_numpy(self.rows.nodes).bincount(minlength=self.taxonomy.num_nodes)

    def node_weights(self) -> Tensor | None:
        """Weight of an image by its node, if the loss is balanced."""
        if self.balance != "weight":
            return None
        weights = torch.zeros(self.taxonomy.num_nodes)
        weights[torch.from_numpy(self.rows.nodes)] = torch.from_numpy(self.weights).float()
        return weights
