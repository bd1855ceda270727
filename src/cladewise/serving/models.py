"""The models of a server: loaded when it starts, and replaced while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from cladewise.engine.feeding.threads import usable_processors
from cladewise.errors import InputError
from cladewise.serving.metrics import Metrics
from cladewise.serving.model import Model, fingerprint, load
from cladewise.serving.refusals import Refused
from cladewise.serving.settings import Settings

log = logging.getLogger("cladewise.serving")


class Models:
    """The models of a server by name.

    Args:
        settings: Settings of the server.
        metrics: Metrics of the server.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self._metrics = settings, metrics
        threads = settings.threads or usable_processors()
        self._decoders = ThreadPoolExecutor(threads, thread_name_prefix="cladewise-decode")
        self.helpers = ThreadPoolExecutor(4, thread_name_prefix="cladewise-help")
        """Threads for rare, long work: loading, fitting rules, large bodies, writing corrections."""
        self._models: dict[str, Model] = {}
        self._locks = {name: threading.Lock() for name in settings.runs}
        self._seen = {name: self._generation(name) for name in settings.runs}
        self.stopping = False

    @property
    def ready(self) -> bool:
        """Whether all models are loaded and the server is not stopping."""
        return not self.stopping and len(self._models) == len(self.settings.runs)

    def load(self) -> None:
        """Load all models.

        Raises:
            InputError: One of them cannot be loaded.
        """
        for name, path in self.settings.runs.items():
            self._models[name] = load(name, path, self.settings, self._decoders, self._metrics.batched(name))
            log.info("model %s is loaded from %s", name, path)

    def __getitem__(self, name: str) -> Model:
        """The model of a name.

        Raises:
            Refused: There is none, or it is still being loaded.
        """
        found = self._models.get(name)
        if found is not None:
            return found
        if name in self.settings.runs:
            raise Refused(
                503,
                f"a model {name} that is loaded",
                "one that is still being loaded",
                advice="Try again in a second.",
                kind="loading",
                headers={"retry-after": "1"},
            )
        raise Refused(404, f"a model: {', '.join(self.settings.runs)}", repr(name), kind="model")

    def all(self) -> list[Model]:
        """The loaded models, in the order in which they were named."""
        return [self._models[name] for name in self.settings.runs if name in self._models]

    def reload(self, name: str) -> Model:
        """Load a model again; the old one answers until the new one has been checked, and stays if that fails.

        Raises:
            InputError: The new one cannot be loaded.
        """
        with self._locks[name]:
            old = self._models.get(name)
            try:
                new = load(name, self.settings.runs[name], self.settings, self._decoders, self._metrics.batched(name))
            except Exception as error:
                self._metrics.reloaded(name, "failed")
                log.error("model %s is not replaced: %s", name, error)
                if isinstance(error, (InputError, OSError)):
                    raise
                raise InputError("a run that can be loaded", str(error), at=str(self.settings.runs[name])) from error
            self._models[name] = new
            if old is not None:
                old.close()
            self._metrics.reloaded(name, "replaced")
            log.info("model %s is replaced", name)
            return new

    def announce(self, name: str) -> None:
        """Let the other processes of the server load a model again, too."""
        if self.settings.shared is not None:
            (self.settings.shared / f"reload-{name}").touch()
            self._seen[name] = self._generation(name)

    async def watch(self, seconds: float) -> None:
        """Until cancelled, load models again whose run folder changed or that another process loaded again."""
        tried: dict[str, object] = {}
        while True:
            await asyncio.sleep(seconds)
            for name, model in list(self._models.items()):
                now = fingerprint(self.settings.runs[name]) if self.settings.watch else model.fingerprint
                asked = self._generation(name) != self._seen[name]
                if not asked and (now == model.fingerprint or tried.get(name) == now):
                    continue
                tried[name], self._seen[name] = now, self._generation(name)
                with contextlib.suppress(InputError, OSError):  # it has been logged, and the old one stays
                    await asyncio.get_running_loop().run_in_executor(self.helpers, self.reload, name)

    def _generation(self, name: str) -> int:
        """A value that changes when a process of the server has loaded a model again."""
        if self.settings.shared is None:
            return 0
        try:
            return (self.settings.shared / f"reload-{name}").stat().st_mtime_ns
        except OSError:
            return 0

    def close(self) -> None:
        """End all threads once the waiting images have been answered."""
        for model in self._models.values():
            model.close()
            model.join()
        self._decoders.shutdown()
        self.helpers.shutdown()
