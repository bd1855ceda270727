"""A server for the page of an audit on this machine alone, which writes each decision to the table at once."""

from __future__ import annotations

import http.server
import json
import secrets
import threading
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cladewise.auditing.corrected import FILE, Decision, checked, read_corrections, write_corrections
from cladewise.datasets import Dataset
from cladewise.errors import InputError

HOST = "127.0.0.1"
LARGEST = 1 << 16
"""Bytes of the largest decision that is read."""
SECONDS = 30
"""Seconds after which a silent connection is closed."""


class AuditServer(http.server.ThreadingHTTPServer):
    """Serves one page on the loopback address, and keeps decisions as a table.

    The table is written whole and flushed before a decision is answered, so that nothing that was answered is lost.
    The address has a random token; requests from other pages and by other users of the machine are refused.

    Args:
        page: The page.
        dataset: The data, for the paths and nodes of decisions.
        port: Port to listen on; 0 for a free one.

    Raises:
        InputError: The port is taken, or there is no page.
    """

    daemon_threads = True

    def __init__(self, page: Path, dataset: Dataset, *, port: int = 0) -> None:
        if not page.is_file():
            raise InputError("the page of an audit", "no such file", at=str(page))
        self.folder, self.dataset, self.token = page.parent, dataset, secrets.token_urlsafe(16)
        self.known = frozenset(str(path) for path in dataset.paths)
        self.content = page.read_bytes()
        self.decided: dict[str, Decision] = read_corrections(self.folder, dataset)
        self.writing = threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            advice = "Choose another, or 0 for a free one."
            raise InputError("a free port", f"{port}: {error.strerror}", advice=advice) from None

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_address[1]}/?token={self.token}"

    @property
    def table(self) -> Path:
        """The table of corrections."""
        return self.folder / FILE

    def decide(self, path: Any, action: Any, node: Any) -> None:
        """Keep a decision; without an action the image is undecided again.

        Raises:
            InputError: The image, the action or the node is not known, or the table cannot be written.
        """
        decision = checked(self.dataset, self.known, path, action or "keep", node)
        with self.writing:
            decided = {kept: made for kept, made in self.decided.items() if kept != path}
            if action is not None:
                decided[path] = decision
            write_corrections(self.folder, self.dataset, decided)
            self.decided = decided


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers the page and takes decisions."""

    server: AuditServer  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = SECONDS
    protocol_version = "HTTP/1.1"
    server_version = "cladewise"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, since the page shows what was saved."""

    def do_GET(self) -> None:
        """The page, or the decisions made so far, for requests with the token."""
        path, _, query = self.path.partition("?")
        is_known = secrets.compare_digest(query.encode(), f"token={self.server.token}".encode())
        if not self._is_local():
            self._answer(HTTPStatus.FORBIDDEN, "another host")
        elif not is_known:
            self._answer(HTTPStatus.FORBIDDEN, "open the address that the command printed")
        elif path == "/":
            self._answer(HTTPStatus.OK, self.server.content, "text/html; charset=utf-8")
        elif path == "/corrections":
            self._answer(HTTPStatus.OK, json.dumps(self.server.decided), "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        """One decision."""
        length = self.headers.get("Content-Length", "")
        token = self.headers.get("X-Token", "")
        if not self._is_local() or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN, "open the address that the command printed")
        elif self.path != "/corrections":
            self._refuse(HTTPStatus.NOT_FOUND, "no such address")
        elif not length.isdecimal() or int(length) > LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a decision of a known, small size is expected")
        else:
            self._decide(self.rfile.read(int(length)))

    def _decide(self, body: bytes) -> None:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return self._answer(HTTPStatus.BAD_REQUEST, "a decision in JSON is expected")
        if not isinstance(content, Mapping):
            return self._answer(HTTPStatus.BAD_REQUEST, "a JSON object is expected")
        try:
            self.server.decide(content.get("path"), content.get("action"), content.get("node"))
        except InputError as error:
            return self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        return self._answer(HTTPStatus.OK, "kept")

    def _is_local(self) -> bool:
        """Whether a request names the page's own address, and not another name that resolves to it."""
        return self.headers.get("Host", "") == f"{HOST}:{self.server.server_address[1]}"

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """An answer to a request whose body is not read."""
        self.close_connection = True
        self._answer(status, text)

    def _answer(self, status: HTTPStatus, body: str | bytes, kind: str = "text/plain; charset=utf-8") -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
