"""The log of a training run: its epochs, skipped images and warnings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cladewise.records import log


@dataclasses.dataclass(frozen=True)
class RunLog:
    """Events of one run. After a resumed training, each epoch is there once, as it was last run."""

    epochs: tuple[Mapping[str, Any], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def read_log(file: Path) -> RunLog:
    """Sort the events of a log by kind, ignoring unknown kinds."""
    epochs: dict[int, Mapping[str, Any]] = {}
    skipped: dict[str, str] = {}
    warnings: dict[str, None] = {}
    for event in log.read(file):
        match event:
            case {"event": "epoch", "epoch": int(epoch)}:
                epochs[epoch] = event
            case {"event": "skipped", "path": path, "reason": reason}:
                skipped[str(path)] = str(reason)
            case {"event": "warning", "text": text}:
                warnings[str(text)] = None
            case _:
                pass
    return RunLog(tuple(epochs[epoch] for epoch in sorted(epochs)), tuple(skipped.items()), tuple(warnings))
