"""The suite of HCM comes to the protocol of ANCOR, field by field."""

from __future__ import annotations

import dataclasses
import math

import pytest

from cladewise import datasets, methods
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig
from cladewise.suites import read_suite

SUITE = read_suite("hcm")
BREEDS = ("living-17", "nonliving-26", "entity-13", "entity-30")
DATA = (*BREEDS, "cifar-100")
ROWS = {
    "coarse CE": ("coarse-cross-entropy", {"level": "coarse"}),
    "SupCon": ("supcon", {"levels": "coarse"}),
    "MoCo v2": ("moco", {"level": "coarse"}),
    "coarse CE + MoCo": ("coarse-moco", {"level": "coarse"}),
    "ANCOR": ("ancor", {"level": "coarse"}),
    "ANCOR, 800 epochs": ("ancor", {"level": "coarse"}),
    "HCM": ("hcm", {"level": "coarse"}),
    "Poincaré classes alone": ("hcm", {"level": "coarse", "weight": 0.0}),
    "HCM, fixed margins": ("hcm", {"level": "coarse", "margins": "fixed"}),
    "HCM, Euclidean": ("hcm", {"level": "coarse", "geometry": "euclidean"}),
    "fine CE": ("coarse-cross-entropy", {}),
}
RESNET_50 = BackboneConfig(
    name="resnet50",
    pretrained=False,
    image_size=224,
    crop_ratio=0.875,
    mean="0.4717,0.4499,0.3837",
    std="0.2600,0.2516,0.2575",
)
RESNET_12 = BackboneConfig(
    name="resnet12",
    pretrained=False,
    image_size=32,
    crop_ratio=1.0,
    drop_rate=0.1,
    mean="0.5071,0.4867,0.4408",
    std="0.2675,0.2565,0.2761",
)
TRAINING = TrainingConfig(
    train_split="train",
    val_split="none",
    epochs=200,
    batch_size=256,
    optimizer="sgd",
    lr=0.03,
    backbone_lr=0.03,
    weight_decay=1e-4,
    decay="all",
    momentum=0.9,
    schedule="cosine",
    cycles=10,
    augment="moco",
    smallest=0.2,
)


def rows_on(data: str) -> list[str]:
    return [row for row in ROWS if data in BREEDS or row != "ANCOR, 800 epochs"]


def test_the_five_datasets_are_known_with_both_levels() -> None:
    assert tuple(entry.name for entry in SUITE.data) == DATA
    sizes = {name: dict(datasets.facts(name).levels) for name in DATA}
    assert sizes == {
        "living-17": {"coarse": 17, "fine": 68},
        "nonliving-26": {"coarse": 26, "fine": 104},
        "entity-13": {"coarse": 13, "fine": 260},
        "entity-30": {"coarse": 30, "fine": 240},
        "cifar-100": {"coarse": 20, "fine": 100},
    }
    assert all((entry.train, entry.test) == ("train", "test") for entry in SUITE.data)


@pytest.mark.parametrize("data", DATA)
def test_every_row_has_the_protocol(data: str) -> None:
    assert list(SUITE.on(data).methods) == rows_on(data)
    assert SUITE.search is None
    assert SUITE.seeds == 1
    for row in rows_on(data):
        name, stated = ROWS[row]
        found = SUITE.resolved(data, row)
        expected = TRAINING if data in BREEDS else dataclasses.replace(TRAINING, augment="crop-flip")
        if row == "ANCOR, 800 epochs":
            expected = dataclasses.replace(expected, epochs=800)
        coarse = AblationConfig() if row == "fine CE" else AblationConfig(coarse_labels=1.0, coarse_level="coarse")
        assert found.method == name
        assert found.options == methods.make(name, embedding=0, **stated).options(), row
        assert found.backbone == (RESNET_50 if data in BREEDS else RESNET_12), row
        assert found.training == expected, row
        assert found.ablation == coarse, row


def test_the_methods_own_settings_are_those_of_ancor() -> None:
    """MLP to 128 numbers, temperature 0.2, momentum 0.999, 65,536 keys per class, two views."""
    for row in ("MoCo v2", "coarse CE + MoCo", "ANCOR"):
        name, options, *_ = SUITE.resolved("living-17", row)
        assert (options["projection"], options["temperature"]) == (128, 0.2)
        assert (options["queue"], options["copy_momentum"]) == (65_536, 0.999)
        assert methods.make(name, **options).views() == 2
    assert methods.make("supcon", **SUITE.resolved("living-17", "SupCon").options).views() == 2
    assert SUITE.resolved("living-17", "HCM").options["clusters"] == "2x"


@pytest.mark.parametrize("data", DATA)
def test_a_thousand_one_shot_episodes(data: str) -> None:
    (entry,) = SUITE.on(data).few_shot
    assert entry.ways == ("5", "all", "intra")
    assert entry.options() == {
        "shots": 1,
        "queries": 15,
        "episodes": 1000,
        "support_views": 5,
        "space": "own",
        "apart": False,
        "coarse_level": "coarse",
    }


ANCOR = {
    ("living-17", 200): (89.23, 45.14),
    ("living-17", 800): (92.59, 58.15),
    ("nonliving-26", 200): (86.23, 43.10),
    ("nonliving-26", 800): (88.25, 49.38),
    ("entity-13", 200): (90.58, 42.29),
    ("entity-13", 800): (92.04, 50.72),
    ("entity-30", 200): (88.12, 41.79),
    ("entity-30", 800): (92.13, 50.85),
    ("cifar-100", 200): (74.56, 29.84),
}


def test_ancors_published_figures() -> None:
    table = next(table for table in SUITE.tables if table.name == "few-shot-accuracy")
    assert table.columns == ("few_shot/5", "few_shot/all", "few_shot/intra")
    found = {(row.data, SUITE.resolved(row.data, row.row).training.epochs): row.values for row in table.published}
    assert {key: values[:2] for key, values in found.items()} == ANCOR
    assert all(math.isnan(values[2]) for values in found.values())
    assert {row.row for row in table.published} == {"ANCOR", "ANCOR, 800 epochs"}
    for values in found.values():
        assert values[1] < values[0]  # all classes are harder to tell apart than five


def test_figures_of_hcm_are_marked_as_unverified() -> None:
    table = next(table for table in SUITE.tables if table.name == "hcm")
    assert "not checked" in table.source
    assert {row.row for row in table.published} == {"HCM"}
    five = {row.data: row.values[0] for row in table.published}
    assert five == {
        "living-17": 90.94,
        "nonliving-26": 89.97,
        "entity-13": 91.24,
        "entity-30": 92.95,
        "cifar-100": 81.42,
    }
    assert [row.values[2] for row in table.published if not math.isnan(row.values[2])] == [57.11]
    assert all(math.isnan(row.values[1]) for row in table.published)
    assert five["cifar-100"] > ANCOR["cifar-100", 200][0] + 4.05  # at least the gain over the runner-up in the abstract


def test_probes_learn_an_embedding_from_two_of_eight_views() -> None:
    from cladewise.suites.lighter import features_of

    probes = features_of(SUITE)
    for row in ROWS:
        name, options, backbone, training, ablation = probes.resolved("living-17", row)
        assert (backbone.freeze, backbone.views, training.epochs) == (True, 8, 40)
        assert options["embedding"] == 600, name
        assert ablation == SUITE.resolved("living-17", row).ablation
    assert probes.search is not None
    assert probes.search.metric == "level_accuracy/coarse"
