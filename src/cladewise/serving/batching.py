"""Images of many requests, decoded by threads and answered together by one thread per model.

Images wait only while the encoder is busy: whatever has been decoded by then is the next batch. Under load batches fill
up by themselves, and an image that arrives alone is answered at once.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch import Tensor

from cladewise.datasets import UnreadableImageError
from cladewise.serving.asking import Given, Rules, Shown

Result = dict[str, Any]
Decode = Callable[[Given], Tensor]
log = logging.getLogger("cladewise.serving")

FAILED = "an image that this server could not answer (see its log)"


class Ticket:
    """A request whose images are being answered.

    Args:
        images: Its images.
        rules: The rules to answer by.
        shown: The parts of each answer to send.
    """

    def __init__(self, images: Sequence[Given], rules: Rules, shown: Shown) -> None:
        self.rules, self.shown = rules, shown
        self.results: list[Result | None] = [None] * len(images)
        self.given_up = False
        self.failed = False
        self._missing, self._lock = len(images), threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def wait(self) -> list[Result]:
        """The results, when all are there. Images of a request that no longer waits are not answered."""
        try:
            await self._done
        except BaseException:
            self.given_up = True
            raise
        return [result for result in self.results if result is not None]

    def set(self, place: int, result: Result) -> bool:
        """Note the result of one image, from any thread; whether it was the last."""
        with self._lock:
            self.results[place] = result
            self._missing -= 1
            return self._missing == 0

    def finish(self) -> None:
        """Tell the request that all its results are there."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


Item = tuple[Ticket, int, Tensor]


class Line:
    """The images that wait for one model, and the thread that answers them.

    Args:
        decode: Makes the encoder's input from an image as given; called in the pool.
        answer: Answers some images; called in the thread of this line.
        pool: Threads that decode.
        batch: Largest number of images that are answered together.
        wait: Seconds that an image waits for others while the thread is free.
        batched: Called with the size of every batch.
    """

    def __init__(
        self,
        decode: Decode,
        answer: Callable[[list[Item]], list[Result]],
        pool: ThreadPoolExecutor,
        *,
        batch: int,
        wait: float,
        batched: Callable[[int], None],
    ) -> None:
        self._decode, self._answer, self._pool = decode, answer, pool
        self._batch, self._wait, self._batched = batch, wait, batched
        self._ready: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._outstanding, self._closing, self._lock = 0, False, threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = True
        """Whether the last thing in the queue is the end, or there is no thread yet."""

    @property
    def waiting(self) -> int:
        """Number of images that have no result yet."""
        return self._outstanding

    def submit(self, ticket: Ticket, images: Sequence[Given]) -> None:
        """Answer the images of a request, also after :meth:`close`: it may have looked up its model before that."""
        with self._lock:
            self._outstanding += len(images)
            if self._ending and images:
                self._ending = False
                before = self._thread
                self._thread = threading.Thread(target=self._run, args=(before,), name="cladewise-answers", daemon=True)
                self._thread.start()
        for place, image in enumerate(images):
            self._pool.submit(self._decoded, ticket, place, image)

    def close(self) -> None:
        """End the thread when the images that wait now have been answered."""
        with self._lock:
            self._closing = True
            self._end_if_idle()

    def join(self) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join()

    def _decoded(self, ticket: Ticket, place: int, given: Given) -> None:
        if ticket.given_up:
            self._settle(ticket, place, {"error": "a request that was given up"})
            return
        try:
            image = self._decode(given)
        except UnreadableImageError as error:
            self._settle(ticket, place, {"error": error.reason})
        except MemoryError:
            self._settle(ticket, place, {"error": "an image that takes more memory to decode than there is"})
        except Exception:  # no image may end the server
            log.exception("an image could not be decoded")
            ticket.failed = True
            self._settle(ticket, place, {"error": FAILED})
        else:
            self._ready.put((ticket, place, image))

    def _settle(self, ticket: Ticket, place: int, result: Result) -> None:
        if ticket.set(place, result):
            ticket.finish()
        with self._lock:
            self._outstanding -= 1
            self._end_if_idle()

    def _end_if_idle(self) -> None:
        """End the thread if no image is left, and none is expected; called with the lock."""
        if self._closing and not self._outstanding and not self._ending:
            self._ending = True
            self._ready.put(None)

    def _run(self, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()  # one thread at a time runs the encoder
        while (first := self._ready.get()) is not None:
            batch = self._with_more(first)
            found: list[Result]
            try:
                self._batched(len(batch))
                found = self._answer(batch)
            except Exception:  # nor may a batch
                log.exception("a batch of %d images could not be answered", len(batch))
                for ticket, _, _ in batch:
                    ticket.failed = True
                found = [{"error": FAILED} for _ in batch]
            for (ticket, place, _), result in zip(batch, found, strict=True):
                self._settle(ticket, place, result)

    def _with_more(self, first: Item) -> list[Item]:
        """The batch of an image: those that are ready, and those that will be within the time to wait."""
        batch, end = [first], time.monotonic() + self._wait if self._wait else 0.0
        while len(batch) < self._batch:
            try:
                left = end - time.monotonic() if end else 0.0
                item = self._ready.get(timeout=left) if left > 0 else self._ready.get_nowait()
            except queue.Empty:
                break
            if item is None:  # the end, which is put last
                self._ready.put(None)
                break
            if not item[0].given_up:
                batch.append(item)
            else:
                self._settle(item[0], item[1], {"error": "a request that was given up"})
        return batch
