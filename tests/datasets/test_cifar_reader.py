"""CIFAR-100 in both of its versions, in small."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

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


@pytest.fixture(params=["python", "binary"])
def cifar(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    folder.mkdir()
    coarse = {split: [COARSE_OF_FINE[fine] for fine in labels] for split, labels in LABELS.items()}
    if request.param == "binary":
        for kind, names in (("coarse", COARSE), ("fine", FINE)):
            (folder / f"{kind}_label_names.txt").write_text("\n".join(names) + "\n")
        for split, labels in LABELS.items():
            rows = np.concatenate([np.array([coarse[split], labels], dtype=np.uint8).T, pixels(split)], 1)
            rows.tofile(folder / f"{split}.bin")
    else:
        meta = {b"coarse_label_names": [n.encode() for n in COARSE], b"fine_label_names": [n.encode() for n in FINE]}
        (folder / "meta").write_bytes(pickle.dumps(meta, protocol=2))
        for split, labels in LABELS.items():
            content = {b"data": pixels(split), b"fine_labels": labels, b"coarse_labels": coarse[split]}
            (folder / split).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def test_two_levels_and_the_pictures_themselves(cifar: Path) -> None:
    found = datasets.load("cifar-100", path=cifar)
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


class Evil:
    def __reduce__(self) -> Any:
        return (os.system, ("echo broken into",))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": Evil()}))
    with pytest.raises(InputError, match=r"the Python version of CIFAR-100, but got something else \(posix\.system\)"):
        datasets.from_cifar100(tmp_path)
    (tmp_path / "meta").write_bytes(b"no pickle")
    with pytest.raises(InputError, match="but got something else"):
        datasets.from_cifar100(tmp_path)


def test_what_is_missing_is_told(cifar: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"Expected the file meta of CIFAR-100, but got none at .*empty\. Unpack"):
        datasets.from_cifar100(tmp_path / "empty")
    name = "test.bin" if cifar.name == "binary" else "test"
    content = (cifar / name).read_bytes()
    (cifar / name).write_bytes(content[:-7])
    with pytest.raises(InputError, match=r"rows of 3074 bytes|but got something else"):
        datasets.from_cifar100(cifar)
    (cifar / name).unlink()
    with pytest.raises(InputError, match=f"the file {name} of CIFAR-100"):
        datasets.from_cifar100(cifar)
    with pytest.raises(InputError, match=r'the option path for cifar-100, but got none\. Pass path="the/folder"'):
        datasets.load("cifar-100")
