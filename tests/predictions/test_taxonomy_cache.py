"""Values kept with a tree are bounded in number, and the one not used for longest goes first."""

from __future__ import annotations

from cladewise import Taxonomy
from cladewise.predictions.taxonomy_cache import MOST_KEPT, cached_for


def test_what_was_not_used_for_longest_is_dropped() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c")])
    made: list[int] = []

    def value(key: int) -> int:
        return cached_for(tree, ("test", key), lambda: made.append(key) or key)

    for key in range(MOST_KEPT - 1):
        assert value(key) == key
    assert value(0) == 0
    assert made == list(range(MOST_KEPT - 1))
    for key in range(MOST_KEPT, MOST_KEPT + 3):
        assert value(key) == key
    made.clear()
    assert (value(0), value(MOST_KEPT)) == (0, MOST_KEPT)
    assert made == []
    assert value(1) == 1
    assert made == [1]
