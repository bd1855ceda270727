"""Progress on standard error: a bar on a terminal, an occasional line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cladewise.escapes import escaped

Item = TypeVar("Item")

PAUSE = 10.0
"""Seconds before the first line of progress and between two lines, without a terminal."""


def say(text: str, *, shown: bool = True) -> None:
    """Print one line to standard error.

    Args:
        text: The line; control characters are escaped.
        shown: Whether to print it.
    """
    if shown:
        print(escaped(text), file=sys.stderr, flush=True)


def bar(*, shown: bool = True, pause: float = PAUSE) -> Progress:
    """A progress display; without a terminal it prints lines.

    Args:
        shown: Whether to show anything.
        pause: Seconds before the first line and between two lines.

    Example:
        >>> with bar(shown=False) as progress:
        ...     task = progress.add_task("features", total=3)
        ...     progress.advance(task)
    """
    if shown and not sys.stderr.isatty():
        return _Lines(pause)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=not shown,
    )


def track(items: Iterable[Item], text: str, *, total: int | None = None, shown: bool = True) -> Iterator[Item]:
    """Yield the items and show how many have been processed.

    Example:
        >>> list(track([1, 2], "counting"))
        [1, 2]
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with bar(shown=shown) as progress:
        task = progress.add_task(escaped(text), total=total)
        for item in items:
            yield item
            progress.advance(task)


class Pace:
    """A rate limit: is due at most once per interval.

    Args:
        pause: The interval in seconds.
        at_once: Whether it is due immediately the first time.
    """

    def __init__(self, pause: float, *, at_once: bool = False) -> None:
        self._pause, self._last = pause, -float("inf") if at_once else time.monotonic()

    def is_due(self) -> bool:
        """Whether the interval has passed; if so, it restarts."""
        now = time.monotonic()
        if now - self._last < self._pause:
            return False
        self._last = now
        return True


class _Lines(Progress):
    """A display for logs and pipes that prints the progress of a task as lines."""

    def __init__(self, pause: float) -> None:
        super().__init__(disable=True)
        self._pace = Pace(pause)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._tell(task_id)

    def update(self, task_id: TaskID, *args: Any, **changes: Any) -> None:
        super().update(task_id, *args, **changes)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        if self._pace.is_due():
            say(_how_far(self._tasks[task_id]))


def _how_far(task: Task) -> str:
    if not task.total:
        return f"{task.description}: {task.completed:,.0f}"
    left = "" if task.time_remaining is None else f", about {task.time_remaining:,.0f} s left"
    return f"{task.description}: {task.completed:,.0f} of {task.total:,.0f} ({task.percentage:.0f}%){left}"
