"""Input rows with their images decoded, in the batches of a part."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from PIL.Image import Image
from torch import Tensor

from cladewise.backbones import Transform
from cladewise.datasets import UnreadableImageError, decode
from cladewise.engine.feeding.threads import ordered_map, usable_processors
from cladewise.errors import InputError, MissingExtraError
from cladewise.sources import Chunk, Row, Source
from cladewise.sources.source import Box

BATCH = 32
"""Images per batch of the encoder. It is not configurable, since it may change the last bits of features."""
READERS = 32
"""Threads that read and decode if images come over a network, where most of them wait."""


@dataclasses.dataclass(frozen=True)
class InputRow:
    """One row of the output before it has an answer.

    Args:
        row: The input.
        image: The transformed image, or the reason why it could not be read.
    """

    row: Row
    image: Float[Tensor, "3 height width"] | str


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Reads and decodes rows in threads.

    Args:
        transform: Maps a picture to the encoder's input.
        threads: Number of threads; ``None`` for one per processor, or more if images come over a network.
        is_remote: Whether they do.
        processors: Number of processors; ``None`` for all that this process may use.
    """

    transform: Transform
    threads: int | None = None
    is_remote: bool = False
    processors: int | None = None

    def batches(self, rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, list[InputRow]]]:
        """Batches of rows with the number of their part; a batch never spans two parts.

        Rows are drawn and decoded a few batches ahead, so decoding goes on while the caller works on a batch, beyond
        the end of a part too. The rows of a batch depend on their place in the part alone.
        """
        threads = self._threads()
        decoded = ordered_map(self._decoded, rows, threads=threads, ahead=max(2 * BATCH, 2 * threads))
        for part, of_part in itertools.groupby(decoded, key=lambda found: found[0]):
            while batch := [row for _, row in itertools.islice(of_part, BATCH)]:
                yield part, batch

    def _threads(self) -> int:
        if self.threads is not None:
            return self.threads
        processors = self.processors or usable_processors()
        return max(READERS, 2 * processors) if self.is_remote else processors

    def _decoded(self, item: tuple[int, Row]) -> tuple[int, InputRow]:
        part, row = item
        return part, InputRow(row, self.image(row))

    def image(self, row: Row) -> Tensor | str:
        """The transformed image of a row, or the reason why it could not be read."""
        try:
            content = row.read()
            if not isinstance(content, Image):
                content = decode(row.name, content=content, size=self._decode_size(row.box))
            return self.transform(content if row.box is None else _crop(content, row.box))
        except UnreadableImageError as error:
            return error.reason
        except (InputError, MissingExtraError):  # of the storage as a whole, such as missing credentials
            raise
        except Exception as error:  # one image that is too large or breaks a transform must not end the job
            return f"an image that cannot be transformed ({' '.join(f'{type(error).__name__}: {error}'.split())[:200]})"

    def _decode_size(self, box: Box | None) -> int:
        """Side that the whole image needs for the crop to have the transform's."""
        share = 1.0 if box is None else min(box[2], box[3])
        return min(_LARGEST_SIDE, math.ceil(self.transform.decode_size / max(share, 1e-3)))


_LARGEST_SIDE = 65_500  # of a JPEG


def _crop(picture: Image, box: Box) -> Image:
    """The pixels that a box touches, at least one."""
    left, top, width, height = box
    x, y = (min(int(start * size), size - 1) for start, size in ((left, picture.width), (top, picture.height)))
    right, bottom = (
        min(size, max(first + 1, round((start + extent) * size)))
        for first, start, extent, size in ((x, left, width, picture.width), (y, top, height, picture.height))
    )
    return picture.crop((x, y, right, bottom))


def first_images(
    source: Source, chunks: Sequence[Chunk], transform: Transform
) -> Float[Tensor, "image 3 height width"]:
    """Some of the first images that can be read, to check a compiled encoder on."""
    decoder = Decoder(transform)
    rows = itertools.chain.from_iterable(source.rows(chunk) for chunk in chunks[:1])
    images = [image for row in itertools.islice(rows, BATCH) if isinstance(image := decoder.image(row), Tensor)]
    return torch.stack(images) if images else torch.empty(0, 3, 0, 0)
