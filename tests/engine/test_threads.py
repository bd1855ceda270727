"""Items that threads work on come back in order, and no more of them are drawn than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cladewise.engine.feeding.threads import ordered_map


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_results_are_in_the_order_of_the_items(threads: int) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item % 4 == 0 else 0.0)
        return item * item

    assert list(ordered_map(slow_first, range(40), threads=threads, ahead=6)) == [i * i for i in range(40)]
    assert list(ordered_map(slow_first, [], threads=threads, ahead=6)) == []


def test_no_more_items_are_drawn_than_allowed() -> None:
    drawn: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            drawn.append(len(drawn))
            yield drawn[-1]

    results = ordered_map(str, endless(), threads=3, ahead=5)
    for taken in range(1, 20):
        next(results)
        assert len(drawn) <= taken + 5
    results.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("cladewise-images") for thread in threading.enumerate())


def test_an_error_comes_where_its_result_would() -> None:
    def failing(item: int) -> int:
        if item == 3:
            raise ValueError("item 3")
        return item

    results = ordered_map(failing, range(10), threads=2, ahead=8)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(results)
