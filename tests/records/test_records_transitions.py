"""Mean transition matrices on disk: read without torch, and nothing but what was written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from cladewise import InputError, Taxonomy
from cladewise.records import Transitions, naive_transition, read_transitions, write_transitions

TREE = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "", "e"), ("f", "g")])


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    means = {1: np.random.default_rng(0).random((2, 3)), 2: np.zeros((3, 4))}
    written = Transitions("c2f", (1, 2, 3), means, 9, {"model": "x"})
    path = tmp_path / "transitions" / "test.safetensors"
    write_transitions(path, written, TREE)
    again = read_transitions(path)
    assert (again.order, again.levels, again.num_images, again.about) == ("c2f", (1, 2, 3), 9, {"model": "x"})
    assert list(again.means) == [1, 2]
    assert again.means[1].dtype == np.float32
    np.testing.assert_allclose(again.means[1], means[1], rtol=1e-6)
    tensors = safetensors.numpy.load_file(path)
    for level in (1, 2):
        dense = naive_transition(TREE, level, level + 1)
        assert dense.shape == again.means[level].shape
        assert (dense.sum(0) == 1).all()
        np.testing.assert_allclose(naive_transition(TREE, level, level + 1, "c2f").sum(1), 1)
        np.testing.assert_array_equal(dense.argmax(0), tensors[f"parent_{level}"])


def test_a_level_that_takes_no_part_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "test.safetensors"
    write_transitions(path, Transitions("f2c", (1, 3), {1: np.zeros((2, 4))}), TREE)
    assert read_transitions(path).finer(1) == 3
    np.testing.assert_array_equal(safetensors.numpy.load_file(path)["parent_1"], naive_transition(TREE, 1, 3).argmax(0))
    write_transitions(path, Transitions("f2c", (1, 3), {}), TREE)
    assert read_transitions(path).means == {}


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.safetensors"
    path.write_bytes(safetensors.numpy.save({"level_1": np.zeros(2)}))
    with pytest.raises(
        InputError, match=r"a file of mean transitions, but got a different file at .*test\.safetensors"
    ):
        read_transitions(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"a file of mean transitions, but got .* at .*test\.safetensors"):
        read_transitions(path)


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "test.safetensors"
    write_transitions(path, Transitions("f2c", (1, 2), {1: np.zeros((2, 3))}), TREE)
    code = (
        "import sys; from pathlib import Path; from cladewise.records import read_transitions; "
        f"print(read_transitions(Path({str(path)!r})).levels, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(") ")[-1].strip() == "False"
