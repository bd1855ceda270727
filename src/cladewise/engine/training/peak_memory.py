"""How much memory the process holds at most, over a stretch of time."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

_STATUS = Path("/proc/self/statm")
_SECONDS_BETWEEN_SAMPLES = 0.02
_MB = 1e6


class PeakMemory:
    """Largest resident memory of this process while the block lasts.

    The system keeps the largest value since the process began. Where that rises meanwhile it is the answer; where it
    does not, because the process held more before, samples are (on Linux, the only system that tells the present value
    cheaply; elsewhere the largest since the process began).

    Example:
        >>> with PeakMemory() as peak:
        ...     block = bytearray(1000)
        >>> peak.megabytes is None or peak.megabytes > 1
        True
    """

    def __init__(self) -> None:
        self._before = _largest()
        self._sampled: float | None = None
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        if self._sampled is not None:
            self._sampler.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._sampler.is_alive():
            self._sampler.join()

    @property
    def megabytes(self) -> float | None:
        """The largest so far, in MB; ``None`` where the system does not tell."""
        self._sample()
        largest = _largest()
        if largest is None or (self._before is not None and largest > self._before):
            return largest if largest is not None else self._sampled
        return largest if self._sampled is None else self._sampled

    def _watch(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_SAMPLES):
            self._sample()

    def _sample(self) -> None:
        if not self._over.is_set() and (now := _present()) is not None:
            self._sampled = max(now, self._sampled or 0.0)


def _present() -> float | None:
    """What the process holds now, in MB."""
    try:
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MB
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _largest() -> float | None:
    """The most that it ever held, in MB."""
    if resource is None:  # pyright: ignore[reportUnnecessaryComparison]
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, the others kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB
