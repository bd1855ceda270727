"""The server of one process: uvicorn with bounded connections, a graceful stop, and models loaded again on SIGHUP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Generator
from typing import Any

import uvicorn

from cladewise.errors import InputError
from cladewise.scale.allocation import give_back_images
from cladewise.serving.app import create_app
from cladewise.serving.protocol import BoundedProtocol
from cladewise.serving.settings import Settings

KEEP_ALIVE = 30
"""Seconds that an idle connection stays open."""


class Server(uvicorn.Server):
    """Serves an application made from settings.

    ``run(sockets=[...])`` returns when SIGTERM or SIGINT has come and all requests that were accepted are answered.

    Args:
        settings: Settings of the server.

    Raises:
        InputError: As :func:`~cladewise.serving.create_app`.
    """

    def __init__(self, settings: Settings) -> None:
        give_back_images()
        self.problem: Exception | None = None
        """Why a model could not be loaded at the start, which ends the server."""
        self._settings, self._hung_up, self._parent = settings, False, os.getppid()
        self._application = create_app(settings, failed=self._failed)
        super().__init__(
            uvicorn.Config(
                self._application,
                http=type("Protocol", (BoundedProtocol,), {"limits": settings.limits}),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=max(1, round(settings.limits.seconds)),
            )
        )

    @property
    def ready(self) -> bool:
        """Whether all models are loaded and it is not stopping."""
        return self._application.state.server.models.ready

    def stop(self) -> None:
        """End as on SIGTERM, from any thread."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def on_tick(self, counter: int) -> bool:
        if self._settings.shared is not None and os.getppid() != self._parent:
            self.should_exit = True  # the process that started this one was killed
        if self._hung_up:
            self._hung_up = False
            for name in self._settings.runs:
                task = asyncio.create_task(self._reload(name))
                self.server_state.tasks.add(task)
                task.add_done_callback(self.server_state.tasks.discard)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._application.state.server.models.stopping = True
        await super().shutdown(sockets)

    async def _reload(self, name: str) -> None:
        shared = self._application.state.server
        with contextlib.suppress(InputError, OSError):  # it has been logged
            await shared.in_thread(shared.models.reload, name)

    def _hang_up(self, *_: Any) -> None:
        self._hung_up = True

    def _failed(self, problem: Exception) -> None:
        self.problem, self.should_exit = problem, True
