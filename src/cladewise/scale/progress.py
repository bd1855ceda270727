"""Progress of a prediction: images per second, time left, errors so far and memory."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cladewise.progress import PAUSE, Pace, say

RECENT = 30.0
"""Seconds that the rate is taken over, so that it follows the speed of a disk or a network."""
_STATUS = Path("/proc/self/statm")


class Meter:
    """Shows how far a prediction is: one line that changes on a terminal, a line every ten seconds elsewhere.

    Args:
        total: Number of images, or ``None`` if it is not known.
        shown: Whether to show anything.
        doing: The word for what is done.

    Example:
        >>> with Meter(3, shown=False) as meter:
        ...     meter.add(2, 1)
        >>> meter.text(elapsed=1.0)
        'predicting: 2 of 3 images, 2.0 images/s, about 0 s left, 1 error, ... GB'
    """

    def __init__(self, total: int | None, *, shown: bool = True, doing: str = "predicting") -> None:
        self._doing = doing
        self._total, self._done, self._errors = total, 0, 0
        self._began = time.monotonic()
        self._recent = deque([(self._began, 0)])
        self._pace = Pace(PAUSE)
        self._live = None
        if shown and sys.stderr.isatty():
            self._live = Live(console=Console(file=sys.stderr), refresh_per_second=4, transient=False)
        self._is_written = shown and self._live is None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.update(Text(self.text()))
            self._live.stop()

    def add(self, rows: int, errors: int) -> None:
        """Count rows that are done, and those among them without an answer."""
        self._done, self._errors = self._done + rows, self._errors + errors
        now = time.monotonic()
        self._recent.append((now, self._done))
        while len(self._recent) > 2 and now - self._recent[0][0] > RECENT:
            self._recent.popleft()
        if self._live is not None:
            self._live.update(Text(self.text()))
        elif self._is_written and self._pace.is_due():
            say(self.text())

    def text(self, *, elapsed: float | None = None) -> str:
        """The line.

        Args:
            elapsed: Seconds for the rows so far, instead of those measured.
        """
        rate = self._rate() if elapsed is None else self._done / elapsed
        of = "" if self._total is None else f" of {self._total:,}"
        parts = [f"{self._doing}: {self._done:,}{of} images"]
        if rate > 0:
            parts.append(f"{rate:,.1f} images/s")
            if self._total is not None:
                parts.append(f"about {_duration((self._total - self._done) / rate)} left")
        parts.append(f"{self._errors:,} error{'' if self._errors == 1 else 's'}")
        memory = _memory()
        return ", ".join([*parts, f"{memory / 1e9:.1f} GB"] if memory else parts)

    def _rate(self) -> float:
        (start, before), (end, after) = self._recent[0], self._recent[-1]
        return (after - before) / (end - start) if end > start else 0.0


def _duration(seconds: float) -> str:
    """A rough duration.

    Example:
        >>> _duration(42.3), _duration(600), _duration(9000), _duration(400_000)
        ('42 s', '10 min', '2.5 h', '4.6 days')
    """
    for size, unit, digits in ((86_400, "days", 1), (3600, "h", 1), (60, "min", 0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def _memory() -> int:
    """Resident memory of this process in bytes; 0 where the system does not say."""
    try:
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
