"""Measures the resources of training while it runs, so that a killed session counts as well."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lightning
import torch

from cladewise.engine.feeding.images import Batch
from cladewise.engine.processes import is_first_process
from cladewise.engine.training.peak_memory import PeakMemory
from cladewise.errors import InputError
from cladewise.records import Resources, read_resources


class Meter(lightning.Callback):
    """Writes the resources that a run has used so far, in earlier sessions and this one.

    Args:
        file: ``resources.json`` of the run, which may hold those of earlier sessions.
        every: Shortest time between two writes, in seconds.
        anew: Ignore an existing file, because its run is overwritten.
    """

    def __init__(self, file: Path, *, every: float, anew: bool = False) -> None:
        self.file, self.every = file, every
        self.before = (None if anew else read_resources(file)) or Resources()
        self.memory = PeakMemory()
        self.parameters = self.images = 0
        self.on_cuda = False
        self.created = self.written = time.perf_counter()
        self.setup_seconds: float | None = None
        self.cpu_before = 0.0

    def __enter__(self) -> Self:
        self.memory.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.memory.__exit__(kind, error, at)
        with contextlib.suppress(*([InputError] if error is not None else [])):  # the first error is the one to report
            self.write()

    def session(self) -> Resources:
        """Resources of this session so far."""
        elapsed = time.perf_counter() - self.created
        setup = elapsed if self.setup_seconds is None else self.setup_seconds
        return Resources(
            sessions=1,
            seconds=elapsed - setup,
            setup_seconds=setup,
            cpu_seconds=0.0 if self.setup_seconds is None else _cpu_seconds() - self.cpu_before,
            peak_memory=self.memory.megabytes,
            peak_cuda_memory=torch.cuda.max_memory_allocated() / 1e6 if self.on_cuda else None,
            parameters=self.parameters,
            images_seen=self.images,
        )

    def write(self) -> None:
        """Write the file; only the first of several processes does."""
        if is_first_process():
            self.before.and_then(self.session()).write(self.file)
        self.written = time.perf_counter()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        self.parameters = sum(p.numel() for group in groups for p in group["params"])
        self.on_cuda = pl_module.device.type == "cuda"
        if self.on_cuda:
            torch.cuda.reset_peak_memory_stats()
        self.setup_seconds = time.perf_counter() - self.created
        self.cpu_before = _cpu_seconds()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self.images += len(batch.nodes) * trainer.world_size
        if time.perf_counter() - self.written >= self.every:
            self.write()


def _cpu_seconds() -> float:
    """CPU seconds of this process and its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
