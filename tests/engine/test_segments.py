"""Rows found by key: laws against a dictionary."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.engine.feeding import feature_store
from cladewise.engine.feeding.feature_store import FeatureStore
from cladewise.engine.feeding.segments import MISSING, find_sorted, sort_order, write_rows

WORDS = st.sampled_from([0, 1, 2, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1])
"""Few words, so that keys share their first one, at the ends of the range and where signs would show."""
KEYS = st.tuples(WORDS, WORDS)
Table = dict[tuple[int, int], list[float]]


def as_keys(keys: list[tuple[int, int]]) -> np.ndarray:
    return np.array(keys, dtype=np.uint64).reshape(-1, 2).T


def as_rows(table: Table) -> np.ndarray:
    return np.array(list(table.values()), dtype=np.float32).reshape(-1, 2)


@given(held=st.sets(KEYS), wanted=st.lists(KEYS, max_size=20))
def test_a_key_is_found_where_it_is(held: set[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    listed = sorted(held)
    expected = [listed.index(key) if key in held else MISSING for key in wanted]
    assert find_sorted(as_keys(listed), as_keys(wanted)).tolist() == expected


@given(keys=st.lists(KEYS, max_size=20))
def test_keys_are_sorted_as_pairs(keys: list[tuple[int, int]]) -> None:
    assert as_keys(keys)[:, sort_order(as_keys(keys))].T.tolist() == sorted(map(list, keys))


@settings(deadline=None, max_examples=60)
@given(
    writes=st.lists(
        st.tuples(st.lists(KEYS, unique=True, max_size=6), st.dictionaries(KEYS, st.text(max_size=4), max_size=3)),
        max_size=2 * feature_store.MERGED_AT + 1,
    ),
    wanted=st.lists(KEYS, max_size=20),
)
def test_a_store_is_a_dictionary(
    writes: list[tuple[list[tuple[int, int]], dict[tuple[int, int], str]]], wanted: list[tuple[int, int]]
) -> None:
    """Whatever is merged meanwhile; rows of equal keys are equal, as features of equal images are."""
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "rows", 2, "f4", {"recipe": "law"}, decoder="a")
        table, reasons = Table(), dict[tuple[int, int], set[str]]()
        for keys, failed in writes:
            added = {key: [float(np.float32(key[0] % 97)), float(np.float32(key[1] % 89))] for key in keys}
            store.write(as_keys(list(added)), as_rows(added), failed)
            table |= added
            for key, reason in failed.items():
                reasons.setdefault(key, set()).add(reason)
        again = FeatureStore(Path(folder) / "rows", 2, "f4", {"recipe": "law"}, decoder="a")
        for found in (store.segments, again.segments):
            places = found.find(as_keys(wanted))
            assert [place >= 0 for place in places.tolist()] == [key in table for key in wanted]
            there = [key for key in wanted if key in table]
            expected = np.array([table[key] for key in there], dtype=np.float32).reshape(-1, 2)
            np.testing.assert_array_equal(found.rows(places[places >= 0]), expected)
            failures = found.failures(as_keys(wanted))
            assert sorted(failures) == [at for at, key in enumerate(wanted) if key in reasons]
            assert all(reason in reasons[wanted[at]] for at, reason in failures.items())
            assert len(found.parts) < 2 * feature_store.MERGED_AT
        others = FeatureStore(Path(folder) / "rows", 2, "f4", {"recipe": "law"}, decoder="b")
        assert others.segments.failures(as_keys(wanted)) == {}


def test_files_are_read_by_the_library_of_the_format(tmp_path: Path) -> None:
    keys, rows = as_keys([(9, 1), (2, 5), (2, 3)]), np.arange(6, dtype=np.float32).reshape(3, 2)
    path = write_rows(tmp_path, keys, rows, as_keys([(4, 4)]), ["broken – «ü»"], {"recipe": "r"})
    with safetensors.safe_open(str(path), framework="np") as file:
        assert file.metadata() == {"recipe": "r"}
        assert file.get_tensor("keys").T.tolist() == [[2, 3], [2, 5], [9, 1]]
        assert file.get_tensor("row").tolist() == [2, 1, 0]
        np.testing.assert_array_equal(file.get_tensor("rows"), rows)
        assert file.get_tensor("failed").T.tolist() == [[4, 4]]
        assert "broken" in file.get_tensor("reasons").tobytes().decode()


def test_equal_content_is_one_file(tmp_path: Path) -> None:
    keys, rows = as_keys([(1, 2)]), np.ones((1, 2), dtype=np.float32)
    first = write_rows(tmp_path, keys, rows, as_keys([]), [], {"recipe": "r"})
    changed = first.stat().st_mtime_ns
    assert write_rows(tmp_path, keys, rows, as_keys([]), [], {"recipe": "r"}) == first
    assert first.stat().st_mtime_ns == changed
    assert write_rows(tmp_path, keys, 2 * rows, as_keys([]), [], {"recipe": "r"}) != first


def test_places_stay_valid_while_others_write_and_merge(tmp_path: Path) -> None:
    ours = FeatureStore(tmp_path / "rows", 1, "u8", {"recipe": "r"})
    ours.write(as_keys([(1, 1)]), np.array([[7]], dtype=np.uint64))
    before = ours.segments
    place = before.find(as_keys([(1, 1)]))
    theirs = FeatureStore(tmp_path / "rows", 1, "u8", {"recipe": "r"})
    for number in range(2, 40):
        theirs.write(as_keys([(number, number)]), np.array([[number]], dtype=np.uint64))
    assert before.rows(place).tolist() == [[7]]
    assert before.find(as_keys([(2, 2)])).tolist() == [MISSING]
    after = ours.refresh()
    assert after.rows(after.find(as_keys([(39, 39), (1, 1)]))).tolist() == [[39], [7]]
    assert len(after.parts) < feature_store.MERGED_AT


def test_rows_stay_in_the_order_of_writing_when_they_are_merged(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "rows", 1, "u8", {"recipe": "r"})
    for number in np.random.default_rng(0).permutation(feature_store.MERGED_AT).tolist():
        store.write(as_keys([(number, 0)]), np.array([[number]], dtype=np.uint64))
    (merged,) = store.segments.parts
    assert merged.rows[:, 0].tolist() == np.random.default_rng(0).permutation(feature_store.MERGED_AT).tolist()


def test_segments_of_another_width_are_damaged(tmp_path: Path) -> None:
    FeatureStore(tmp_path, 1, "u8", {"recipe": "r"}).write(as_keys([(1, 1)]), np.array([[7]], dtype=np.uint64))
    with pytest.raises(ValueError, match="cached features, but got 1 keys"):
        FeatureStore(tmp_path, 2, "u8", {"recipe": "r"})
    with pytest.raises(ValueError, match="rows of uint64"):
        FeatureStore(tmp_path, 1, "f4", {"recipe": "r"})
