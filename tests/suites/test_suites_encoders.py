"""Rows on the trained encoder of another row, and hypernym tables on the tree of the data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cladewise import InputError
from cladewise.engine import Run
from cladewise.suites import benchmark, read_suite
from suites.small_suites import go_to

SUITE = """
title = "Colours"
seeds = 1
baseline = "classifier"
methods = []

[data]
name = "photos"

[backbone]
name = "test_resnet"
pretrained = false
image_size = 24
freeze = false

[training]
epochs = 1
batch_size = 16
workers = 0

[[variant]]
name = "cones"
method = "euclidean-cones:dim=3,label_epochs=1,count_edges=true,image_map=plain"
encoder = "classifier"
backbone = { freeze = true, scaling = "none" }

[[variant]]
name = "classifier"
method = "mc:embedding=0"

[[table]]
name = "cones"
title = "Cones"
methods = ["cones"]
columns = ["micro_f1", "reconstruction_tpr", "reconstruction_f1", "direct_f1"]

[[table]]
name = "classifiers"
title = "Classifiers"
methods = ["classifier"]
columns = ["micro_f1", "reconstruction_f1"]

[[hypernyms]]
name = "hypernyms"
title = "Hypernyms"
tree = "photos"
epochs = 1
dims = [2]
closures = [0.0, 0.5]
columns = ["reconstruction_f1"]
"""


@pytest.fixture
def suite_file(colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(colour_folder, tmp_path / "photos")
    go_to(tmp_path, monkeypatch)
    (tmp_path / "colours.toml").write_text(SUITE)
    return tmp_path / "colours.toml"


def test_a_row_takes_the_encoder_that_another_has_trained(suite_file: Path, tmp_path: Path) -> None:
    part = read_suite(suite_file).only(["cones", "hypernyms"])
    assert part.methods == ("cones", "classifier")  # the table shows one of them and needs both
    written = benchmark(part, out=tmp_path / "out", progress=False)
    assert {path.name for path in written} == {"report.html", "cones.md", "cones.csv", "hypernyms.md", "hypernyms.csv"}
    (runs,) = (tmp_path / "out").rglob("runs")
    cones, classifier = Run.open(runs / "cones-0"), Run.open(runs / "classifier-0")
    assert cones.config.backbone.freeze
    trained, taken = classifier.backbone.encoder.state_dict(), cones.backbone.encoder.state_dict()
    assert trained.keys() == taken.keys()
    assert all(value.equal(taken[name]) for name, value in trained.items())
    begun = (runs / "cones-0" / "model.safetensors").read_bytes()
    benchmark(part, out=tmp_path / "out", progress=False)
    assert (runs / "cones-0" / "model.safetensors").read_bytes() == begun


def test_hypernyms_alone_need_no_image(suite_file: Path, tmp_path: Path) -> None:
    part = read_suite(suite_file).only(["hypernyms"])
    written = benchmark(part, out=tmp_path / "out", progress=False)
    assert [path.name for path in written] == ["hypernyms.md", "hypernyms.csv"]
    assert not list((tmp_path / "out").rglob("runs"))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('encoder = "classifier"', 'encoder = "clasifier"', "Did you mean classifier"),
        ('encoder = "classifier"', 'encoder = "cones"', "Expected a row with an encoder of its own: classifier"),
        ("[training]", "[search]\n[training]", "Expected no encoder of another row where settings are searched"),
        ('"reconstruction_f1"]\n\n[[hyp', '"reconstruction_f2"]\n\n[[hyp', "Expected a metric: "),
        ("closures = [0.0, 0.5]", "closures = [2.0]", "Expected shares of the closure from 0 to 1, but got 2.0"),
        ('tree = "', 'trees = "', "Did you mean tree"),
    ],
)
def test_mistakes_are_found_before_anything_runs(suite_file: Path, old: str, new: str, text: str) -> None:
    content = suite_file.read_text()
    assert old in content
    suite_file.write_text(content.replace(old, new))
    with pytest.raises(InputError, match=text):
        read_suite(suite_file)
