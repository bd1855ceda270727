"""Engines: where the parts of a job are predicted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import torch

from cladewise.engine.devices import preferred_device
from cladewise.engine.run import Run
from cladewise.scale.folder import Folder
from cladewise.scale.parts import write_part
from cladewise.scale.worker import Watch, Worker


class Engine(Protocol):
    """Predicts parts of a job and writes them into its folder."""

    def device(self, run: Run) -> torch.device:
        """The kind of device that the encoder of a run computes on."""
        ...

    def predict(self, worker: Worker, folder: Folder, numbers: Sequence[int], watch: Watch) -> None:
        """Predict and write parts.

        Args:
            worker: Predicts a part.
            folder: The folder of the parts.
            numbers: The parts.
            watch: Called with numbers of rows and errors as they are done.

        Raises:
            InputError: A part cannot be predicted or written; what is written stays.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Local:
    """Predicts in this process."""

    def device(self, run: Run) -> torch.device:
        return preferred_device(run.config.training.accelerator)

    def predict(self, worker: Worker, folder: Folder, numbers: Sequence[int], watch: Watch) -> None:
        for part in worker.parts(numbers, watch):
            write_part(folder, part)
