"""The suite of LHT's paper: its rows have the settings of Section 4.2, field by field, and its numbers agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cladewise import Taxonomy, datasets
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig
from cladewise.suites import read_suite

SUITE = read_suite("lht")
DATASETS = {"cub-200-2011": "train", "fgvc-aircraft": "train+val", "stanford-cars": "train"}
LHT: dict[str, Any] = {
    "order": "f2c",
    "transition": "full",
    "rank": 2,
    "confusion": 2.0,
    "levels": "all",
    "embedding": 600,
}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "vanilla": ("vanilla", {"embedding": 600}),
    "vanilla-single": ("vanilla-single", {"embedding": 600}),
    "vanilla-multi": ("vanilla-multi", {"embedding": 600}),
    "fgon": ("fgon", {"embedding": 600}),
    "lht": ("lht", LHT),
    "lht:order=c2f": ("lht", {**LHT, "order": "c2f"}),
    "lht:transition=low-rank": ("lht", {**LHT, "transition": "low-rank"}),
}
ABLATIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "w/o family": ("lht", LHT, {"drop_levels": "family"}, {}, "true"),
    "w/o order": ("lht", LHT, {"drop_levels": "order"}, {}, "true"),
    "w/ random": ("lht", LHT, {"hierarchy": "random"}, {}, "own"),
    "w/ random, by the true groups": ("lht", LHT, {"hierarchy": "random"}, {}, "true"),
    "w/o L_conf": ("lht", {**LHT, "confusion": 0.0}, {}, {}, "true"),
    "fgon, 448 px": ("fgon", {"embedding": 600}, {}, {"image_size": 448}, "true"),
    "lht, 448 px": ("lht", LHT, {}, {"image_size": 448}, "true"),
    **{
        f"lht, confusion {weight:g}": ("lht", {**LHT, "confusion": weight}, {}, {}, "true")
        for weight in (0.5, 1.0, 5.0, 10.0, 100.0)
    },
}


def encoder(**changed: Any) -> BackboneConfig:
    stated: dict[str, Any] = {"name": "resnet50.tv_in1k", "pretrained": True, "freeze": False}
    return BackboneConfig(**{**stated, "image_size": 224, "resize": "square", "crop_ratio": 1.0, **changed})


def training(data: str) -> TrainingConfig:
    return TrainingConfig(
        train_split=DATASETS[data],
        val_split="none",
        epochs=80,
        batch_size=64,
        optimizer="sgd",
        lr=0.1,
        backbone_lr=0.01,
        momentum=0.9,
        weight_decay=5e-4,
        decay="all",
        schedule="cosine",
        lr_floor=0.0,
        augment="pad-crop-flip",
        pad=4,
    )


@pytest.mark.parametrize("data", DATASETS)
def test_the_methods_of_tables_1_and_2(data: str) -> None:
    for label, (method, options) in ROWS.items():
        row = SUITE.resolved(data, label)
        assert row.method == method
        assert {name: row.options[name] for name in options} == options
        assert (row.backbone, row.training, row.ablation) == (encoder(), training(data), AblationConfig()), label


def test_the_rows_of_table_3_and_of_the_figure() -> None:
    here = SUITE.on("cub-200-2011")
    for label, (method, options, ablation, changed, tree) in ABLATIONS.items():
        row = SUITE.resolved("cub-200-2011", label)
        assert row.method == method
        assert {name: row.options[name] for name in options} == options
        assert row.ablation == AblationConfig(**ablation)
        assert (row.backbone, row.training) == (encoder(**changed), training("cub-200-2011")), label
        assert here.variant(label).tree == tree
    assert set(here.methods) == {*ROWS, *ABLATIONS}
    (figure,) = here.figures
    weights = [SUITE.resolved("cub-200-2011", label).options["confusion"] for label in here.methods_of(figure)]
    assert weights == [0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0]
    assert figure.x == "confusion"


def test_five_runs_and_no_search() -> None:
    assert SUITE.seeds == 5
    assert SUITE.search is None


@pytest.mark.parametrize(
    ("data", "levels", "headings", "names"),
    [
        (
            "cub-200-2011",
            ("order", "family", "species"),
            ("order", "family", "species", "avg"),
            {"table-1": 6, "table-3": 8},
        ),
        ("fgvc-aircraft", ("manufacturer", "family", "variant"), ("maker", "family", "model", "avg"), {"table-1": 6}),
        ("stanford-cars", ("type", "model"), ("maker", "model", "avg"), {"table-2": 6}),
    ],
)
def test_published_values_agree_with_each_other(
    data: str, levels: tuple[str, ...], headings: tuple[str, ...], names: dict[str, int]
) -> None:
    """The last column is the mean of the levels, up to what rounding each of them allows."""
    tables = {table.name: table for table in SUITE.on(data).tables}
    assert set(tables) == set(names)
    assert tuple(datasets.facts(data).levels) == levels
    for name, rows in names.items():
        table = tables[name]
        assert table.headings == headings
        assert table.columns == (*(f"level_accuracy/{level}" for level in levels), "level_accuracy")
        assert len(table.published) == rows
        for row in table.published:
            *shares, mean = row.values
            assert abs(np.mean(shares) - mean) <= 0.0101, row
            assert all(50 < share < 100 for share in row.values)


@pytest.mark.parametrize("data", DATASETS)
def test_the_trees_of_its_datasets_can_be_stored(data: str, tmp_path: Path) -> None:
    """As every run stores its own."""
    options = datasets.write_made_up(data, tmp_path / "made-up")
    taxonomy = datasets.load(data, **options).taxonomy
    taxonomy.write(tmp_path / "taxonomy.csv")
    assert Taxonomy.read(tmp_path / "taxonomy.csv") == taxonomy


def test_rows_that_stand_in_two_tables_have_the_same_values() -> None:
    one, three = (next(t for t in SUITE.on("cub-200-2011").tables if t.name == name) for name in ("table-1", "table-3"))
    first, third = ({row.row: row.values for row in table.published} for table in (one, three))
    shared = first.keys() & third.keys()
    assert shared == {"vanilla", "lht"}
    assert all(first[row] == third[row] for row in shared)


def test_the_paper_ranks_its_rows_as_its_text_says() -> None:
    values = {row.row: row.values for t in SUITE.on("cub-200-2011").tables for row in t.published}
    for row in ("vanilla", "vanilla-single", "vanilla-multi", "fgon", "lht:order=c2f"):
        assert all(own > other for own, other in zip(values["lht"], values[row], strict=True)), row
    drop = np.subtract(values["lht"], values["w/ random"])
    assert min(drop[:2]) > 9  # the coarser levels "drop over 9%"
    assert drop[2] < 1
