"""HTTP connections with limits that uvicorn does not have: on the size and the time of headers, and on their number."""

from __future__ import annotations

import http
from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cladewise.errors import InputError
from cladewise.serving.refusals import error_body, to_json
from cladewise.serving.settings import Limits


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose requests must send their headers within some time and size.

    uvicorn waits for ever for a client that connects and sends nothing, or one byte of a header per minute, and takes
    headers of any size. Every refusal is answered in JSON, as everywhere else.
    """

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: TimerHandle | None = None
        self._header_bytes, self._in_headers, self._refused = 0, True, False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, f"at most {self.limits.connections} open connections", "more", "Try again in a second.")
            return
        self._timer = self.loop.call_later(self.limits.header_seconds, self._slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.parser is None:  # pyright: ignore[reportUnnecessaryComparison]
            return
        super().data_received(data)
        if self._in_headers:
            self._count(len(data))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes, self._in_headers = 0, True
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_seconds, self._slow)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)  # with the colon, the blank and the end of the line

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_headers, self._header_bytes = False, 0
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            self._refuse(400, "a request of HTTP/1.1", "one that cannot be parsed")

    def _count(self, added: int) -> None:
        self._header_bytes += added
        if self._header_bytes > self.limits.header_bytes and not self._refused:
            self._refuse(431, f"headers of at most {self.limits.header_bytes} bytes", "more")

    def _slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(408, f"headers that arrive within {self.limits.header_seconds:g} s", "slower ones")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, expected: str, got: str, advice: str = "") -> None:
        self._refused = True
        self._stop_timer()
        body = to_json({"error": error_body(InputError(expected, got, advice=advice))})
        head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()
