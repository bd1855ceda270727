"""Ray nodes on this machine, each with processes and an object store of its own, and ways to end them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

STORE = 80_000_000
"""Bytes of an object store, about the smallest that Ray takes."""
MARK = "CLADEWISE_TEST_NODES"


@contextmanager
def nodes(number: int, cache: Path) -> Iterator[Any]:
    """A cluster of nodes with one logical processor each, to which this process is connected."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("CLADEWISE_CACHE", str(cache))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
        patch.setenv(MARK, str(os.getpid()))
        import ray
        from ray.cluster_utils import Cluster

        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False},
        )
        try:
            for _ in range(number - 1):
                cluster.add_node(num_cpus=1, object_store_memory=STORE)
            ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


def actors() -> list[int]:
    """Process ids of the actors that predict, of this process's nodes alone."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
            if b"PartPredictor" in title and f"{MARK}={os.getpid()}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def kill_one_actor() -> None:
    os.kill(actors()[0], signal.SIGKILL)


def once_there_are(parts: int, folder: Path, action: Callable[[], object], *, seconds: float = 120) -> None:
    """Act as soon as a folder holds so many parts."""
    end = time.monotonic() + seconds
    while len(list(folder.glob("part-*.parquet"))) < parts:
        assert time.monotonic() < end, f"{folder} never held {parts} parts"
        time.sleep(0.02)
    action()
