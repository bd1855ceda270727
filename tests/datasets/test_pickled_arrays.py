"""Pickles of plain values and arrays are read, and no pickle is executed."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cladewise import InputError
from cladewise.datasets.published.pickled_arrays import pickled, unpickled_arrays

WORDS = st.text(st.characters(max_codepoint=126), max_size=300)
VALUES = st.one_of(
    WORDS,
    st.lists(WORDS, max_size=5),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20),
    arrays.arrays(np.uint8, arrays.array_shapes(max_dims=3, max_side=40)),
)
# as Python 2's cPickle writes it: every value is kept by a number, and those that repeat are fetched by it
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05"
    b"U\x01b\x87q\x06Rq\x07(K\x01K\x02K\x03\x86q\x08cnumpy\ndtype\nq\tU\x02u1q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01|q"
    b"\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89U\x06\x00\x01\x02\xfd\xfe\xffq\x0ftq\x10b"
    b"U\x06labelsq\x11]q\x12(K\x05M,\x01J\x00\x00\x01\x00eU\x05namesq\x13]q\x14(U\x01aq\x15h\x15e"
    b"U\nno classesq\x16]q\x17u."
)


def read(content: bytes, folder: Path) -> dict:
    file = folder / "file"
    file.write_bytes(content)
    found = unpickled_arrays(file)  # the file is written again, so that arrays are copied
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in found.items()}


def assert_equal(first: dict, second: dict) -> None:
    assert list(first) == list(second)
    for key, value in first.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, second[key])
            assert second[key].dtype == np.uint8
        else:
            assert value == second[key]


@given(values=st.dictionaries(WORDS, VALUES, max_size=4))
def test_both_readers_return_what_was_written(values: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = pickled(values)
    assert_equal(values, pickle.loads(content, encoding="latin1"))
    assert_equal(values, read(content, tmp_path_factory.getbasetemp()))


def test_files_of_python_2(tmp_path: Path) -> None:
    found = read(PYTHON_2, tmp_path)
    np.testing.assert_array_equal(found.pop("data"), [[0, 1, 2], [253, 254, 255]])
    assert found == {"labels": [5, 300, 65536], "names": ["a", "a"], "no classes": []}
    by_column = read(PYTHON_2.replace(b"\x89U\x06", b"\x88U\x06"), tmp_path)  # stored by column
    np.testing.assert_array_equal(by_column["data"], [[0, 2, 254], [1, 253, 255]])


def test_an_array_is_not_copied(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(pickled({"data": np.zeros((100, 100), dtype=np.uint8)}))
    data = unpickled_arrays(file)["data"]
    assert not data.flags.owndata
    assert not data.flags.writeable


class Harm:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple:
        return Path.touch, (self.place,)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_executed(tmp_path: Path, protocol: int) -> None:
    harm = tmp_path / "harm"
    content = pickle.dumps({"data": Harm(harm)}, protocol=protocol)
    with pytest.raises(InputError, match=r"Expected a pickle .* at .*file\. Only files as in the official archives"):
        read(content, tmp_path)
    assert not harm.exists()
    pickle.loads(content)
    assert harm.exists(), "the pickle would do harm"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "an empty file"),
        (b"\x80\x02]q\x00.", "a pickled dictionary, but got a list"),
        (b"\x80\x02}(U\x01acposix\nsystem\nu.", "a call of posix.system"),
        (b"\x80\x02}(U\x01aI5\nu.", "the operation 0x49"),
        (PYTHON_2.replace(b"U\x02u1", b"U\x02O8"), "arrays of bytes, but got another array"),
        (PYTHON_2.replace(b"K\x02K\x03\x86", b"K\x02K\x04\x86"), r"a damaged file \(ValueError\)"),
        (pickle.dumps({"data": 1}, protocol=4), "protocol 4"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(content, tmp_path)


def test_every_beginning_is_refused(tmp_path: Path) -> None:
    for size in range(len(PYTHON_2)):
        with pytest.raises(InputError):
            read(PYTHON_2[:size], tmp_path)


@given(place=st.integers(0, len(PYTHON_2) - 1), byte=st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused(place: int, byte: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = bytearray(PYTHON_2)
    content[place] = byte
    with contextlib.suppress(InputError):  # and nothing else is raised
        assert len(read(bytes(content), tmp_path_factory.getbasetemp())) <= 4
