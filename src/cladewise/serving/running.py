"""Running a server: in one process, or in several that share a socket."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gc
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Generator
from multiprocessing.process import BaseProcess
from os import PathLike
from pathlib import Path

from cladewise.errors import InputError
from cladewise.serving import logs
from cladewise.serving.settings import Settings, named_runs

log = logging.getLogger("cladewise.serving")

FAILED = 2
"""Exit code of a server that cannot load a model."""
GARBAGE_THRESHOLDS = (2_000, 10, 10)
"""Numbers of objects after which cycles are looked for: commands look less often, but end soon."""
RESTART_AFTER = 1.0
"""Seconds before a process that ended is started again."""


def serve(
    settings: Settings | str | PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    json_logs: bool = False,
    listening: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve runs over HTTP until SIGTERM or Ctrl-C; then requests that were accepted are answered before it returns.

    SIGHUP loads all models again.

    Args:
        settings: Models, limits and further settings; or the folder of a run, to be served with the default settings.
        host: Address to listen on.
        port: Port; 0 for a free one.
        workers: Number of processes, each of which loads all models.
        json_logs: Write the log as JSON lines.
        listening: Called with the address once the socket is open.

    Raises:
        InputError: The address is in use or not one of this machine, an accepted format is unknown, or a model cannot
            be loaded.
        MissingExtraError: A package of the extra ``serve`` is not installed.
    """
    from cladewise.serving import app  # a missing package is reported before a socket is open

    assert app
    if not isinstance(settings, Settings):
        settings = Settings(named_runs([Path(settings)], []))
    settings.check_formats()
    with listening_on(host, port) as opened:
        listening(f"http://{_shown(host)}:{opened.getsockname()[1]}")
        if workers == 1:
            serve_on(settings, opened, json_logs=json_logs)
        else:
            _supervise(settings, opened, workers, json_logs)


def serve_on(settings: Settings, opened: socket.socket, *, json_logs: bool = False) -> None:
    """Serve on an open socket in this process, as :func:`serve` does.

    Raises:
        InputError: A model cannot be loaded.
    """
    from cladewise.serving.server import Server

    logs.set_up(as_json=json_logs)
    server = Server(settings)
    gc.freeze()  # what was imported stays, and need not be searched for garbage again
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    server.run(sockets=[opened])
    if server.problem is not None:
        raise server.problem


def _shown(host: str) -> str:
    """A host as it is written before a port."""
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def listening_on(host: str, port: int) -> Generator[socket.socket, None, None]:
    """An open socket that listens on an address.

    Raises:
        InputError: The address is in use, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            advice = "Choose another one: port=" if getattr(error, "errno", None) == errno.EADDRINUSE else ""
            raise InputError(
                "a free address of this machine", f"{_shown(host)}:{port}: {reason}", advice=advice
            ) from error
        opened.listen(2048)
        yield opened
    finally:
        opened.close()


def _supervise(settings: Settings, opened: socket.socket, workers: int, json_logs: bool) -> None:
    """Keep processes running that serve on one socket, until a signal comes.

    Raises:
        InputError: A process cannot load its models.
    """
    from cladewise.engine.feeding.threads import usable_processors
    from cladewise.serving.metrics import share_between_processes

    logs.set_up(as_json=json_logs)
    folder = Path(tempfile.mkdtemp(prefix="cladewise-serve-"))
    share_between_processes(folder / "metrics")
    threads = settings.threads or max(1, usable_processors() // workers)
    own = dataclasses.replace(settings, shared=folder, threads=threads)
    spawn = multiprocessing.get_context("spawn")

    def started() -> BaseProcess:
        process = spawn.Process(target=_work, args=(own, opened, json_logs), name="cladewise-serve")
        process.start()
        return process

    ending: list[int] = []
    hang_ups: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: ending.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda n, _: hang_ups.append(n))
    processes = [started() for _ in range(workers)]
    try:
        while not ending:
            time.sleep(0.1)
            if hang_ups:
                hang_ups.clear()
                for process in processes:
                    _signal(process, signal.SIGHUP)
            for place, process in enumerate(processes):
                if process.is_alive() or ending:
                    continue
                if process.exitcode == FAILED:
                    raise InputError("runs that can be loaded", "others", advice="See the message above.")
                log.warning("process %s ended with code %s and is started again", process.pid, process.exitcode)
                _forget(process.pid)
                time.sleep(RESTART_AFTER)
                processes[place] = started()
    finally:
        opened.close()  # so that no connection waits for a process that will not take it
        for process in processes:
            _signal(process, signal.SIGTERM)
        end = time.monotonic() + settings.limits.seconds + 10
        for process in processes:
            process.join(max(0.1, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        for number, handler in before.items():
            signal.signal(number, handler)
        shutil.rmtree(folder, ignore_errors=True)


def _work(settings: Settings, opened: socket.socket, json_logs: bool) -> None:
    """The body of one of several processes."""
    try:
        serve_on(settings, opened, json_logs=json_logs)
    except (InputError, OSError) as error:
        logging.getLogger("cladewise.serving").error("%s", error)
        os._exit(FAILED)


def _signal(process: BaseProcess, number: int) -> None:
    if process.pid is not None and process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _forget(pid: int | None) -> None:
    """Take a process that ended out of the sums of gauges."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
