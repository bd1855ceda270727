"""The run's log: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cladewise.atomic import append_lines, write_text
from cladewise.errors import InputError

_ENTRIES: dict[str, dict[str, type]] = {
    "epoch": {"epoch": int},
    "skipped": {"path": str, "reason": str},
    "warning": {"text": str},
}
"""Required keys of each kind of event; there may be others."""


def append(file: Path, event: str, /, **values: Any) -> None:
    """Append one event atomically.

    Raises:
        InputError: The disk is full, or the file is not writable.
    """
    append_lines(file, _line({"event": event, **values}))


def append_skipped(file: Path, images: Iterable[tuple[str, str]]) -> None:
    """Append an event for each image that was left out, unless it is listed already.

    Raises:
        InputError: As :func:`append` and :func:`read`.
    """
    listed = {event["path"] for event in read(file) if event["event"] == "skipped"}
    lines: list[str] = []
    for path, reason in images:
        if path not in listed:
            listed.add(path)
            lines.append(_line({"event": "skipped", "path": path, "reason": reason}))
    if lines:
        append_lines(file, "".join(lines))


def read(path: Path) -> list[dict[str, Any]]:
    """Read all events in order, ignoring a last line that a killed process left unfinished.

    Raises:
        InputError: Another line is not an event.

    Example:
        >>> read(Path("no/such/log.jsonl"))
        []
    """
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")
    return [_event(line, f"{path}:{number}") for number, line in enumerate(lines[:-1], start=1)]


def forget_epochs_from(path: Path, epoch: int) -> None:
    """Drop the epochs that a resumed run repeats, and any unfinished line.

    Raises:
        InputError: As :func:`append` and :func:`read`.
    """
    if path.is_file():
        kept = [e for e in read(path) if not (e["event"] == "epoch" and e["epoch"] >= epoch)]
        write_text(path, "".join(map(_line, kept)))


def _line(event: dict[str, Any]) -> str:
    # file names need not be UTF-8; other bytes are escaped
    return json.dumps(event, ensure_ascii=False).encode(errors="backslashreplace").decode() + "\n"


def _event(line: bytes, at: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _no_event(f"{error}", at) from None
    if not (isinstance(event, dict) and isinstance(event.get("event"), str)):
        raise _no_event(line.decode(errors="replace")[:80], at)
    for name, kind in _ENTRIES.get(event["event"], {}).items():
        if not isinstance(event.get(name), kind) or isinstance(event[name], bool):
            raise _no_event(f"{name} {event.get(name)!r}", at)
    return event


def _no_event(got: str, at: str) -> InputError:
    return InputError("an event of a run's log in JSON", got, at=at, advice="Remove that line, or the file.")
