"""Lightning's trainer as a configuration wants it."""

from __future__ import annotations

import logging
import signal
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

from cladewise.engine.fitting import EpochCheckpoint, Fitting
from cladewise.engine.processes import is_first_process
from cladewise.engine.telling import TrainingProgress
from cladewise.errors import InputError
from cladewise.records import RunConfig, RunFolder, log

Loaders = tuple[DataLoader[Any], DataLoader[Any] | None]
"""What to train on, and what to watch."""


def make_trainer(
    config: RunConfig, folder: RunFolder, meter: lightning.Callback, *, progress: bool
) -> lightning.Trainer:
    """A trainer that saves, stops and shows what the configuration says, and is metered.

    Raises:
        InputError: This machine has no such accelerator, or it cannot compute in that precision.
    """
    wanted = config.training
    callbacks: list[Any] = [
        meter,
        EpochCheckpoint(folder.checkpoints / "last.ckpt", seconds=wanted.checkpoint_seconds),
        TrainingProgress(f"training {config.name or config.method}", watched=wanted.val_split, shown=progress),
    ]
    if wanted.early_stop:
        callbacks += [
            EarlyStopping("val_loss", patience=wanted.early_stop),
            ModelCheckpoint(folder.checkpoints, filename="best", monitor="val_loss", enable_version_counter=False),
        ]
    _quiet()
    try:
        return lightning.Trainer(
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
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        asked = f"{wanted.devices} x {wanted.accelerator} in {wanted.precision}"
        raise InputError("devices and a precision that this machine has", asked, advice=f"{error}") from error


def run_trainer(trainer: lightning.Trainer, fitting: Fitting, loaders: Loaders, folder: RunFolder) -> None:
    """Fit, from the last checkpoint where there is one, and end with the best weights where they were watched.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        SystemExit: The process was asked to end (SIGTERM); the code is that of a process which it ended, 143.
    """
    last = folder.checkpoints / "last.ckpt"
    resume = last if last.is_file() else None
    if resume is not None and is_first_process():
        saved = torch.load(resume, map_location="cpu", weights_only=True)
        log.forget_epochs_from(folder.log, int(saved["epoch"]) + 1)
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(fitting, loaders[0], loaders[1], ckpt_path=resume, weights_only=True)
    except SIGTERMException:  # Lightning's would leave as if all were well
        raise SystemExit(128 + signal.SIGTERM) from None
    except SystemExit:  # Lightning leaves so after Ctrl-C, which it ignores from then on
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from None
    for best in (c for c in trainer.callbacks if isinstance(c, ModelCheckpoint)):  # type: ignore[attr-defined]
        if Path(best.best_model_path).is_file():
            chosen = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
            fitting.load_state_dict(chosen["state_dict"])


def _quiet() -> None:
    """Lightning's hints are for those who wrote the loop; a user of a command did not."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
