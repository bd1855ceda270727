"""Training: a configuration and a data set to a run folder."""

from __future__ import annotations

import dataclasses
import logging
import math
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import lightning
import safetensors.torch
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

import cladewise
from cladewise import datasets, methods
from cladewise.backbones import Backbone
from cladewise.datasets import Dataset
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.engine.fitting import EpochCheckpoint, Fitting, StepBar
from cladewise.engine.predicting import preferred_device
from cladewise.engine.processes import is_first_process, rank
from cladewise.engine.rows import FeatureRows, rows_of
from cladewise.engine.run import Run, build, open_data
from cladewise.engine.sampling import EpochSampler, class_weights
from cladewise.errors import InputError
from cladewise.methods import Method
from cladewise.records import (
    MACHINE_SETTINGS,
    BackboneConfig,
    RunConfig,
    RunFolder,
    TrainingConfig,
    log,
    read_config,
    settings,
)
from cladewise.records.atomic import write_bytes
from cladewise.taxonomy import Taxonomy


def train(
    data: Dataset | str,
    *,
    method: str | Method = "hace",
    options: Mapping[str, Any] | None = None,
    backbone: str = "efficientnet_lite0",
    freeze: bool = False,
    out: str | PathLike[str],
    seed: int = 0,
    name: str = "",
    progress: bool = True,
    **chosen: Any,
) -> Run:
    """Train a method on a data set; an interrupted run goes on where it stopped.

    Args:
        data: A data set, or the name of one.
        method: A method, or the name of one: see ``cladewise list methods``.
        options: The method's hyper-parameters, where a name was given.
        backbone: A timm model's name, or the packaged ``efficientnet_lite0``.
        freeze: Train on features that are cached once, instead of end to end.
        out: Folder of the run.
        seed: Seed of everything random.
        name: Name in reports; the method's by default.
        progress: Show progress bars.
        chosen: Any other setting of ``[backbone]`` or ``[training]``: ``epochs=50, lr=0.01, image_size=160``.

    Raises:
        InputError: A setting is wrong, or ``out`` holds another run.
    """
    dataset = datasets.load(data) if isinstance(data, str) else data
    made = methods.make(method, **(options or {})) if isinstance(method, str) else method
    encoder_names = {f.name for f in dataclasses.fields(BackboneConfig)}
    encoder = {"name": backbone, "freeze": freeze, **{k: v for k, v in chosen.items() if k in encoder_names - {"name"}}}
    config = RunConfig(
        data=dataset.source,
        method=made.name,
        options=made.options(),
        backbone=settings(BackboneConfig, encoder),
        training=settings(TrainingConfig, {k: v for k, v in chosen.items() if k not in encoder_names}),
        seed=seed,
        name=name,
    )
    return fit(config, Path(out), dataset=dataset, method=made, progress=progress)


def fit(
    config: RunConfig,
    out: Path,
    *,
    dataset: Dataset | None = None,
    method: Method | None = None,
    progress: bool = True,
) -> Run:
    """Carry out a configuration, as :func:`train` resolves it or as a run folder keeps it.

    Raises:
        InputError: ``out`` holds a finished run, or another configuration's.
    """
    folder = RunFolder(out)
    _check_free(folder, config)
    dataset = dataset or open_data(config, None)
    method = method or methods.make(config.method, **config.options)
    rows = dataset.indices(config.training.train_split)
    if rows.size == 0:
        raise InputError("images to train on", f"an empty split {config.training.train_split!r}", at=dataset.name)
    _quiet()
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    if is_first_process() and not folder.config.is_file():
        dataset.taxonomy.write(folder.taxonomy)
        for skipped in dataset.skipped:
            log.append(folder.log, "skipped", path=skipped.path, reason=skipped.reason)
        images = {"name": dataset.name, "root": str(dataset.root), "credit": dataset.credit}
        config.write(folder.config, cladewise=cladewise.__version__, images=images)

    classifier, backbone = build(config, method, dataset.taxonomy)
    fitting, loaders = _prepare(config, dataset, method, classifier, backbone, folder, progress=progress)
    if config.training.epochs > 0:
        _run_trainer(config, fitting, loaders, folder, progress=progress)
    if is_first_process():
        weights = {k: v.contiguous() for k, v in classifier.state_dict().items()}
        about = {"encoder": backbone.fingerprint if config.backbone.freeze else ""}
        write_bytes(folder.model, safetensors.torch.save(weights, metadata=about))
    return Run(out)


def rerun(config: str | PathLike[str], out: str | PathLike[str], *, progress: bool = True) -> Run:
    """Carry out the ``config.toml`` of a run folder again, with the same result.

    Raises:
        InputError: The file is not a configuration, or ``out`` is not free.
    """
    path = Path(config)
    resolved, beside = read_config(path), RunFolder(path.parent).taxonomy
    dataset = open_data(resolved, Taxonomy.read(beside) if beside.is_file() else None)
    return fit(resolved, Path(out), dataset=dataset, progress=progress)


