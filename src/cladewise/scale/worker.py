"""Predicts whole parts, in any process: the run, its rules and its encoder are loaded once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise import runtimes
from cladewise.backbones import Towers
from cladewise.engine.devices import preferred_device
from cladewise.engine.run import Run
from cladewise.predictions import Prediction
from cladewise.scale.allocation import give_back_images
from cladewise.scale.answering import Answered, Answerer, batched, kept_scores, part_table, passed_columns
from cladewise.scale.inputs import Decoder
from cladewise.scale.job import Job, Kept
from cladewise.scale.kept import KeptRows, encoder_identity, features_file, half
from cladewise.scale.parts import Part
from cladewise.sources import Chunk, Row, Source

IntArray = NDArray[np.int64]
Watch = Callable[[int, int], None]
"""Called with numbers of rows and of errors as they are done."""


def ignore(rows: int, errors: int) -> None:
    """Watch nothing."""


@dataclasses.dataclass(frozen=True)
class Worker:
    """Predicts parts of a job.

    Args:
        job: The job.
        source: Its images, or the kept rows of an earlier job.
        answerer: Head and rules.
        threads: Threads that read and decode; ``None`` for a number that fits the processors and the storage.
        compiled: The encoder, if it has been compiled; one of another runtime than the job's is not used.
        processors: Processors for these threads; ``None`` for all of the machine's.
    """

    job: Job
    source: Source | KeptRows
    answerer: Answerer
    threads: int | None = None
    compiled: runtimes.Encoder | None = None
    processors: int | None = None

    def load(self) -> None:
        """Load the network and compile the encoder, so that the first part does not wait, nor fail, for them.

        Raises:
            InputError: The encoder cannot be compiled, or a file that a rule reads is missing.
        """
        self.answerer.nothing()
        if not isinstance(self.source, KeptRows):
            side = self.run.backbone.image_size
            self.encode(torch.zeros(1, 3, side, side))

    def parts(self, numbers: Iterable[int], watch: Watch = ignore) -> Iterator[Part]:
        """Predict parts, in the order of their numbers.

        Each part depends on its own rows alone, so it has the same bytes whichever process predicts it, and when.
        """
        if isinstance(self.source, KeptRows):
            yield from (self._from_kept(self.source, number, watch) for number in numbers)
            return
        give_back_images()
        source, chunks, begun = self.source, self._chunks, _Begun(self)
        wanted = list(numbers)
        rows = ((number, row) for number in wanted for row in source.rows(chunks[number]))
        waiting = iter(wanted)
        decoder = Decoder(self.run.backbone.transform(), self.threads, source.is_remote, self.processors)
        for number, batch in decoder.batches(rows):
            while begun.number != number:  # parts in between have no rows
                if begun.number is not None:
                    yield begun.finish()
                begun = _Begun(self, next(waiting))
            images = [item.image for item in batch if isinstance(item.image, Tensor)]
            errors = [item.image if isinstance(item.image, str) else None for item in batch]
            begun.add([item.row for item in batch], errors, self.encode(torch.stack(images)) if images else None)
            watch(len(batch), len(batch) - len(images))
        if begun.number is not None:
            yield begun.finish()
        yield from (_Begun(self, number).finish() for number in waiting)

    def num_rows(self, numbers: Sequence[int]) -> int | None:
        """Number of rows of some parts; ``None`` if it is not known before they are read."""
        if isinstance(self.source, KeptRows):
            return self.source.num_rows(numbers)
        chunks = self._chunks
        sizes = [chunk.stop - chunk.start for number in numbers if (chunk := chunks[number]).stop is not None]
        return sum(sizes) if len(sizes) == len(numbers) else None

    @property
    def run(self) -> Run:
        """The run."""
        return self.answerer.run

    def encode(self, images: Tensor) -> Tensor:
        """Features of images, on the CPU."""
        return self._encoder(images).float().cpu()

    @cached_property
    def encoder_identity(self) -> dict[str, str]:
        """Identity of the features; a hash of all weights, so once per process and not per part."""
        return encoder_identity(self.run)

    @cached_property
    def _chunks(self) -> list[Chunk]:
        assert not isinstance(self.source, KeptRows)
        return self.source.chunks(self.job.part_rows)

    @cached_property
    def _encoder(self) -> Callable[[Tensor], Tensor]:
        device, classifier = preferred_device(self.run.config.training.accelerator), self.run.classifier
        classifier.to(device)
        if self.compiled is not None and self.compiled.runtime == self.job.runtime:
            return self.compiled
        if not isinstance(classifier.encoder, Towers):
            return runtimes.compile(
                self.run.backbone,
                self.job.runtime,
                precision=self.job.precision,
                device=device,  # type: ignore[arg-type]
            )

        def encode(images: Tensor) -> Tensor:
            with torch.inference_mode():
                return classifier.encode(images.to(device))

        return encode

    def _from_kept(self, kept: KeptRows, number: int, watch: Watch) -> Part:
        table, rows, values = kept.read(number, self.run, self.encoder_identity)
        size = self.answerer.rows_at_once
        columns = table.select(pl.col(kept.shown(given)).alias(given) for given in self.job.columns)
        if isinstance(values, Prediction):
            starts = range(0, len(rows), size)
            found = [self.answerer.answer(rows[i : i + size], values[i : i + size], columns) for i in starts]
        else:
            features = batched(rows, values, size)
            found = [self.answerer.answer(at, self.answerer.score(part), columns) for at, part in features]
        names, errors = table["path"].to_list(), table["error"].to_list()
        passed = table.select(pl.col(kept.shown(given)).alias(name) for given, name in self.job.columns.items())
        found = found or [self.answerer.nothing()]
        part = Part(number, part_table(names, errors, passed, found))
        watch(part.table.height, part.num_errors)
        return part


class _Begun:
    """A part whose rows are being added."""

    def __init__(self, worker: Worker, number: int | None = None) -> None:
        self.number, self._worker = number, worker
        self._rows, self._errors = list[Row](), list[str | None]()
        self._waiting = list[tuple[IntArray, Tensor]]()  # features that have no answer yet, with their rows
        self._answered = list[Answered]()
        self._kept = list[tuple[IntArray, Tensor]]()

    def add(self, rows: list[Row], errors: list[str | None], features: Tensor | None) -> None:
        """Add a batch: its rows, why some have no features, and the features of the others."""
        start = len(self._rows)
        self._rows += [dataclasses.replace(row, read=_released) for row in rows]
        self._errors += errors
        if features is not None:
            read = [start + place for place, error in enumerate(errors) if error is None]
            self._waiting.append((np.array(read, dtype=np.int64), features))
        if self._worker.answerer.grouping is not None:
            return  # groups are answered when all of their rows are there
        if sum(len(at) for at, _ in self._waiting) >= self._worker.answerer.rows_at_once:
            self._answer()

    def finish(self) -> Part:
        """The part, when all of its rows have been added."""
        assert self.number is not None
        if self._worker.answerer.grouping is not None:
            return self._finish_groups(self.number)
        self._answer()
        worker = self._worker
        answered = self._answered or [worker.answerer.nothing()]
        kept: dict[Kept, bytes] = {}
        if "features" in worker.job.keep:
            kept["features"] = features_file(
                self._kept, worker.encoder_identity, worker.job.precision, worker.run.backbone.num_features
            )
        if "scores" in worker.job.keep:
            kept["scores"] = kept_scores(answered, worker.job.model)
        passed = passed_columns(self._rows, worker.source.columns, worker.job.columns)
        names = [row.name for row in self._rows]
        return Part(self.number, part_table(names, self._errors, passed, answered), kept)

    def _finish_groups(self, number: int) -> Part:
        """The part with one row per group: its key, size and further columns, and its answer or its first error."""
        answerer, names = self._worker.answerer, [row.name for row in self._rows]
        size = answerer.rows_at_once
        slices = (
            (at, answerer.score(part)) for rows, values in self._waiting for at, part in batched(rows, values, size)
        )
        groups, answered = answerer.answer_groups(slices, names, self._columns())
        errors: list[str | None] = [None] * len(groups.keys)
        for group, error in zip(groups.group.tolist(), self._errors, strict=True):
            errors[group] = errors[group] or error
        self._waiting.clear()
        worker = self._worker
        passed = groups.agreed(passed_columns(self._rows, worker.source.columns, worker.job.columns))
        passed = passed.insert_column(0, pl.Series("images", groups.sizes))
        return Part(number, part_table(list(groups.keys), errors, passed, [answered]))

    def _columns(self) -> pl.DataFrame:
        """The further columns of the rows so far, under their names in the input."""
        types = self._worker.source.columns
        return passed_columns(self._rows, types, dict(zip(types, types, strict=True)))

    def _answer(self) -> None:
        """Answer the rows that wait for it."""
        if not self._waiting:
            return
        rows = np.concatenate([at for at, _ in self._waiting])
        features = torch.cat([values for _, values in self._waiting])
        self._waiting.clear()
        answerer = self._worker.answerer
        columns = self._columns() if answerer.needs_columns else None
        for at, values in batched(rows, features, answerer.rows_at_once):
            self._answered.append(answerer.answer(at, answerer.score(values), columns))
        if "features" in self._worker.job.keep:
            self._kept.append((rows, half(features)))


def _released() -> bytes:
    """Stands for the bytes of an image that has been read, so that they are not held until the part is written."""
    raise AssertionError("the image has been read")
