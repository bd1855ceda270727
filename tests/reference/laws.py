"""Trees, device and case names for the conformance laws."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cladewise import Taxonomy

RAGGED = Taxonomy.from_paths(
    [
        ("bird", "warbler", "wood warbler"),
        ("bird", "warbler", "reed warbler"),
        ("bird", "wren"),
        ("moth", "hawk moth"),  # an only child
        ("fern",),
        ("fish", "", "eel"),  # a row that skips a level
    ]
)
LATE = Taxonomy.from_paths(
    [
        ("bird", "warbler", "wood warbler"),
        ("bird", "warbler", "reed warbler"),
        ("bird", "wren"),
        ("moth", "hawk moth"),
        ("fern",),
        ("fish", "", "eel"),
        ("", "alga"),  # a row that begins below the first level
    ]
)
STAR = Taxonomy.from_paths([(name,) for name in "abcde"])
CHAIN = Taxonomy.from_paths([("a", "b", "c", "d")])
REAL_ROOT = Taxonomy.from_parents([-1, 0, 0, 1, 1, 2], ["thing", "animal", "plant", "dog", "cat", "fern"])
GRAPH = Taxonomy(
    RAGGED.parents,
    RAGGED.names,
    level=RAGGED.level,
    level_names=RAGGED.level_names,
    further_parents=[  # of a leaf and of an internal node, whose descendants have them too
        (RAGGED.find("wren"), RAGGED.find("moth")),
        (RAGGED.find("warbler"), RAGGED.find("fish")),
    ],
)
LONE = Taxonomy.from_parents([-1], ["thing"])

DEVICE = os.environ.get("CLADEWISE_TEST_DEVICE", "cpu")
"""The device of the laws that ``make test-cuda`` repeats on a GPU."""


@contextmanager
def case(*parts: object) -> Iterator[None]:
    """Adds the name of the case to whatever is raised, so that a law that loops says where it fails."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"Case: {', '.join(map(str, parts))}")
        raise
