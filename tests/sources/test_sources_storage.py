"""Images on storage: a web server and an S3 server that fail as real ones do."""

from __future__ import annotations

import contextlib
import getpass
import grp
import gzip
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cladewise.datasets import UnreadableImageError
from cladewise.errors import InputError, MissingExtraError
from cladewise.sources import Storage, open_source, storage_options
from sources.reading_rows import rows_of, told
from sources.unsteady_servers import CuttingProxy, UnsteadyServer, unsteady

IMAGE = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def web() -> Iterator[UnsteadyServer]:
    rows = "".join(f"{n}.png,{n}\n" for n in range(1000))
    table = f"url,site\n/ok/a.png,pond\n{rows}".encode()
    with unsteady({"a.png": IMAGE, "list.csv": table, "list.csv.gz": gzip.compress(table)}) as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module(), "_FIRST_WAIT", 0.01)


def storage_module() -> Any:
    return sys.modules["cladewise.sources.storage"]


RETRIED = ["503-ok", "500-502-ok", "429-ok", "408-504-ok", "cut-ok", "cut-cut-cut-ok", "chunks-ok", "silent-ok", "slow"]


@pytest.mark.parametrize("steps", RETRIED)
def test_what_passes_is_retried(web: UnsteadyServer, steps: str) -> None:
    assert Storage().read_image(f"{web.url}/{steps}/a.png") == IMAGE
    assert web.requests[f"GET /{steps}/a.png"] == len(steps.split("-"))


@pytest.mark.parametrize(
    ("steps", "reason", "requests"),
    [
        ("404", "no such file", 1),
        ("410", "no such file", 1),
        ("403", "a file that may not be read (403 Forbidden)", 1),
        ("400", "a file that cannot be read (400 Bad Request)", 1),
        ("503", "an object that could not be read in 3 attempts (503 Service Unavailable)", 3),
        ("cut", "an object that could not be read in 3 attempts", 3),
        ("chunks", "an object that could not be read in 3 attempts", 3),
        ("silent", "an object that could not be read in 3 attempts (Server disconnected)", 6),  # aiohttp tries twice
    ],
)
def test_what_does_not_pass_is_the_error_of_its_row(
    web: UnsteadyServer, steps: str, reason: str, requests: int
) -> None:
    place = f"{web.url}/{steps}/a.png?reason"
    with pytest.raises(UnreadableImageError) as failed:
        Storage(tries=3).read_image(place, "name")
    assert failed.value.reason.startswith(reason)
    assert (failed.value.path, web.requests[f"GET /{steps}/a.png?reason"]) == ("name", requests)


def test_a_server_that_is_not_there_is_an_error_of_the_row() -> None:
    with pytest.raises(UnreadableImageError, match="could not be read in 2 attempts"):
        Storage(tries=2).read_image("http://127.0.0.1:9/a.png")


def test_many_threads_read_at_once(web: UnsteadyServer) -> None:
    places = [f"{web.url}/503-cut-ok/a.png?{n}" for n in range(60)] + [f"{web.url}/404/a.png?{n}" for n in range(20)]

    def read(place: str) -> bool | str:
        try:
            return Storage().read_image(place) == IMAGE
        except UnreadableImageError as error:
            return error.reason

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(read, places)) == [True] * 60 + ["no such file"] * 20


