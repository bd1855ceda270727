"""The run's log: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cladewise.atomic import write_text


def append(file: Path, event: str, /, **values: Any) -> None:
    """Add one line. A line is written in one call, so a killed process leaves whole lines but perhaps the last."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"event": event, **values}, ensure_ascii=False) + "\n")


def append_skipped(file: Path, images: Iterable[tuple[str, str]]) -> None:
    """Add a line for each image that was left out, with the reason; an image that is listed already is not again."""
    listed = {event["path"] for event in read(file) if event["event"] == "skipped"}
    for path, reason in images:
        if path not in listed:
            listed.add(path)
            append(file, "skipped", path=path, reason=reason)


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole line, in order; a line that a killed process left unfinished is passed over.

    Example:
        >>> read(Path("no/such/log.jsonl"))
        []
    """
    if not path.is_file():
        return []
    events: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return events


def forget_epochs_from(path: Path, epoch: int) -> None:
    """Drop the epochs that a resumed run goes through again, and any unfinished line."""
    kept = [e for e in read(path) if not (e["event"] == "epoch" and e["epoch"] >= epoch)]
    write_text(path, "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in kept))
