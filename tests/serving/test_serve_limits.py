"""Requests beyond a limit are refused with a status that says which, while others are answered."""

from __future__ import annotations

import io
import json
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from cladewise.serving import Limits

from .conftest import Serve, picture, refused

if TYPE_CHECKING:
    import httpx

SMALL = Limits(
    bytes=20_000,
    images=3,
    pixels=10_000,
    seconds=5.0,
    body_seconds=0.5,
    header_seconds=0.5,
    header_bytes=4_000,
    requests=4,
    connections=12,
    held_bytes=60_000,
)


def talk(client: httpx.Client, sent: bytes, *, wait: float = 5.0) -> tuple[int, dict[str, str]]:
    """The status and the error that raw bytes are answered with."""
    url = client.base_url
    with socket.create_connection((url.host, url.port), timeout=wait) as connection:
        connection.sendall(sent)
        answer = b""
        while chunk := connection.recv(1 << 16):
            answer += chunk
            head, separator, body = answer.partition(b"\r\n\r\n")
            if separator and f"content-length: {len(body)}".encode() in head.lower():
                break
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


def bomb(side: int) -> bytes:
    """A small PNG whose header announces a square of that side."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def small(served_run: object) -> Iterator[httpx.Client]:
    from .conftest import serving

    with serving(runs={"colours": served_run}, limits=SMALL) as client:
        yield client


def test_a_large_body_is_refused_by_its_announced_length(small: httpx.Client) -> None:
    message = refused(small.post("/v1/predict", content=b"x" * 20_001, headers={"content-type": "image/png"}), 413)
    assert "20000 bytes" in message
    head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: image/png\r\nexpect: 100-continue\r\n"
    status, error = talk(small, head + b"content-length: 99999999999\r\n\r\n")
    assert (status, error["got"]) == (413, "99999999999 bytes")


def test_a_large_body_is_refused_while_it_streams(small: httpx.Client) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%s\r\n" % (8_000, b"x" * 8_000)
    status, error = talk(small, head + 4 * chunk + b"0\r\n\r\n")
    assert status == 413
    assert "20000 bytes" in error["message"]


def test_more_images_than_the_limit_are_refused(small: httpx.Client) -> None:
    images = [("images", (f"{k}.png", picture())) for k in range(4)]
    assert "at most 3 images" in refused(small.post("/v1/predict", files=images), 413)
    listed = {"images": [{"bytes": ""}] * 4}
    assert "at most 3 images" in refused(small.post("/v1/predict", json=listed), 413)
    assert small.post("/v1/predict", files=images[:3]).status_code == 200


@pytest.mark.parametrize("side", [101, 30_000, 2_000_000])
def test_the_pixels_of_a_bomb_are_counted_before_it_is_decoded(small: httpx.Client, side: int) -> None:
    message = refused(small.post("/v1/predict", files={"images": bomb(side)}), 422)
    assert "megapixels" in message


def test_formats_that_are_not_listed_are_refused(serve: Serve) -> None:
    tga = picture(kind="TGA")
    with serve(formats=("PNG",)) as client:
        assert client.post("/v1/predict", files={"images": picture()}).status_code == 200
        for content, told in ((picture(kind="JPEG"), "other than PNG"), (tga, "not an image"), (b"%!PS-3.0\n", "")):
            assert told in refused(client.post("/v1/predict", files={"images": content}), 422)


def test_slow_headers_and_slow_bodies_are_answered_408(small: httpx.Client) -> None:
    begun = time.monotonic()
    status, error = talk(small, b"POST /v1/predict HTTP/1.1\r\nhost: a\r\n")
    assert (status, error["got"]) == (408, "slower ones")
    status, error = talk(small, b"")
    assert status == 408
    head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: image/png\r\ncontent-length: 100\r\n\r\n"
    status, error = talk(small, head + b"x")
    assert (status, error["got"]) == (408, "a slower one")
    assert time.monotonic() - begun < 15
    assert small.get("/healthz").status_code == 200


def test_large_headers_are_answered_431(small: httpx.Client) -> None:
    for sent in (
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 5_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 2_000 + b"\r\n",
        b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 5_000,
    ):
        status, error = talk(small, sent)
        assert (status, error["expected"]) == (431, "headers of at most 4000 bytes")


@pytest.mark.parametrize(
    "sent", [b"\0\1\2\3\r\n\r\n", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_what_is_no_http_is_answered_400(small: httpx.Client, sent: bytes) -> None:
    status, _ = talk(small, sent)
    assert status == 400


def test_a_full_server_answers_503_and_recovers(serve: Serve) -> None:
    limits = Limits(requests=2, body_seconds=2.0)
    with serve(limits=limits) as client:
        head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: image/png\r\ncontent-length: 100\r\n\r\n"
        address = client.base_url.host, client.base_url.port
        slow = [socket.create_connection(address) for _ in range(2)]
        for connection in slow:
            connection.sendall(head)
        time.sleep(0.3)
        response = client.post("/v1/predict", files={"images": picture()})
        assert "at most 2 requests" in refused(response, 503)
        assert response.headers["retry-after"] == "1"
        assert client.get("/healthz").status_code == 200
        for connection in slow:
            connection.close()
        time.sleep(0.3)
        assert client.post("/v1/predict", files={"images": picture()}).status_code == 200


def test_bodies_held_at_the_same_time_are_bounded(small: httpx.Client) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: image/png\r\ncontent-length: 20000\r\n\r\n"
    address = small.base_url.host, small.base_url.port
    slow = [socket.create_connection(address) for _ in range(3)]
    for connection in slow:
        connection.sendall(head)
    time.sleep(0.2)
    assert "60000 bytes" in refused(small.post("/v1/predict", files={"images": picture()}), 503)
    for connection in slow:
        connection.close()
    time.sleep(0.3)
    assert small.post("/v1/predict", files={"images": picture()}).status_code == 200


def test_connections_beyond_the_limit_are_answered_503(small: httpx.Client) -> None:
    address = small.base_url.host, small.base_url.port
    opened = [socket.create_connection(address, timeout=5) for _ in range(16)]
    time.sleep(0.1)
    answers = [connection.recv(1 << 16) for connection in opened]  # idle ones are answered 408
    for connection in opened:
        connection.close()
    statuses = [int(answer.split()[1]) for answer in answers]
    assert set(statuses) == {408, 503}
    assert small.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n", 400),
        ("multipart/form-data; boundary=b", b"garbage", 400),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="images"\r\n\r\nabc', 400),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"x: " + b"y" * 9_000 + b"\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422),
        ("multipart/form-data; boundary=" + "b" * 3_000, b"--b--\r\n", 400),
        ("application/json", b"{", 400),
        ("application/json", b"[]", 422),
        ("application/json", b"[" * 15_000, 400),
        ("application/json", b"{}", 422),
        ("application/json", b'{"images": []}', 422),
        ("application/json", b'{"images": [1]}', 422),
        ("application/json", b'{"images": [{}]}', 422),
        ("application/json", b'{"images": [{"bytes": "***"}]}', 422),
        ("application/json", b'{"images": [{"bytes": "", "url": ""}]}', 422),
        ("application/json", b'{"images": [{"bytes": "", "name": 3}]}', 422),
        ("application/json", b'{"images": [{"bytes": "", "nane": "a"}]}', 422),
        ("application/json", b'{"images": [{"bytes": ""}], "top": 1e3}', 422),
        ("application/json", b'{"images": [{"bytes": ""}], "allowed": {"a": 1}}', 422),
        ("application/json", b'{"images": [{"bytes": ""}], "decision": ["leaf"]}', 422),
        ("application/json", b'{"images": [{"url": "file:///etc/passwd"}]}', 403),
        ("application/json", b'{"images": [{"url": "http://127.0.0.1:22/"}]}', 403),
        ("application/json", b"\xff\xfe{", 400),
        ("text/plain", b"x", 415),
        ("", b"x", 415),
        ("image/png", b"", 422),
    ],
)
def test_malformed_bodies_are_told(small: httpx.Client, kind: str, body: bytes, status: int) -> None:
    refused(small.post("/v1/predict", content=body, headers={"content-type": kind}), status)


def test_names_of_files_are_told_and_never_opened(client: httpx.Client) -> None:
    for name in ("../../etc/passwd", "/etc/passwd", "a\tb.png", "x" * 3_000, "\u202e.png"):
        (result,) = client.post("/v1/predict", files={"images": (name, picture())}).json()["results"]
        assert result["error"] is None
        assert len(result["name"]) <= 1_000


@pytest.mark.parametrize("path", ["/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/v1/models/../../x"])
def test_paths_do_not_leave_the_page(client: httpx.Client, path: str) -> None:
    url = client.base_url
    with socket.create_connection((url.host, url.port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
        answer = connection.recv(1 << 16)
    assert b" 404 " in answer.split(b"\r\n")[0]


def test_a_truncated_and_a_wrong_file_say_why(client: httpx.Client) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(buffer, "JPEG")
    message = refused(client.post("/v1/predict", files={"images": buffer.getvalue()[:3_000]}), 422)
    assert "truncated" in message
    assert "begins with" in refused(client.post("/v1/predict", files={"images": b"GIF??? no"}), 422)


def test_keys_are_asked_for_and_compared(serve: Serve) -> None:
    key = "0123456789abcdef-key"
    with serve(keys=(key, "another-key-of-some-length")) as client:
        for path in ("/v1/models", "/metrics", "/v1/models/colours/tree"):
            assert "Authorization: Bearer KEY" in refused(client.get(path), 401)
        for given in (key[:-1], key + "x", "", "Basic " + key):
            response = client.post("/v1/predict", files={"images": picture()}, headers={"authorization": given})
            assert key not in refused(response, 401)
        for path in ("/healthz", "/readyz", "/openapi.json"):
            assert client.get(path).status_code == 200
        for right in (f"Bearer {key}", "bearer another-key-of-some-length"):
            assert client.get("/v1/models", headers={"authorization": right}).status_code == 200
        assert client.get("/openapi.json").json()["security"] == [{"key": []}]


def test_metrics_count_requests_images_batches_and_refusals(serve: Serve) -> None:
    with serve() as client:
        images = [("images", ("a.png", picture())), ("images", ("b.png", b"none"))]
        client.post("/v1/predict", files=images)
        client.post("/v1/models/nobody/predict", files=images)
        client.get("/no/such/address")
        text = client.get("/metrics").text
    assert 'cladewise_requests_total{route="/v1/predict",status="200"} 1.0' in text
    assert 'cladewise_images_total{model="colours",outcome="answered"} 1.0' in text
    assert 'cladewise_images_total{model="colours",outcome="unreadable"} 1.0' in text
    assert 'cladewise_batch_images_count{model="colours"} 1.0' in text
    assert 'cladewise_refused_total{kind="model"} 1.0' in text
    assert 'cladewise_requests_total{route="other",status="404"} 1.0' in text
    assert 'cladewise_queued_images{model="colours"} 0.0' in text
