"""Figures of operating curves and feature spaces, and tables of published rows alone, on a small suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cladewise import InputError
from cladewise.suites import benchmark, read_suite

pytest.importorskip("sklearn", reason="needs the extra explain")

SUITE = """
title = "Colours"
seeds = 1
methods = ["flat-softmax", "hmcf"]

[data]
name = "DATA"

[backbone]
name = "test_resnet"
pretrained = false
image_size = 24
freeze = true

[training]
epochs = 1
workers = 0
lr = 0.01

[[table]]
name = "table-1"
title = "Methods"
source = "Table 1"
columns = ["ap", "leaf_top1"]
inferences = ["bottom-up", "diffusion"]
decisions = ["leaf"]
rows = "published"

[[table.published]]
row = "flat-softmax"
inference = "bottom-up"
values = [67.9, 54.1]

[[table.published]]
row = "hmcf"
inference = "diffusion"
values = [73.48, 56.33]

[[figure]]
name = "figure-1"
title = "Curves"
kind = "operating"
inferences = ["bottom-up", "diffusion"]
decisions = ["leaf"]
pairs = [["flat-softmax", "bottom-up"], ["hmcf", "bottom-up"], ["hmcf", "diffusion"]]

[[figure]]
name = "figure-2"
title = "Spaces"
kind = "t-sne"
levels = "1-2"
most = [2, 2]
texts = true

[[figure]]
name = "figure-3"
title = "Nowhere"
kind = "t-sne"
methods = ["hmcf"]
classes = ["pink"]
"""


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder, random = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for split in ("train", "test"):
        for name, colour in {"warm/red": 200, "warm/rose": 170, "cold/blue": 60, "cold/ice": 90}.items():
            (folder / split / name).mkdir(parents=True)
            for number in range(4):
                pixels = (colour + random.normal(0, 9, (24, 24, 3))).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield folder


def suite_file(folder: Path, text: str) -> Path:
    file = folder / "colours.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_rows_and_figures_of_runs(colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(colours.parent)
    file = suite_file(tmp_path, SUITE.replace("DATA", colours.name))
    suite = read_suite(file)
    (data,) = suite.data
    here = suite.on(data.name)
    assert here.rules_for("flat-softmax") == {"bottom-up": ["leaf"]}
    assert here.rules_for("hmcf").keys() == {"diffusion", "bottom-up", "own"}  # the last one for the report
    benchmark(file, out=tmp_path / "out", progress=False)
    folder = tmp_path / "out" / colours.name
    rows = pl.read_csv(folder / "table-1.csv")
    assert rows.select("method", "inference").rows() == [("flat-softmax", "bottom-up"), ("hmcf", "diffusion")]
    curves = pl.read_csv(folder / "figure-1.csv")
    assert curves["line"].unique(maintain_order=True).to_list() == [
        "flat-softmax",
        "hmcf, bottom-up",
        "hmcf, diffusion",
    ]
    assert curves["num_seeds"].unique().to_list() == [1]
    points = pl.read_csv(folder / "figure-2.csv")
    assert points.filter(of="image").group_by("run").len().sort("run").rows() == [("flat-softmax", 16), ("hmcf", 16)]
    assert points.filter(of="text")["run"].unique().to_list() == ["hmcf"]
    for name in ("figure-1", "figure-2"):
        assert (folder / f"{name}.png").stat().st_size > 0, name
        assert (folder / f"{name}.svg").stat().st_size > 0, name
    assert not (folder / "figure-3.png").exists()
    assert "figure-3: Expected a label of the taxonomy, but got 'pink'" in (folder / "left_out.txt").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('rows = "published"', 'rows = "some"', "rows to be all or published, but got 'some' at .* table table-1"),
        ('["hmcf", "bottom-up"], ', '["hmcf", "none"], ', r"pairs of a method and an inference of the figure, but got"),
        ('["hmcf", "bottom-up"], ', '["hmcf"], ', r"pairs of a method and an inference of the figure, but got \['hm"),
        ('["hmcf", "bottom-up"], ', '"hmcf", ', "pairs to be a list of lists"),
        ("most = [2, 2]", "most = [2, 0]", "and most with at most 3 numbers of 1 or more, but got images = 2000, most"),
        ("most = [2, 2]", "images = 3", r"images of 4 or more, .* but got images = 3"),
    ],
)  # fmt: skip
def test_mistakes_are_found_before_anything_runs(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SUITE.count(old) == 1
    with pytest.raises(InputError, match=message):
        read_suite(suite_file(tmp_path, SUITE.replace(old, new).replace("DATA", "photos")))
