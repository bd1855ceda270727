"""Counts of images by node and split, written and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError
from cladewise.records import counts

splits = st.dictionaries(st.text(min_size=1, max_size=8).filter(lambda s: "\r" not in s), st.lists(st.integers(0, 9)))


@given(splits)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, by_split: dict[str, list[int]]) -> None:
    file = tmp_path_factory.mktemp("counts") / "counts.csv"
    counts.write_counts(file, {name: np.array(nodes, dtype=np.int64) for name, nodes in by_split.items()})
    found = counts.read_counts(file, 10)
    assert set(found) == {name for name, nodes in by_split.items() if nodes}
    for name, number in found.items():
        assert number.tolist() == [by_split[name].count(node) for node in range(10)]


@pytest.mark.parametrize("row", ["10,train,1", "-1,train,1", "x,train,1", "1,train,-2", "1,train"])
def test_rows_that_cannot_be(tmp_path: Path, row: str) -> None:
    file = tmp_path / "counts.csv"
    file.write_text(f"node,split,images\n0,train,1\n{row}\n")
    with pytest.raises(InputError, match=f"a node from 0 to 9, .* but got {row} at .*counts.csv:3"):
        counts.read_counts(file, 10)


def test_another_table(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("a,b\n")
    with pytest.raises(InputError, match="the columns node,split,images, but got a,b"):
        counts.read_counts(tmp_path / "counts.csv", 10)


def test_a_table_that_breaks_off(tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_text("node,split,images\n1,train,12")
    with pytest.raises(InputError, match=r"but got '1,train,12', which is cut off at .*counts\.csv:2"):
        counts.read_counts(file, 3)
