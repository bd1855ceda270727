"""Lines of images: what is asked of a model that has just been replaced is still answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from cladewise.serving.asking import Given, Rules, Shown
from cladewise.serving.batching import Line, Ticket


@pytest.fixture
def line() -> Generator[Line]:
    with ThreadPoolExecutor(2) as pool:
        yield Line(
            lambda image: torch.tensor(len(image.content)),
            lambda batch: [{"size": int(image)} for _, _, image in batch],
            pool,
            batch=4,
            wait=0.0,
            batched=lambda size: None,
        )


def asked(line: Line, *contents: bytes) -> list[int]:
    async def ask() -> list[int]:
        images = [Given("", content) for content in contents]
        ticket = Ticket(images, Rules(), Shown())
        line.submit(ticket, images)
        return [result["size"] for result in await asyncio.wait_for(ticket.wait(), 20)]

    return asyncio.run(ask())


def test_images_are_answered_in_their_order(line: Line) -> None:
    assert asked(line, *(bytes(size) for size in range(9))) == list(range(9))
    line.close()
    line.join()


def test_images_that_come_after_the_end_are_answered(line: Line) -> None:
    """A request looks up its model, and the model is replaced before the images of the request are decoded."""
    before = threading.active_count()
    line.close()
    for size in (1, 2):
        line.join()
        assert asked(line, bytes(size)) == [size]
    line.join()
    assert line.waiting == 0
    assert threading.active_count() < before + 2  # with the threads that decode, without those that answer
