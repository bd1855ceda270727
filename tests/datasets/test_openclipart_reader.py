"""Open Clip Art: labels at internal folders, and a split that stays the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cladewise import InputError, datasets


def test_labels_sit_at_internal_nodes_and_the_split_is_kept(tmp_path: Path) -> None:
    options = datasets.write_made_up("openclipart", tmp_path / "png")
    drawings = datasets.load("openclipart", **options)
    labels = {drawings.taxonomy.path_name(int(node)) for node in drawings.nodes}
    assert labels == {"animals", "animals/birds", "animals/mammals/cats", "food", "food/fruit"}
    assert {name: len(rows) for name, rows in drawings.splits.items()} == {"train": 70, "val": 10, "test": 20}
    again = datasets.open(drawings.source)
    assert again.paths == drawings.paths
    assert all(np.array_equal(again.splits[name], rows) for name, rows in drawings.splits.items())


def test_a_part_of_it_is_refused_unless_asked_for(tmp_path: Path) -> None:
    datasets.write_made_up("openclipart", tmp_path / "png")
    with pytest.raises(InputError, match="125 leaves"):
        datasets.load("openclipart", path=tmp_path / "png")
