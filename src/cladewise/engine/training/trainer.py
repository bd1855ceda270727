"""Lightning's trainer, set up from a configuration."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

from cladewise.engine.processes import is_first_process
from cladewise.engine.training.checkpoints import WholeCheckpoints, check_fits
from cladewise.engine.training.loggers import StepLog
from cladewise.engine.training.module import EpochCheckpoint, Fitting
from cladewise.engine.training.telling import TrainingProgress
from cladewise.errors import InputError
from cladewise.records import RunConfig, RunFolder, log

Loaders = tuple[DataLoader[Any], DataLoader[Any] | None]
"""Loaders of the training and the validation images."""


def make_trainer(
    config: RunConfig, folder: RunFolder, meter: lightning.Callback, checkpoints: WholeCheckpoints, *, progress: bool
) -> lightning.Trainer:
    """Set up a trainer with checkpoints, early stopping, progress and metering.

    Raises:
        InputError: This machine does not have the accelerator, or it does not support the precision.
    """
    wanted = config.training
    callbacks: list[Any] = [
        meter,
        EpochCheckpoint(folder.last_checkpoint, seconds=wanted.checkpoint_seconds),
        StepLog(),
        TrainingProgress(f"training {config.name or config.method}", watched=wanted.val_split, shown=progress),
    ]
    if wanted.early_stop:
        callbacks += [
            EarlyStopping("val_loss", patience=wanted.early_stop),
            BestCheckpoint(folder.checkpoints / "best.ckpt"),
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
            plugins=[checkpoints],
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


def run_trainer(
    trainer: lightning.Trainer,
    fitting: Fitting,
    loaders: Loaders,
    folder: RunFolder,
    checkpoints: WholeCheckpoints,
) -> None:
    """Train, resuming from the last checkpoint if there is one; with early stopping, load the best weights at the end.

    Raises:
        InputError: A checkpoint is damaged, or of another run.
        KeyboardInterrupt: Ctrl-C.
        SystemExit: The process received SIGTERM; the exit code is 143.
    """
    last, done = folder.last_checkpoint, 0
    resume = last if last.is_file() else None
    if resume is not None:
        saved = checkpoints.read(resume)
        check_fits(saved, fitting.state_dict(), resume)
        done = int(saved["epoch"]) + 1
    if is_first_process():
        log.forget_epochs_from(folder.log, done)
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(fitting, loaders[0], loaders[1], ckpt_path=resume, weights_only=True)
    except SIGTERMException:  # with Lightning's own the process would exit with 0
        raise SystemExit(128 + signal.SIGTERM) from None
    except SystemExit:  # Lightning raises this after Ctrl-C, and ignores further ones
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from None
    for best in (c for c in trainer.callbacks if isinstance(c, BestCheckpoint)):  # type: ignore[attr-defined]
        chosen = checkpoints.read(best.file)
        check_fits(chosen, fitting.state_dict(), best.file)
        fitting.load_state_dict(chosen["state_dict"])


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights with the lowest validation loss in a file, even if the folder is moved in between."""

    def __init__(self, file: Path) -> None:
        super().__init__(file.parent, filename=file.stem, monitor="val_loss", enable_version_counter=False)
        self.file = file

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # paths relative to the present folder, or Lightning would forget the best so far
        there = str(self.dirpath)
        paths = {Path(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(
            {
                **state_dict,
                "dirpath": there,
                "best_k_models": {os.path.join(there, path.name): score for path, score in paths.items()},
                **{
                    name: os.path.join(there, Path(state_dict[name]).name) if state_dict[name] else ""
                    for name in ("best_model_path", "kth_best_model_path", "last_model_path")
                },
            }
        )


def _quiet() -> None:
    """Silence Lightning's hints, which are for people who write their own training loop."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
