"""Settings of a server, with its limits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cladewise.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JXL")
"""Formats of images that are accepted by default: those that cameras, phones and browsers write."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits on requests. A request beyond one of them is refused with a status of 4xx or 503 that says which.

    Args:
        bytes: Bytes of a request's body, and of an image fetched from a URL.
        images: Images per request.
        pixels: Pixels per image, read from its header before it is decoded.
        seconds: Seconds from a request's headers to the end of its answer.
        body_seconds: Seconds in which its body must have arrived.
        header_seconds: Seconds in which its headers must have arrived.
        header_bytes: Bytes of its request line and headers.
        requests: Requests in progress or waiting at the same time; further ones are answered with 503.
        connections: Open connections.
        held_bytes: Bytes of bodies held in memory at the same time, of all requests together.
        decode_bytes: Bytes of memory that decoding one image may take.

    Raises:
        InputError: A limit is not above 0.

    Example:
        >>> Limits(images=4).images
        4
    """

    bytes: int = 32 << 20
    images: int = 32
    pixels: int = 64_000_000
    seconds: float = 60.0
    body_seconds: float = 30.0
    header_seconds: float = 10.0
    header_bytes: int = 32 << 10
    requests: int = 128
    connections: int = 1024
    held_bytes: int = 512 << 20
    decode_bytes: int = 1 << 29

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise InputError(f"{field.name} above 0", repr(value))


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a server is started with, apart from its address.

    Args:
        runs: Run folder of each model, by the model's name; the first is the default one.
        limits: Limits on requests.
        runtime: Runtime of the encoders, see :func:`cladewise.runtimes.compile`.
        threads: Threads that decode and encode; ``None`` for one per processor.
        batch: Largest number of images that are encoded together.
        wait: Seconds that an image waits for others to be encoded with while the encoder is free.
        keep: Folder in which corrections are kept; ``None`` to take none.
        allow_urls: Beginnings of the URLs that images may be fetched from.
        keys: API keys of which each request must have one; none for a server that is open to all.
        formats: Pillow's names of the formats that are accepted.
        watch: Seconds between checks of the run folders for new weights; 0 for none.
        shared: Folder that the processes of one server share for their metrics and for reloading.
    """

    runs: dict[str, Path]
    limits: Limits = dataclasses.field(default_factory=Limits)
    runtime: str | None = None
    threads: int | None = None
    batch: int = 16
    wait: float = 0.0
    keep: Path | None = None
    allow_urls: tuple[str, ...] = ()
    keys: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    formats: tuple[str, ...] = FORMATS
    watch: float = 0.0
    shared: Path | None = None

    @property
    def default(self) -> str:
        """Name of the default model."""
        return next(iter(self.runs))

    def check_formats(self) -> None:
        """Check that all accepted formats can exist, here or where their plug-ins are installed.

        Raises:
            InputError: One of them is none that images are decoded from.
        """
        from cladewise.datasets.files.decoding import FORMATS as DECODED
        from cladewise.datasets.files.decoding import PLUGINS

        known = (*DECODED, *PLUGINS)
        unknown = sorted(set(self.formats).difference(known))
        if unknown:
            raise InputError(f"formats of {', '.join(known)}", ", ".join(unknown))


def named_runs(runs: list[Path], models: list[str]) -> dict[str, Path]:
    """The run folder of each model: runs under the names of their folders, and ``name=RUN`` under the given one.

    Raises:
        InputError: There is no run, two have one name, or a name is not made of letters, digits, ``.``, ``_``
            and ``-``.

    Example:
        >>> list(named_runs([Path("runs/hace")], ["birds=runs/birds-2"]))
        ['hace', 'birds']
    """
    found: dict[str, Path] = {}
    given = [(run.resolve().name, run) for run in runs]
    for text in models:
        name, equals, run = text.partition("=")
        if not equals or not name or not run:
            raise InputError("a model as name=RUN", repr(text))
        given.append((name, Path(run)))
    for name, run in given:
        if name in found:
            raise InputError("a different name for each run", f"{name} twice", advice="Name one of them: name=RUN.")
        if not name.strip(".") or not all(c.isascii() and (c.isalnum() or c in "._-") for c in name):
            raise InputError(
                "a name of letters, digits, '.', '_' and '-', since it is part of addresses",
                repr(name),
                advice="Give the run a name: name=RUN.",
            )
        found[name] = run
    if not found:
        raise InputError("at least one run", "none")
    return found