def _check_free(folder: RunFolder, config: RunConfig) -> None:
    if not folder.config.is_file():
        return
    before, after = read_config(folder.config).to_dict(), config.to_dict()
    for of_the_machine in MACHINE_SETTINGS:
        for content in (before, after):
            del content["training"][of_the_machine]
    if before != after:
        changed = ", ".join(_differences(before, after))
        raise InputError(
            f"{folder.path} to be free or to hold this very run",
            f"a run that differs in {changed}",
            advice="Choose another --out, or remove the folder.",
        )
    if folder.model.is_file() and is_first_process():
        raise InputError(
            "a run that is not finished", "a finished one", at=str(folder.path), advice="Choose another --out."
        )


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in [*before, *(k for k in after if k not in before)]:
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} ({old!r} there, {new!r} here)")
    return found


def _prepare(
    config: RunConfig,
    dataset: Dataset,
    method: Method,
    classifier: Classifier,
    backbone: Backbone,
    folder: RunFolder,
    *,
    progress: bool,
) -> tuple[Fitting, tuple[DataLoader[Any], DataLoader[Any] | None]]:
    """The module to fit and the loaders that feed it."""
    wanted = config.training
    world = wanted.devices * wanted.num_nodes
    device = preferred_device(wanted.accelerator)
    rows = rows_of(config, dataset, wanted.train_split, backbone, train=True, device=device, progress=progress)
    if len(rows) == 0:
        raise InputError("images to train on", "none that can be read", at=f"{wanted.train_split} of {dataset.name}")
    if isinstance(classifier.encoder, FeatureScaling) and isinstance(rows, FeatureRows):
        classifier.encoder.fit(rows.all())
    weights = class_weights(rows.nodes, dataset.taxonomy)
    sample = weights if wanted.balance == "sample" else None
    sampler = EpochSampler(rows, seed=config.seed, weights=sample, rank=rank(), world_size=world)
    loader = rows.loader(sampler, batch_size=wanted.batch_size, workers=wanted.workers)
    skipped, watching = rows.skipped, None
    if wanted.val_split in dataset.splits and dataset.indices(wanted.val_split).size:
        watched = rows_of(config, dataset, wanted.val_split, backbone, train=False, device=device, progress=progress)
        share = range(rank(), len(watched), world)  # nothing repeated, so that the metrics are exact
        watching = watched.loader(share, batch_size=wanted.batch_size, workers=wanted.workers)
        skipped += watched.skipped
    elif wanted.early_stop:
        raise InputError(f"a split {wanted.val_split!r} to stop early by", "no such images", at=dataset.name)
    if is_first_process():
        for image in skipped:
            log.append(folder.log, "skipped", path=image.path, reason=image.reason)
    node_weights = None
    if wanted.balance == "weight":
        node_weights = torch.zeros(dataset.taxonomy.num_nodes)
        node_weights[torch.from_numpy(rows.nodes)] = torch.from_numpy(weights).float()
    fitting = Fitting(
        classifier,
        method.loss(dataset.taxonomy),
        method.decision(),
        dataset.taxonomy,
        wanted,
        steps=wanted.epochs * math.ceil(len(loader) / wanted.accumulate),
        seed=config.seed,
        log_path=folder.log,
        node_weights=node_weights,
    )
    return fitting, (loader, watching)


def _run_trainer(
    config: RunConfig,
    fitting: Fitting,
    loaders: tuple[DataLoader[Any], DataLoader[Any] | None],
    folder: RunFolder,
    *,
    progress: bool,
) -> None:
    wanted = config.training
    last, best = folder.checkpoints / "last.ckpt", None
    callbacks: list[Any] = [
        EpochCheckpoint(last, seconds=wanted.checkpoint_seconds),
        StepBar(f"training {config.name or config.method}", shown=progress),
    ]
    if wanted.early_stop:
        best = ModelCheckpoint(folder.checkpoints, filename="best", monitor="val_loss", enable_version_counter=False)
        callbacks += [EarlyStopping("val_loss", patience=wanted.early_stop), best]
    trainer = lightning.Trainer(
        accelerator=wanted.accelerator,
        devices=wanted.devices,
        num_nodes=wanted.num_nodes,
        precision=wanted.precision,  # type: ignore[arg-type]
        max_epochs=wanted.epochs,
        accumulate_grad_batches=wanted.accumulate,
        gradient_clip_val=wanted.clip_norm or None,
        callbacks=callbacks,
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder.path,
    )
    resume = last if last.is_file() else None
    if resume is not None and is_first_process():
        saved = torch.load(resume, map_location="cpu", weights_only=True)
        log.forget_epochs_from(folder.log, int(saved["epoch"]) + 1)
    trainer.fit(fitting, loaders[0], loaders[1], ckpt_path=resume, weights_only=True)
    if best is not None and Path(best.best_model_path).is_file():
        chosen = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        fitting.load_state_dict(chosen["state_dict"])


def _quiet() -> None:
    """Lightning's hints are for those who wrote the loop; a user of a command did not."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
