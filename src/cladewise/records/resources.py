"""The resources that training a run used: ``resources.json``."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from cladewise.atomic import write_bytes
from cladewise.errors import InputError
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.metric_names import MetricText, metric_text
from cladewise.records.reading import building, read_json


@dataclasses.dataclass(frozen=True)
class Resources:
    """Resources used by training, over all sessions of an interrupted run.

    Times depend on the machine and its load. In distributed training the first process is measured.

    Args:
        sessions: Number of times that training was started or resumed.
        seconds: Wall-clock seconds of training, including validation and checkpoints.
        setup_seconds: Wall-clock seconds before the first step, for loading weights and computing features.
        cpu_seconds: CPU seconds of training, over all threads; decoding processes count once they have ended.
        peak_memory: Peak resident memory of the process in MB (10^6 bytes), or the largest sample if the process used
            more before; ``None`` if the system does not report it.
        peak_cuda_memory: Peak memory of tensors on the CUDA device in MB; ``None`` without one.
        parameters: Number of trained parameters.
        images_seen: Number of training images, counted once per epoch.

    Example:
        >>> first = Resources(1, 10.0, 2.0, 11.0, 500.0, None, 1000, 640)
        >>> whole = first.and_then(Resources(1, 5.0, 1.0, 5.0, 520.0, None, 1000, 320))
        >>> whole.sessions, whole.seconds, whole.peak_memory, whole.images_seen
        (2, 15.0, 520.0, 960)
    """

    sessions: int = 0
    seconds: float = 0.0
    setup_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: float | None = None
    peak_cuda_memory: float | None = None
    parameters: int = 0
    images_seen: int = 0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            known = value is None and name.startswith("peak_")
            if not known and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0):
                raise TypeError(f"{name} {value!r}")

    def and_then(self, later: Resources) -> Resources:
        """Combine with a later session: times and images add up, memory is the maximum."""
        return Resources(
            sessions=self.sessions + later.sessions,
            seconds=self.seconds + later.seconds,
            setup_seconds=self.setup_seconds + later.setup_seconds,
            cpu_seconds=self.cpu_seconds + later.cpu_seconds,
            peak_memory=_larger(self.peak_memory, later.peak_memory),
            peak_cuda_memory=_larger(self.peak_cuda_memory, later.peak_cuda_memory),
            parameters=later.parameters,
            images_seen=self.images_seen + later.images_seen,
        )

    def write(self, path: Path) -> None:
        """Write the file atomically, without flushing it to the disk, because this happens often."""
        rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in dataclasses.asdict(self).items()}
        rounded = {"schema_version": SCHEMA_VERSION, **rounded}
        write_bytes(path, (json.dumps(rounded, indent=1) + "\n").encode(), durable=False)

    def value(self, name: str) -> float:
        """A number by its name; NaN where there is none."""
        value = getattr(self, name)
        return math.nan if value is None else float(value)


def read_resources(path: Path) -> Resources | None:
    """Read the resources of a run; ``None`` if there is no file.

    Raises:
        InputError: It is not a record of this version.

    Example:
        >>> read_resources(Path("no/such/resources.json")) is None
        True
    """
    if not path.is_file():
        return None
    advice = "Remove the file: it says what training took, and nothing depends on it."
    content = read_json(path, "what training took", advice=advice, versioned=False)
    with building("what training took", at=str(path), advice=advice):
        return Resources(**content)


def _larger(first: float | None, second: float | None) -> float | None:
    known = [value for value in (first, second) if value is not None]
    return max(known) if known else None


RESOURCE_TEXTS: dict[str, MetricText] = {
    name: MetricText(title, False, text, is_share=False)
    for name, title, text in (
        ("seconds", "Seconds", "Wall-clock seconds of training."),
        ("cpu_seconds", "CPU seconds", "CPU time of training in seconds, over all threads."),
        ("peak_memory", "Peak MB", "Peak resident memory of the process, in MB."),
        ("peak_cuda_memory", "Peak CUDA MB", "Peak memory of tensors on the CUDA device, in MB."),
        ("parameters", "Parameters", "Number of trained parameters."),
        ("images_seen", "Images seen", "Training images seen, counted in every epoch."),
    )
}
"""The training costs shown in tables, described like metrics."""


def column_text(name: str) -> MetricText:
    """Text of a column of a table: a metric, or what training took.

    Raises:
        InputError: There is no such column.

    Example:
        >>> column_text("seconds").title, column_text("top1").title
        ('Seconds', 'Top-1')
    """
    if name in RESOURCE_TEXTS:
        return RESOURCE_TEXTS[name]
    try:
        return metric_text(name)
    except InputError as error:
        raise InputError(f"{error.expected}; or {', '.join(RESOURCE_TEXTS)}", error.got) from None


def resource_number(name: str, value: float) -> str:
    """A number as tables write it.

    Example:
        >>> resource_number("seconds", 12.345), resource_number("parameters", 7690.0), resource_number("x", math.nan)
        ('12.3', '7,690', '–')
    """
    if math.isnan(value):
        return "–"
    return f"{value:,.1f}" if name.endswith("seconds") else f"{value:,.0f}"
