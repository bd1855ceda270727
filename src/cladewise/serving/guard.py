"""The outermost layer of a server: keys, limits on bodies, time and concurrency, and the counting of requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cladewise.serving.keys import Keyring
from cladewise.serving.metrics import Metrics
from cladewise.serving.refusals import Refused, to_json, too_busy
from cladewise.serving.settings import Limits

log = logging.getLogger("cladewise.serving")
FAULT = "a fault of this server, which its log describes"
OPEN_PATHS = ("/", "/healthz", "/readyz", "/openapi.json", "/favicon.ico")
"""Paths that need no key: the page asks for it, and probes have none."""
OPEN_FOLDER = "/page/"
DRAINED_BYTES = 8 << 20
"""Bytes of a refused body that are read and dropped, so that the client gets to read the answer."""
DRAINED_SECONDS = 2.0


class Guard:
    """Refuses requests that must not reach the application, and bounds the others.

    Args:
        app: The application.
        limits: Limits on requests.
        keys: API keys.
        metrics: Metrics of the server.
    """

    def __init__(self, app: ASGIApp, *, limits: Limits, keys: Keyring, metrics: Metrics) -> None:
        self._app, self._limits, self._keys, self._metrics = app, limits, keys, metrics
        self._active = self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # as GET; the server below sends no body
            scope = {**scope, "method": "GET"}
        exchange = _Exchange(receive, send)
        begun = time.perf_counter()
        self._active += 1
        self._metrics.active(self._active)
        body = _Body(self, exchange, self._limits)
        try:
            async with asyncio.timeout(self._limits.seconds):
                try:
                    self._check(scope, body)
                    await self._app(scope, body.receive, exchange.send)
                except Refused as refused:
                    await self._refuse(exchange, body, refused)
                except ClientDisconnect:  # nobody waits for an answer any more
                    self._metrics.refused("gone")
                except Exception:  # a fault of ours: the server goes on, and the client is told
                    log.exception("%s %s failed", scope["method"], _route(scope))
                    await self._refuse(exchange, body, Refused(500, "an answer", FAULT, kind="fault"))
        except TimeoutError:
            seconds = self._limits.seconds
            refused = Refused(
                504, f"a request that is answered within {seconds:g} s", "one that took longer", kind="time"
            )
            await self._refuse(exchange, body, refused)
        finally:
            self._active -= 1
            self._held -= body.held
            self._metrics.active(self._active)
            self._metrics.request(_route(scope), exchange.status, time.perf_counter() - begun)

    def _check(self, scope: Scope, body: _Body) -> None:
        headers = dict(scope["headers"])
        path: str = scope["path"]
        if not (path in OPEN_PATHS or path.startswith(OPEN_FOLDER)) and not self._keys.admits(
            headers.get(b"authorization", b"")
        ):
            raise Refused(
                401,
                "the header Authorization: Bearer KEY with a key of this server",
                "another" if b"authorization" in headers else "none",
                kind="key",
                headers={"www-authenticate": "Bearer"},
            )
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return
        if self._active > self._limits.requests:
            raise too_busy(f"at most {self._limits.requests} requests at the same time", "more", kind="busy")
        body.waits = headers.get(b"expect", b"").lower() == b"100-continue"
        length = headers.get(b"content-length", b"")
        if length.isdigit() and len(length) < 19:
            body.announced(int(length))

    def hold(self, added: int) -> None:
        """Count bytes of bodies that are held in memory.

        Raises:
            Refused: Too many are.
        """
        if self._held + added > self._limits.held_bytes:
            raise too_busy(f"at most {self._limits.held_bytes} bytes of requests at the same time", "more", kind="busy")
        self._held += added

    async def _refuse(self, exchange: _Exchange, body: _Body, refused: Refused) -> None:
        self._metrics.refused(refused.kind)
        if exchange.started:  # too late to say so
            raise refused
        headers = dict(refused.headers)
        if not body.ended:
            if not body.waits:
                await body.drain()
            if not body.ended:
                headers["connection"] = "close"
        await exchange.answer(refused.status, {"error": refused.error}, headers)


class _Exchange:
    """A request and its response, with its status."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive, self._send = receive, send
        self.started, self.status = False, 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
        await self._send(message)

    async def answer(self, status: int, content: Any, headers: dict[str, str]) -> None:
        body = to_json(content)
        pairs = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        raw = [(name.encode(), value.encode()) for name, value in pairs.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})


class _Body:
    """The body of a request, within its limits."""

    def __init__(self, guard: Guard, exchange: _Exchange, limits: Limits) -> None:
        self._guard, self._exchange, self._limits = guard, exchange, limits
        self._end = asyncio.get_running_loop().time() + limits.body_seconds
        self.held, self._read, self.ended = 0, 0, False
        self.waits = False  # the client sends nothing until it is told to

    def announced(self, length: int) -> None:
        """Hold the bytes that the headers announce.

        Raises:
            Refused: They are too many.
        """
        if length > self._limits.bytes:
            raise self._too_large(f"{length} bytes")
        self._guard.hold(length)
        self.held = length

    async def receive(self) -> Message:
        if self.ended:
            return await self._exchange.receive()
        try:
            async with asyncio.timeout_at(self._end):
                self.waits = False
                message = await self._exchange.receive()
        except TimeoutError:
            seconds = self._limits.body_seconds
            raise Refused(408, f"a body that arrives within {seconds:g} s", "a slower one", kind="slow") from None
        if message["type"] == "http.request":
            self.ended = not message.get("more_body", False)
            self._read += len(message.get("body", b""))
            if self._read > self._limits.bytes:
                raise self._too_large("more")
            if self._read > self.held:
                self._guard.hold(self._read - self.held)
                self.held = self._read
        return message

    async def drain(self) -> None:
        """Read and drop the rest of the body, unless that takes too long."""
        dropped = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAINED_SECONDS):
                while not self.ended and dropped < DRAINED_BYTES:
                    message = await self._exchange.receive()
                    dropped += len(message.get("body", b""))
                    self.ended = message["type"] != "http.request" or not message.get("more_body", False)

    def _too_large(self, got: str) -> Refused:
        return Refused(413, f"a body of at most {self._limits.bytes} bytes", got, kind="bytes")


def _route(scope: Scope) -> str:
    """The route that answered, without the names in its address, of which clients could make any number."""
    route = scope.get("route")
    return getattr(route, "path", "other")
