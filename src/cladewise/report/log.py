"""What happened during a run: epochs, skipped images, warnings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cladewise.records import log


@dataclasses.dataclass(frozen=True)
class Log:
    """The events of one run. A run that was resumed has each epoch once, as it was last done."""

    epochs: tuple[Mapping[str, Any], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def read_log(file: Path) -> Log:
    """Sort the events of a log by kind; other kinds of event are passed over."""
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
    return Log(tuple(epochs[epoch] for epoch in sorted(epochs)), tuple(skipped.items()), tuple(warnings))
