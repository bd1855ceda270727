"""Images from URLs: only from the list, never off it, within limits."""

from __future__ import annotations

import http.server
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cladewise.errors import InputError
from cladewise.serving import Limits
from cladewise.serving.fetching import check_prefix, is_allowed

from .conftest import Serve, picture, refused


class _Photos(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        pages: dict[str, tuple[int, bytes, dict[str, str]]] = {
            "/photos/a.png": (200, picture(), {}),
            "/photos/large": (200, b"x" * 50_000, {}),
            "/photos/on": (302, b"", {"location": "/photos/a.png"}),
            "/photos/off": (302, b"", {"location": "/secrets/a.png"}),
            "/photos/away": (302, b"", {"location": "http://169.254.169.254/latest"}),
            "/photos/round": (302, b"", {"location": "/photos/round"}),
            "/photos/text": (200, b"no image", {}),
            "/secrets/a.png": (200, picture(), {}),
        }
        status, body, headers = pages.get(self.path, (404, b"", {}))
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Writes nothing."""


@pytest.fixture(scope="module")
def photos() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Photos)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_urls_are_fetched_from_the_list_alone(serve: Serve, photos: str) -> None:
    with serve(allow_urls=(f"{photos}/photos/",), limits=Limits(bytes=40_000)) as client:

        def ask(*urls: str) -> Any:
            return client.post("/v1/predict", json={"images": [{"url": url} for url in urls]})

        own = client.post("/v1/predict", files={"images": ("a", picture())}).json()["results"][0]
        for name in ("a.png", "on"):
            (found,) = ask(f"{photos}/photos/{name}").json()["results"]
            assert (found["id"], found["node"], found["name"]) == (own["id"], own["node"], f"{photos}/photos/{name}")
        for url in (
            f"{photos}/secrets/a.png",
            f"{photos}/photos/off",
            f"{photos}/photos/away",
            f"{photos}/photos/../secrets/a.png",
            f"{photos}/photos/%2e%2e/secrets/a.png",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            f"{photos}.example.org/photos/a.png",
            "http://[::1",
        ):
            assert "an allowed one" in refused(ask(url), 403), url
        assert "at most 40000 bytes" in refused(ask(f"{photos}/photos/large"), 413)
        assert "answered 404" in refused(ask(f"{photos}/photos/none"), 422)
        assert "more than 3 times" in refused(ask(f"{photos}/photos/round"), 422)
        assert "not an image" in refused(ask(f"{photos}/photos/text"), 422)
        first, second = ask(f"{photos}/photos/none", f"{photos}/photos/a.png").json()["results"]
        assert "answered 404" in first["error"]
        assert second["node"] == own["node"]


def test_a_name_that_stands_for_a_private_address_is_refused(serve: Serve) -> None:
    name = socket.gethostname()
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(name, 80)}
    except OSError:
        pytest.skip("needs a name for this machine")
    if all(ipaddress.ip_address(address).is_global for address in addresses):
        pytest.skip("needs a private address")
    with serve(allow_urls=(f"http://{name}/",)) as client:
        response = client.post("/v1/predict", json={"images": [{"url": f"http://{name}/a.png"}]})
        assert "private address" in refused(response, 403)


@pytest.mark.parametrize(
    "prefix", ["", "photos", "ftp://a/", "https://", "https://u:p@a/", "https://a/?q=1", "http://["]
)
def test_prefixes_that_are_none_are_refused(prefix: str) -> None:
    with pytest.raises(InputError, match="the beginning of URLs"):
        check_prefix(prefix)


def test_a_prefix_is_a_folder_and_not_the_beginning_of_a_word() -> None:
    allowed = ["https://a.org/photos", "http://b.org"]
    for url in ("https://a.org/photos", "https://a.org/photos/1", "https://a.org:443/photos/1", "http://b.org/x"):
        assert is_allowed(url, allowed), url
    for url in ("https://a.org/photos2", "http://a.org/photos/1", "https://a.org:8443/photos/1", "http://b.org:81/"):
        assert not is_allowed(url, allowed), url
