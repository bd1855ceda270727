"""The suite of long tails: several entries of one dataset, their tails, and the bounds of many and few images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cladewise import InputError, datasets
from cladewise.suites import read_suite
from cladewise.suites.jobs import open_data
from cladewise.suites.locating import missing_options, with_data
from cladewise.suites.reading import read_suite as read

TOML = """
title = "Tails"
seeds = 1
few_below = 2
many_above = 3
methods = ["flat-softmax"]

[[data]]
name = "groceries-4"
source = "grocery-store"
imbalance = 4

[[data]]
name = "grocery-store"

[backbone]
name = "test_resnet"
pretrained = false
freeze = true
image_size = 32

[training]
epochs = 1
workers = 0

[[table]]
name = "methods"
title = "Methods"
columns = ["macro_recall/fine", "many_recall/fine", "few_recall/fine"]
"""


def test_every_method_is_a_row_on_every_tail() -> None:
    suite = read_suite("long-tail")
    assert {entry.name: entry.imbalance for entry in suite.data} == {
        "groceries-50": 50,
        "groceries-100": 100,
        "openclipart": 1,
    }
    from cladewise import methods

    for entry in suite.data:
        assert set(suite.on(entry.name).methods) >= set(methods.available())
        assert suite.resolved(entry.name, "flat-softmax, class weights").training.balance == "weight"
        assert suite.resolved(entry.name, "taxonet:embedding=0,rival=0").options["rival"] == 0


def test_entries_of_one_dataset_share_its_place() -> None:
    suite = with_data(read_suite("long-tail"), ["grocery-store=here", "openclipart=there"])
    assert [entry.options for entry in suite.data] == [{"path": "here"}, {"path": "here"}, {"path": "there"}]
    nearer = with_data(read_suite("long-tail"), ["grocery-store=here", "groceries-100=elsewhere"])
    assert [entry.options.get("path") for entry in nearer.data] == ["here", "elsewhere", None]
    assert [missing_options(entry) for entry in nearer.data] == [[], [], ["path"]]


def test_a_suite_thins_out_the_training_images_of_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cladewise import benchmark
    from cladewise.engine import Run

    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))
    options = datasets.write_made_up("grocery-store", tmp_path / "groceries", images_per_class=4)
    (tmp_path / "tails.toml").write_text(TOML)
    suite = with_data(read(tmp_path / "tails.toml"), {"grocery-store": options})
    benchmark(suite, out=tmp_path / "out", progress=False)
    whole = open_data(suite.data[1], searching=False)
    for name, wanted in (("groceries-4", [1, 2, 3, 4]), ("grocery-store", [4, 4, 4, 4])):
        run = Run.open(tmp_path / "out" / name / "runs" / "flat-softmax-0")
        labels = run.dataset.nodes[run.dataset.indices("train")]
        assert sorted(np.unique(labels, return_counts=True)[1].tolist()) == wanted
        assert run.dataset.splits["test"].tolist() == whole.splits["test"].tolist()
        table = (tmp_path / "out" / name / "methods.csv").read_text()
        (kept,) = (run.path / "evaluations").glob("test-*.json")
        assert '"few_below": 2' in kept.read_text()
        assert "few_recall/fine" in table


def test_impossible_tails_and_bounds_are_refused(tmp_path: Path) -> None:
    for wrong, found in (("imbalance = 4", "imbalance = 0.5"), ("few_below = 2", "few_below = 9")):
        (tmp_path / "tails.toml").write_text(TOML.replace(wrong, found))
        with pytest.raises(InputError, match=r"imbalance of at least 1|few_below <= many_above"):
            read(tmp_path / "tails.toml")
