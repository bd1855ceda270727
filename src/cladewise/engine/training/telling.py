"""Messages during training: the data, progress, and resumption."""

from __future__ import annotations

from typing import Any

import lightning
import numpy as np
from torch import nn

from cladewise.datasets import Dataset
from cladewise.datasets.overview import overview
from cladewise.errors import warn
from cladewise.methods import Method
from cladewise.progress import Pace, bar, say
from cladewise.records import NO_SPLIT, TrainingConfig
from cladewise.records.outcome import figures
from cladewise.taxonomy import Taxonomy

PAUSE = 5.0
"""Seconds between two lines about epochs without a terminal."""


def tell_of(dataset: Dataset, settings: TrainingConfig, method: Method, own: Taxonomy, *, shown: bool = True) -> None:
    """Print a summary of a dataset, and warn about anything odd for training on it.

    Args:
        dataset: The training data.
        settings: The training settings.
        method: The method, which uses all parents of a label that has several, or one.
        own: The tree that it trains on, which an ablation may have altered.
        shown: Whether to print the summary; warnings are always given.
    """
    found = overview(dataset, settings.train_split, settings.val_split)
    for line in found.lines:
        say(line, shown=shown)
    if dataset.taxonomy.has_further_parents:
        several = np.unique(dataset.taxonomy.further_parents[:, 0]).size
        every = method.uses_further_parents and own.has_further_parents
        trains = "trains on all of them" if every else "trains on the primary tree alone"
        counts = "metrics count every ancestor"
        labels = "1 label has" if several == 1 else f"{several:,} labels have"
        say(f"{labels} several parents: {method.name} {trains}, and {counts}", shown=shown)
    for oddity in found.oddities:
        warn(oddity, at=dataset.name)
    if settings.epochs == 0:
        warn("epochs=0 trains nothing: the run holds the weights that the method begins with")


def tell_of_adapters(classifier: nn.Module, rank: int, *, shown: bool = True) -> None:
    """Print how many weights are trained if encoders have low-rank adapters."""
    if rank:
        weights = list(classifier.parameters())
        learnt = sum(weight.numel() for weight in weights if weight.requires_grad)
        every = sum(weight.numel() for weight in weights)
        say(f"adapters of rank {rank}: {learnt:,} of {every:,} weights are trained", shown=shown)


class TrainingProgress(lightning.Callback):
    """A progress bar over training steps on a terminal, otherwise a line per epoch; also says where training resumes.

    Args:
        text: Title of the bar and the lines.
        watched: The validation split.
        shown: Whether to show anything.
    """

    def __init__(self, text: str, *, watched: str = NO_SPLIT, shown: bool = True) -> None:
        self.text, self.watched, self.shown = text, watched, shown
        self.progress, self.pace = bar(shown=shown), Pace(PAUSE, at_once=True)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        if trainer.current_epoch:
            say(f"{self.text}: resuming at epoch {trainer.current_epoch + 1} of {trainer.max_epochs}", shown=self.shown)
        self.progress.start()
        total = trainer.max_epochs * trainer.num_training_batches if trainer.max_epochs else None
        done = trainer.current_epoch * trainer.num_training_batches
        self.task = self.progress.add_task(f"{self.text}, steps", total=total, completed=int(done))

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero:
            self.progress.advance(self.task)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not (self.shown and trainer.is_global_zero):
            return
        epoch = trainer.current_epoch + 1
        values = figures({name: float(value) for name, value in trainer.callback_metrics.items()})
        line = f"{self.text}: epoch {epoch} of {trainer.max_epochs}{f', {self.watched}: {values}' if values else ''}"
        if self.progress.console.is_terminal:
            self.progress.update(self.task, description=line)
        elif self.pace.is_due() or epoch == trainer.max_epochs:
            say(line)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.progress.stop()