def test_a_process_that_forks_after_reading_reads_again(web: UnsteadyServer) -> None:
    script = f"""
import os
from cladewise.sources import Storage
place = "{web.url}/ok/a.png"
assert len(Storage().read_image(place)) == {len(IMAGE)}
child = os.fork()
if not child:
    os._exit(0 if len(Storage().read_image(place)) == {len(IMAGE)} else 1)
assert os.waitpid(child, 0)[1] == 0
assert len(Storage().read_image(place)) == {len(IMAGE)}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["list.csv", "list.csv.gz"])
def test_remote_tables_name_images_beside_them(web: UnsteadyServer, name: str) -> None:
    source = open_source([f"{web.url}/503-ok-cut-ok/{name}"])
    rows = rows_of(source, 300)
    assert source.num_rows == len(rows) == 1001
    assert [row.name for row in rows[-2:]] == ["998.png", "999.png"]
    assert told(rows[1]) == "no such file"
    assert source.identity["files"][0]["size"] == len(web.files[name])
    assert source.is_remote


def test_names_in_a_remote_table_are_quoted(web: UnsteadyServer) -> None:
    web.files["names.jsonl"] = '{"file_name": "ä b#1?.png"}\n'.encode()
    web.files["%C3%A4%20b%231%3F.png"] = b"quoted"
    (row,) = rows_of(open_source([f"{web.url}/ok/names.jsonl"]))
    assert (row.name, row.read()) == ("ä b#1?.png", b"quoted")


def test_a_missing_remote_table_is_refused(web: UnsteadyServer) -> None:
    for steps, reason in (("404", "no such file"), ("403", "may not be read")):
        with pytest.raises(InputError, match=reason):
            open_source([f"{web.url}/{steps}/list.csv"])


def test_a_large_remote_table_is_read_in_parts(web: UnsteadyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module(), "_BLOCK", 1000)
    for steps in ("ok", "whole", "ok-ok-cut-503-ok"):
        before = web.ranges
        rows = rows_of(open_source([f"{web.url}/{steps}/list.csv?parts"]), 100)
        assert [row.columns["site"] for row in rows] == ["pond", *map(str, range(1000))], steps
        assert (web.ranges > before) == (steps != "whole")
    monkeypatch.setattr(storage_module(), "_WHOLE", 1000)
    with pytest.raises(InputError, match="a server that serves parts of files"):
        open_source([f"{web.url}/whole/list.csv?again"])


def test_headers_are_sent(web: UnsteadyServer) -> None:
    options = storage_options(["http.client_kwargs.headers.Authorization=Bearer x"])
    assert Storage(options).read_image(f"{web.url}/login/a.png") == IMAGE
    with pytest.raises(UnreadableImageError, match="401"):
        Storage().read_image(f"{web.url}/login/a.png")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingExtraError, match=r"cladewise\[gcs\]"):
        Storage().read_image("gs://museum/a.jpg")
    with pytest.raises(InputError, match="adlfs"):
        Storage().read_image("abfs://museum/a.jpg")


def test_options_are_parsed_and_checked() -> None:
    assert storage_options(["key=a=b", "n=1", "client_kwargs.trust_env=false", "empty="]) == {
        "key": "a=b",
        "n": 1,
        "client_kwargs": {"trust_env": False},
        "empty": "",
    }
    for word in ("anon", "=1"):
        with pytest.raises(InputError, match="key=value"):
            storage_options([word])
    with pytest.raises(InputError, match="JSON values"):
        Storage({"auth": object()}).read_image("http://127.0.0.1/a.png")
    with pytest.raises(InputError, match="one value"):
        storage_options(["a=1", "a.b=2"])


def test_the_next_part_is_fetched_while_one_is_read(web: UnsteadyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module(), "_BLOCK", 1000)
    before = web.ranges
    with Storage().open(f"{web.url}/ok/a.png?ahead") as file:
        assert b"".join(iter(lambda: file.read(100), b"")) == IMAGE
    assert web.ranges - before == -(-len(IMAGE) // 1000)
    with Storage().open(f"{web.url}/ok-ok-ok-404/a.png?ahead") as file, pytest.raises(InputError, match="no such file"):
        file.read()


def test_an_image_with_several_boxes_is_fetched_once(web: UnsteadyServer) -> None:
    box = {"category": "1", "conf": 0.9, "bbox": [0, 0, 0.5, 0.5]}
    images = [{"file": name, "detections": [box] * 3} for name in ("boxed.png", "gone.png")]
    web.files["boxed.png"] = IMAGE
    web.files["boxes.json"] = json.dumps({"images": images}).encode()
    source = open_source([f"{web.url}/ok/boxes.json"], root=f"{web.url}/ok")
    assert source.is_remote
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(told, rows_of(source)))
    assert found == [IMAGE] * 3 + ["no such file"] * 3
    assert [web.requests[f"GET /ok/{name}"] for name in ("boxed.png", "gone.png")] == [1, 1]


@pytest.mark.slow
def test_a_folder_that_nginx_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small files, a table and an archive, with a limit on requests that answers 503."""
    monkeypatch.setattr(storage_module(), "_FIRST_WAIT", 0.1)
    nginx = shutil.which("nginx") or pytest.skip("nginx is not installed")
    images = {f"scans/{number:04d}.png": IMAGE[: 500 + number] for number in range(400)}
    for name, content in images.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with tarfile.open(tmp_path / "scans.tar", "w") as tar:
        for name in images:
            tar.add(tmp_path / name, name)
    (tmp_path / "list.csv").write_text("path\n" + "".join(f"{name}\n" for name in [*images, "scans/gone.png"]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {tmp_path}/pid; error_log {tmp_path}/errors;
user {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name};
events {{ worker_connections 64; }}
http {{
    access_log {tmp_path}/access;
    limit_req_zone $binary_remote_addr zone=all:1m rate=200r/s;
    client_body_temp_path {tmp_path}/1; proxy_temp_path {tmp_path}/2; fastcgi_temp_path {tmp_path}/3;
    uwsgi_temp_path {tmp_path}/4; scgi_temp_path {tmp_path}/5;
    server {{ listen 127.0.0.1:{port}; root {tmp_path}; limit_req zone=all burst=5 nodelay; }}
}}
""")
    server = subprocess.Popen([nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        source = open_source([f"http://127.0.0.1:{port}/list.csv"])
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(told, rows_of(source)))
        assert found == [*images.values(), "no such file"]
        assert (tmp_path / "access").read_text().count('" 503 ') > 20
        rows = rows_of(open_source([f"http://127.0.0.1:{port}/scans.tar"]))
        assert [row.read() for row in rows] == list(images.values())
    finally:
        server.terminate()
        server.wait()


# ------------------------------------------------------------------ S3

KEYS = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
LOGIN = {"key": "k", "secret": "s"}


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    """Port of an S3 server with a bucket of forty images and a table."""
    pytest.importorskip("moto.server")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client: Any = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **KEYS)
    client.create_bucket(Bucket="museum")
    for number in range(40):
        client.put_object(Bucket="museum", Key=f"scans/{number} #é.png", Body=IMAGE + bytes([number]))
    rows = "".join(f"{number} #é.png,{number}\n" for number in range(41))
    client.put_object(Bucket="museum", Key="scans/list.csv", Body=f"key_,n\n{rows}".encode())
    table = io.BytesIO()
    pl.DataFrame({"uri": [f"s3://museum/scans/{n} #é.png" for n in range(40)]}).write_parquet(table)
    client.put_object(Bucket="museum", Key="list.parquet", Body=table.getvalue())
    yield port
    server.stop()


def options(port: int) -> dict[str, Any]:
    return {"s3": {"endpoint_url": f"http://127.0.0.1:{port}", **LOGIN}}


def test_objects_are_read_and_missing_ones_told(s3: int) -> None:
    source = open_source(["s3://museum/scans/list.csv"], column="key_", storage_options=options(s3))
    rows = rows_of(source, 10)
    assert [told(row) for row in rows] == [*(IMAGE + bytes([n]) for n in range(40)), "no such file"]
    assert source.identity["files"][0]["tag"]
    assert "secret" not in str(source.identity)


def test_a_parquet_table_on_s3_names_objects(s3: int) -> None:
    source = open_source(["s3://museum/list.parquet"], storage_options=options(s3))
    assert [told(row) for row in rows_of(source, 7)] == [IMAGE + bytes([n]) for n in range(40)]


def test_connections_that_break_inside_a_body_lose_and_shorten_nothing(s3: int) -> None:
    proxy = CuttingProxy(s3, broken=range(1, 9), after=5000)
    try:
        source = open_source(
            ["s3://museum/scans/list.csv"],
            column="key_",
            storage_options={"s3": {"endpoint_url": proxy.url, **LOGIN}},
        )
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(told, rows_of(source)))
    finally:
        proxy.close()
    assert found == [*(IMAGE + bytes([n]) for n in range(40)), "no such file"]
    assert proxy.cut >= 1


def test_a_broken_connection_is_an_error_after_all_attempts(s3: int) -> None:
    proxy = CuttingProxy(s3, broken=range(1000), after=5000)
    try:
        broken = Storage({"s3": {"endpoint_url": proxy.url, **LOGIN}}, tries=3)
        with pytest.raises(UnreadableImageError, match="could not be read in 3 attempts"):
            broken.read_image("s3://museum/scans/1 #é.png")
        assert proxy.connections == 3
    finally:
        proxy.close()


def test_buckets_and_options_that_do_not_exist_are_told(s3: int) -> None:
    with pytest.raises(UnreadableImageError, match="no such file"):
        Storage(options(s3)).read_image("s3://other/a.png")
    with pytest.raises(InputError, match="storage options that s3 takes"):
        Storage({"s3": {"endpoint": "x"}}).read_image("s3://museum/a.png")


def test_missing_credentials_end_the_run_and_are_no_error_of_a_row(s3: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(InputError, match="credentials for the storage") as refused:
        Storage({"s3": {"endpoint_url": f"http://127.0.0.1:{s3}"}}).read_image("s3://museum/scans/1.png")
    assert not isinstance(refused.value, UnreadableImageError)


def test_a_uri_gives_its_own_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        place = f"ftp://127.0.0.1:{taken.getsockname()[1]}/a.png"
        with pytest.raises(UnreadableImageError, match=r"could not be read in 1 attempts.*refused"):
            Storage(tries=1).read_image(place)
