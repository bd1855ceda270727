"""Peak resident memory of the process during a block."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

try:
    import resource
except ImportError:  # not available on Windows
    resource = None  # type: ignore[assignment]

_STATUS = Path("/proc/self/statm")
_SECONDS_BETWEEN_SAMPLES = 0.02
_MB = 1e6


class PeakMemory:
    """Context manager that measures the peak resident memory of this process.

    The system reports the peak since the process began. If that rises during the block, it is the result; if not,
    because the process held more memory before, the largest of regular samples is (on Linux, the only system where
    sampling is cheap; elsewhere the peak since the process began).

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
        """The peak so far in MB; ``None`` if the system does not report it."""
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
    """Current resident memory in MB."""
    try:
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MB
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _largest() -> float | None:
    """Peak resident memory since the process began, in MB."""
    if resource is None:  # pyright: ignore[reportUnnecessaryComparison]
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB
