"""Parts in object storage: a server that drops connections, a job that is killed, and the rows of a local one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.scale import predict_to, read_parts
from cladewise.scale.folder import Folder
from cladewise.sources import Storage, open_source
from shared_runs import copy_of
from sources.unsteady_servers import CuttingProxy

OUT = "s3://museum/predictions"
KEYS = {"key": "testing", "secret": "testing"}
CHILD = """
import json, sys
from cladewise import scale
from cladewise.sources import open_source
run, images, out, options = sys.argv[1:]
scale.predict_to(out, run, open_source([images]), part_rows=2, keep=["features"], runtime="torch", progress=False,
    storage_options=json.loads(options))
"""


@pytest.fixture(scope="module")
def run(trained: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return copy_of(trained(method="hace", freeze=True, epochs=10), tmp_path_factory.mktemp("s3") / "run")


@pytest.fixture
def port() -> Iterator[int]:
    """Port of an S3 server with an empty bucket."""
    pytest.importorskip("moto.server")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, number = server.get_host_and_port()
    login = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    client: Any = boto3.client("s3", endpoint_url=f"http://{host}:{number}", **login)
    client.create_bucket(Bucket="museum")
    yield number
    for found in client.list_objects_v2(Bucket="museum").get("Contents", []):
        client.delete_object(Bucket="museum", Key=found["Key"])
    client.delete_bucket(Bucket="museum")
    server.stop()


def options(url: str) -> dict[str, Any]:
    return {"s3": {"endpoint_url": url, **KEYS, "client_kwargs": {"region_name": "us-east-1"}}}


def contents(folder: Folder) -> dict[str, bytes | None]:
    return {name: folder.read(f"parts/{name}") for name in folder.names("parts")}


def assert_same_rows(some: dict[str, bytes | None], others: dict[str, bytes | None]) -> None:
    """The same features, and tables with the same rows; two processes may round PyTorch's probabilities differently."""
    assert some.keys() == others.keys()
    for name in some:
        if name.endswith(".parquet"):
            one, other = (pl.read_parquet(io.BytesIO(parts[name] or b"")) for parts in (some, others))
            assert_frame_equal(one, other, rel_tol=1e-5, abs_tol=1e-6)
        else:
            assert some[name] == others[name]


@pytest.fixture
def local(run: Run, colour_folder: Path, tmp_path: Path) -> dict[str, bytes | None]:
    """Parts of the job on a disk."""
    out, source = tmp_path / "local", open_source([colour_folder / "cold"])
    predict_to(out, run, source, part_rows=2, keep=["features"], runtime="torch", progress=False)
    return contents(Folder(str(out)))


@pytest.mark.slow
def test_a_job_that_is_killed_resumes_in_a_bucket(
    port: int, run: Run, colour_folder: Path, local: dict[str, bytes | None]
) -> None:
    there = Folder(OUT, options(f"http://127.0.0.1:{port}"))
    words = [str(run.path), str(colour_folder / "cold"), OUT, json.dumps(there.options)]
    process = subprocess.Popen([sys.executable, "-c", CHILD, *words])
    end = time.monotonic() + 120
    while len(there.names("parts")) < 5 and process.poll() is None:
        assert time.monotonic() < end
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    killed = contents(there)
    assert 5 <= len(killed) < len(local)
    assert_same_rows(killed, {name: local[name] for name in killed})
    chosen: dict[str, Any] = {"keep": ["features"], "runtime": "torch", "progress": False}
    source = open_source([colour_folder / "cold"])
    with pytest.raises(InputError, match="holds parts of, but got another one: the rows per part"):
        predict_to(OUT, run, source, part_rows=3, storage_options=there.options, **chosen)
    found = predict_to(OUT, run, source, part_rows=2, storage_options=there.options, **chosen)
    assert found.counts() == (sum(table.height for table in found.tables()), 0)
    assert found.first_errors(3) == []
    assert (found.is_complete, found.counts()) == (True, (36, 0))
    resumed = contents(there)
    assert killed.items() <= resumed.items()  # what was there is kept, not written again
    assert_same_rows(resumed, local)
    again = predict_to(
        OUT + "-again",
        run,
        read_parts(OUT, storage_options=there.options),
        storage_options=there.options,
        decision="leaf",
        progress=False,
    )
    assert [table.height for table in again.tables()] == [2] * 18


def test_connections_that_drop_while_parts_are_written_lose_nothing(
    port: int, run: Run, colour_folder: Path, local: dict[str, bytes | None]
) -> None:
    proxy = CuttingProxy(port, broken=range(1, 6), after=100)
    try:
        given = options(proxy.url)
        source = open_source([colour_folder / "cold"])
        chosen: dict[str, Any] = {"part_rows": 2, "keep": ["features"], "runtime": "torch", "progress": False}
        found = predict_to(OUT, run, source, storage_options=given, **chosen)
        assert found.is_complete
        assert proxy.cut > 0
    finally:
        proxy.close()
    assert contents(Folder(OUT, options(f"http://127.0.0.1:{port}"))) == local


def test_a_bucket_that_is_not_there_is_told(port: int) -> None:
    there = Folder("s3://nowhere/predictions", options(f"http://127.0.0.1:{port}"))
    assert (there.read("job.json"), there.names("parts")) == (None, [])
    with pytest.raises(InputError, match=r"a place to write to, but got .* at s3://nowhere/predictions/job.json"):
        there.write("job.json", b"{}")
    whole = Storage(options(f"http://127.0.0.1:{port}"))
    whole.write(f"{OUT}/a b#é.txt", b"content")
    assert whole.read_if_there(f"{OUT}/a b#é.txt") == b"content"
    assert whole.names(OUT) == ["a b#é.txt"]
