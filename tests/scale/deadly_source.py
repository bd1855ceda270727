"""A source with an image that ends every process that reads it, as too little memory does."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator

from cladewise.sources import Chunk, Row
from cladewise.sources.files import FileSource


@dataclasses.dataclass(frozen=True, slots=True)
class DeadlySource(FileSource):
    deadly: int = 0

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        for number, row in enumerate(FileSource.rows(self, chunk), start=chunk.start):
            yield dataclasses.replace(row, read=end_process) if number == self.deadly else row


def end_process() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""
