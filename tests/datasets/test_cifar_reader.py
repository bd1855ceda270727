"""CIFAR-100 in small."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cladewise import InputError, datasets

COARSE = ["fish", "flowers"]
FINE = ["orchid", "trout", "ray"]
COARSE_OF_FINE = [1, 0, 0]
LABELS = {"train": [0, 1, 2, 0, 1], "test": [2, 0]}


def pixels(split: str) -> np.ndarray:
    return np.random.default_rng(len(split)).integers(0, 256, (len(LABELS[split]), 3072), dtype=np.uint8)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    for kind, names in (("coarse", COARSE), ("fine", FINE)):
        (folder / f"{kind}_label_names.txt").write_text("\n".join(names) + "\n")
    for split, labels in LABELS.items():
        coarse = [COARSE_OF_FINE[fine] for fine in labels]
        rows = np.concatenate([np.array([coarse, labels], dtype=np.uint8).T, pixels(split)], 1)
        rows.tofile(folder / f"{split}.bin")
    return folder


def test_two_levels_and_the_pictures_themselves(cifar: Path) -> None:
    found = datasets.load("cifar-100", path=cifar, partial=True)
    tree = found.taxonomy
    assert tree.level_names == ("coarse", "fine")
    assert [tree.path_name(node) for node in tree.leaf_nodes] == ["fish/ray", "fish/trout", "flowers/orchid"]
    assert [str(tree.names[node]) for node in found.nodes] == [FINE[k] for k in LABELS["train"] + LABELS["test"]]
    assert {name: part.tolist() for name, part in found.splits.items()} == {"train": [0, 1, 2, 3, 4], "test": [5, 6]}
    stored = np.stack([np.asarray(Image.open(found.root / path)) for path in found.paths[:5]])
    np.testing.assert_array_equal(stored, pixels("train").reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    before = os.stat(found.root / found.paths[0]).st_mtime_ns
    again = datasets.open(found.source)
    assert again.paths == found.paths
    assert os.stat(again.root / again.paths[0]).st_mtime_ns == before  # written once
    assert "Krizhevsky" in found.credit


def test_what_is_missing_is_told(cifar: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    expected = r"Expected the file coarse_label_names\.txt of CIFAR-100, but got none at .*empty\. Unpack"
    with pytest.raises(InputError, match=expected):
        datasets.from_cifar100(tmp_path / "empty")
    content = (cifar / "test.bin").read_bytes()
    (cifar / "test.bin").write_bytes(content[:-7])
    with pytest.raises(InputError, match="rows of 3074 bytes"):
        datasets.from_cifar100(cifar)
    (cifar / "test.bin").unlink()
    with pytest.raises(InputError, match=r"the file test\.bin of CIFAR-100"):
        datasets.from_cifar100(cifar)
    with pytest.raises(InputError, match=r'the option path for cifar-100, but got none\. Pass path="the/folder"'):
        datasets.load("cifar-100")
