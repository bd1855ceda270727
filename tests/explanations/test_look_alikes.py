"""Look-alikes of a run: pictures, a table of the pairs, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.explanations import look_alikes
from cladewise.explanations.path_lines import FIRM, path_lines
from cladewise.records import read_plates


def test_pairs_of_a_run_are_drawn_and_listed(frozen: Run, shapes: Dataset) -> None:
    found = look_alikes(frozen, level=1, within="3", pairs=2, progress=False)
    taxonomy, nodes = shapes.taxonomy, shapes.nodes
    assert [pair.kind for pair in found] == ["across", "across", "within", "within"]
    for pair in found:
        ends = nodes[[pair.first, pair.second]]
        level = 1 if pair.kind == "across" else 3
        first, second = taxonomy.at_level(level)[ends]
        assert (first != second) == (pair.kind == "across")
        assert (taxonomy.is_leaf[ends] | (taxonomy.level[ends] >= level)).all(), "labels that tell their class"
        assert pair.meet == taxonomy.lca(*ends)
    index = frozen.folder.plates("look-alikes", "test")
    kept = read_plates(index)
    assert [plate.name for plate in kept.plates] == ["across", "within"]
    assert taxonomy.level_names[0] in kept.plates[0].caption
    assert taxonomy.level_names[2] in kept.plates[1].caption
    assert kept.files == {file.name for file in index.parent.iterdir()} - {"index.json"}
    frame = pl.read_csv(index.parent / "pairs.csv")
    assert frame["distance"].to_list() == pytest.approx([pair.distance for pair in found])
    assert frame["first"].to_list() == [shapes.paths[pair.first] for pair in found]
    assert frame["tree_distance"].to_list()[2:] == [0, 0]
    assert "broken.png" not in "".join(frame["first"].to_list() + frame["second"].to_list())


def test_by_default_classes_are_those_above_the_finest(frozen: Run) -> None:
    look_alikes(frozen, pairs=1, progress=False)
    name = frozen.taxonomy.level_names[1]
    kept = read_plates(frozen.folder.plates("look-alikes", "test"))
    assert [name in plate.title for plate in kept.plates] == [True, True]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pairs": 0}, "at least 1 pair, but got 0."),
        ({"level": "1-2"}, "one level, but got '1-2'."),
        ({"within": "genus"}, "levels among 1 to 3 or"),
        ({"split": "nowhere"}, "a split of"),
    ],
)
def test_what_is_refused(frozen: Run, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        look_alikes(frozen, **{"progress": False, **wrong})


def test_long_paths_keep_their_end() -> None:
    lines = path_lines(("Kingdom of plants", "Order of the roses", "Family of the roses", "Apple", "Golden Delicious"))
    assert lines[0] == "…"
    assert lines[-1].replace(FIRM, " ").endswith("Golden Delicious")
    assert len(lines) == 3
