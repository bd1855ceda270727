"""Metrics of a server in the text format of Prometheus."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)
CONTENT_TYPE = CONTENT_TYPE_LATEST
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Variable of prometheus_client that names the folder through which processes share their metrics."""


class Metrics:
    """Counts, times and sizes of one server. Several servers in one process have separate metrics.

    Example:
        >>> metrics = Metrics()
        >>> metrics.request("/v1/models", 200, 0.01)
        >>> b'cladewise_requests_total{route="/v1/models",status="200"} 1.0' in metrics.text()
        True
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        self._requests = Counter(
            "cladewise_requests", "Requests by route and status.", ["route", "status"], registry=own
        )
        self._seconds = Histogram(
            "cladewise_request_seconds",
            "Seconds from the headers of a request to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=own,
        )
        self._images = Counter("cladewise_images", "Images by model and outcome.", ["model", "outcome"], registry=own)
        self._batches = Histogram(
            "cladewise_batch_images", "Images encoded together.", ["model"], buckets=SIZES, registry=own
        )
        self._refused = Counter("cladewise_refused", "Requests that were refused, by reason.", ["kind"], registry=own)
        self._corrections = Counter("cladewise_corrections", "Corrections that were kept.", registry=own)
        self._reloads = Counter("cladewise_reloads", "Reloads by outcome.", ["model", "outcome"], registry=own)
        self._active = Gauge(
            "cladewise_active_requests", "Requests being worked on.", registry=own, multiprocess_mode="livesum"
        )
        self._queued = Gauge(
            "cladewise_queued_images",
            "Images that have no result yet.",
            ["model"],
            registry=own,
            multiprocess_mode="livesum",
        )
        self._by_route: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        found = self._by_route.get((route, status))
        if found is None:
            found = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._by_route[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def active(self, requests: int) -> None:
        """Note the number of requests being worked on."""
        self._active.set(requests)

    def refused(self, kind: str) -> None:
        """Count a refusal."""
        self._refused.labels(kind).inc()

    def images(self, model: str, answered: int, unreadable: int) -> None:
        """Count the images of a request."""
        if answered:
            self._images.labels(model, "answered").inc(answered)
        if unreadable:
            self._images.labels(model, "unreadable").inc(unreadable)

    def batched(self, model: str) -> Callable[[int], None]:
        """The function that counts the batches of a model."""
        return self._batches.labels(model).observe

    def corrected(self) -> None:
        """Count a correction."""
        self._corrections.inc()

    def reloaded(self, model: str, outcome: str) -> None:
        """Count a reload."""
        self._reloads.labels(model, outcome).inc()

    def text(self, queued: Iterable[tuple[str, int]] = ()) -> bytes:
        """All metrics, of all processes of the server if there are several.

        Args:
            queued: Images without a result, by model.
        """
        for model, images in queued:
            self._queued.labels(model).set(images)
        if not os.environ.get(MULTIPROCESS):
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)


def share_between_processes(folder: Path) -> None:
    """Let the processes that are started from here on share their metrics through a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[MULTIPROCESS] = str(folder)
