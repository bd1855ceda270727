"""The suites of HACE's paper: every row has the settings of its authors' scripts, field by field."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from cladewise import datasets
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig
from cladewise.suites import read_suite
from cladewise.suites.suite import Resolved

SUITE, PROBE = read_suite("hace"), read_suite("hace-probe")
DILUTIONS = (0.2, 0.5, 0.7)
DATASETS = ("cifar-100", "fgvc-aircraft", "nabirds")
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"ResNet-{depth}": (f"resnet{depth}.tv_in1k", {"lr": 0.1, "weight_decay": 1e-4, "optimizer": "sgd"})
        for depth in (18, 34, 50)
    },
    "ConvNeXt-T": (
        "convnext_tiny",
        {"lr": 4e-3 * 128 / 4096, "weight_decay": 0.05, "optimizer": "adamw", "epochs": 400},
    ),
    "Swin-T": (
        "swin_tiny_patch4_window7_224",
        {"lr": 1e-3 * 128 / 1024, "weight_decay": 0.05, "optimizer": "adamw", "epochs": 500, "warmup_epochs": 20.0},
    ),
    "ViT-B/16": (
        "vit_base_patch16_224",
        {
            "lr": 3e-3,
            "weight_decay": 0.3,
            "optimizer": "adamw",
            "epochs": 300,
            "warmup_epochs": 10.0,
            "batch_size": 64,
        },
    ),
}
IMAGES: dict[str, dict[str, Any]] = {
    "cifar-100": {"mean": (0.5071, 0.4867, 0.4408), "std": (0.2675, 0.2565, 0.2761), "side": 32, "ratio": 1.0},
    "fgvc-aircraft": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "side": 224, "ratio": 224 / 256},
    "nabirds": {
        "mean": (125.30513277 / 255, 129.66606421 / 255, 118.45121113 / 255),
        "std": (57.0045467 / 255, 56.70059436 / 255, 68.44430446 / 255),
        "side": 224,
        "ratio": 224 / 256,
    },
}
METRICS = ("top1", "top5", "sibling", "level_accuracy", "severity")


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def end_to_end(data: str, network: str, factor: float) -> tuple[BackboneConfig, TrainingConfig]:
    """The protocol of the scripts, with the rate multiplied by a factor."""
    name, chosen = NETWORKS[network]
    small, vit = data == "cifar-100", network == "ViT-B/16"
    resnet = network.startswith("ResNet")
    rate = chosen["lr"] * factor
    encoder = BackboneConfig(
        name=name,
        pretrained=False,
        freeze=False,
        image_size=224 if vit else IMAGES[data]["side"],
        crop_ratio=IMAGES[data]["ratio"],
        stem="cifar" if small and resnet else "own",
        drop_rate=0.1 if vit else 0.0,
    )
    training = {
        "epochs": 450 if small else 750,
        "batch_size": 128,
        "warmup_epochs": 10.0 if small and network == "ResNet-50" else 0.0,
        **chosen,
        "lr": pytest.approx(rate, rel=1e-6),
        "backbone_lr": pytest.approx(rate, rel=1e-6),
        "train_split": "train+val" if data == "fgvc-aircraft" else "train",
        "val_split": "none",
        "momentum": 0.9,
        "decay": "all",
        "schedule": "cosine",
        "augment": "pad-crop-flip" if small else "crop-flip",
        "pad": 28 if small and vit else 4,
    }
    return encoder, dataclasses.replace(TrainingConfig(), **training)


def check(row: Resolved, data: str, encoder: BackboneConfig, training: TrainingConfig) -> None:
    """Every field is as expected; colours up to the digits that are written."""
    mean, std = numbers(row.backbone.mean), numbers(row.backbone.std)
    assert mean == pytest.approx(IMAGES[data]["mean"], abs=1e-6)
    assert std == pytest.approx(IMAGES[data]["std"], abs=1e-6)
    assert dataclasses.replace(row.backbone, mean="", std="") == encoder
    assert row.training == training
    assert row.ablation == AblationConfig()


def hace(data: str, dilution: float, **more: Any) -> dict[str, Any]:
    """Options of HACE: the root of CIFAR-100 is not a label and has no score, as in the authors' matrices."""
    options = {"dilution": dilution, "domain": "nodes", "with_root": data != "cifar-100", "eps": 1e-6}
    return {**options, **more}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("data", DATASETS)
def test_every_pair_of_network_and_dataset(data: str, network: str) -> None:
    rows: dict[str, tuple[float, str, dict[str, Any]]] = {
        "SCE": (1, "flat-softmax", {"label_smoothing": 0.0, "adjust": 0.0})
    }
    for d in DILUTIONS:
        options = hace(data, d, smoothing=0.0, smoothing_over="leaves")
        rows[f"HACE d={d}, rate / d"] = (1 / d, "hace", options)
        rows[f"HACE d={d}"] = (1, "hace", options)
        rows[f"SCE, rate x {d}"] = (d, "flat-softmax", {"label_smoothing": 0.0, "adjust": 0.0})
    for label, (factor, method, options) in rows.items():
        row = SUITE.resolved(data, f"{network}, {label}")
        assert (row.method, row.options) == (method, options), label
        check(row, data, *end_to_end(data, network, factor))


@pytest.mark.parametrize(("data", "scores"), [("cifar-100", 120), ("fgvc-aircraft", 201), ("nabirds", 1011)])
def test_networks_have_as_many_scores_as_the_authors(data: str, scores: int) -> None:
    facts = datasets.facts(data)
    with_root = SUITE.resolved(data, "ResNet-18, HACE d=0.5").options["with_root"]
    below = facts.num_nodes - 1 if facts.num_nodes else sum(facts.levels.values())
    assert below + with_root == scores


@pytest.mark.parametrize("network", ["ResNet-50", "Swin-T", "ViT-B/16"])
@pytest.mark.parametrize("data", DATASETS)
def test_the_rivals_have_the_settings_of_their_scripts(data: str, network: str) -> None:
    here = SUITE.on(data)
    rows = {label for table in here.tables if table.name == "baselines" for label in here.methods_of(table)}
    if network != "ResNet-50" and data != "nabirds":  # for which there are no scripts
        assert {label for label in rows if label.startswith(network)} == {
            f"{network}, {label}" for label in ("SCE", *(f"HACE d={d}, rate / d" for d in DILUTIONS))
        }
        return
    over = "leaves" if data == "cifar-100" else "nodes"
    expected: dict[str, tuple[float, str, dict[str, Any]]] = {
        "SCE, smoothed": (1, "flat-softmax", {"label_smoothing": 0.1, "adjust": 0.0}),
        **{
            f"HXE a={alpha}": (1, "hxe", {"alpha": alpha, "weighting": "child-depth", "logits": "leaf"})
            for alpha in (0.0, 0.2, 0.5)
        },
        **{
            f"soft labels b={beta}": (1, "soft-labels", {"beta": value, "distance": "hace", "reduction": "sum"})
            for beta, value in (("10", 10.0), ("30", 30.0), ("1e7", 1e7))
        },
        "HACE-smooth d=0.7, rate / d": (1 / 0.7, "hace-smooth", hace(data, 0.7, smoothing=0.1, smoothing_over=over)),
        **{
            f"HACE d=0.7 + soft labels b={beta}, rate / d": (
                1 / 0.7,
                "hace-soft",
                hace(data, 0.7, beta=float(beta), distance="hace"),
            )
            for beta in (10, 30)
        },
    }
    for label, (factor, method, options) in expected.items():
        assert f"{network}, {label}" in rows
        row = SUITE.resolved(data, f"{network}, {label}")
        assert (row.method, row.options) == (method, options), label
        check(row, data, *end_to_end(data, network, factor))


def test_the_tables_show_18_pairs_by_the_metrics_of_the_paper() -> None:
    seen: set[tuple[str, str]] = set()
    for data in DATASETS:
        here = SUITE.on(data)
        tables = {table.name: table for table in here.tables}
        for name in ("pairs", "rates", "baselines"):
            assert tables[name].columns == METRICS
            assert here.rules_of(tables[name]) == [("own", "own")]  # the best of all scores, which may be an inner node
        assert here.rules_of(tables["levels"]) == [("own", "levels")]
        assert here.methods_of(tables["levels"]) == here.methods_of(tables["pairs"])
        labels = set(here.methods_of(tables["pairs"]))
        assert len(labels) == 24
        seen |= {(network, data) for network in NETWORKS if f"{network}, SCE" in labels}
        assert set(here.methods) == {label for table in here.tables for label in here.methods_of(table)}
    assert len(seen) == 18
    pairs = next(table for table in SUITE.tables if table.name == "pairs")
    assert "15 of 18 pairs" in pairs.source
    assert "4.66 points" in pairs.source
    assert SUITE.seeds == 1


# ---------------------------------------------------------------- the linear probes


@pytest.mark.parametrize("data", DATASETS)
def test_every_probe(data: str) -> None:
    over = "leaves" if data == "cifar-100" else "nodes"
    rows: dict[str, tuple[float, str, dict[str, Any]]] = {
        "flat-softmax": (1, "flat-softmax", {"label_smoothing": 0.0, "adjust": 0.0}),
        "flat-softmax:label_smoothing=0.1": (1, "flat-softmax", {"label_smoothing": 0.1, "adjust": 0.0}),
    }
    for alpha in (0.0, 0.2, 0.5):
        options: dict[str, Any] = {"alpha": alpha, "weighting": "child-depth", "logits": "leaf"}
        rows[f"hxe:alpha={alpha},weighting=child-depth"] = (1, "hxe", options)
    for beta in ("10", "30", "1e7"):
        options = {"beta": float(beta), "distance": "hace", "reduction": "sum"}
        rows[f"soft-labels:beta={beta},distance=hace"] = (1, "soft-labels", options)
    for d in DILUTIONS:
        rows[f"SCE, rate x {d}"] = (d, "flat-softmax", {"label_smoothing": 0.0, "adjust": 0.0})
        plain = hace(data, d, smoothing=0.0, smoothing_over="leaves")
        smooth = hace(data, d, smoothing=0.1, smoothing_over=over)
        rows[f"HACE d={d}, rate / d"] = (1 / d, "hace", plain)
        rows[f"HACE-smooth d={d}, rate / d"] = (1 / d, "hace-smooth", smooth)
    for beta in (10, 30):
        options = hace(data, 0.7, beta=float(beta), distance="hace")
        rows[f"HACE d=0.7 + soft labels b={beta}, rate / d"] = (1 / 0.7, "hace-soft", options)

    here = PROBE.on(data)
    (table,) = here.tables
    assert set(here.methods_of(table)) == set(here.methods) == set(rows)
    assert table.columns == METRICS
    assert "2.18 points" in table.source
    encoder = BackboneConfig(
        name="vit_large_patch14_dinov2.lvd142m", freeze=True, image_size=224, crop_ratio=224 / 256, scaling="l2"
    )
    for label, (factor, method, options) in rows.items():
        row = PROBE.resolved(data, label)
        training = TrainingConfig(
            train_split="train+val" if data == "fgvc-aircraft" else "train",
            val_split="test",  # watched, and never acted on
            epochs=2000,
            batch_size=1024,
            optimizer="sgd",
            lr=pytest.approx(0.1 * factor, rel=1e-6),
            momentum=0.9,
            weight_decay=0.0,
            schedule="cosine",
            lr_floor=0.01,
        )
        assert (row.method, row.options) == (method, options), label
        assert (row.backbone, row.training, row.ablation) == (encoder, training, AblationConfig()), label
        assert row.training.early_stop == 0


def test_rates_are_stated_so_that_nothing_is_searched() -> None:
    assert SUITE.search is None
    assert PROBE.search is None
    for suite, data in itertools.product((SUITE, PROBE), DATASETS):
        for label in suite.on(data).methods:
            assert suite.resolved(data, label).training.lr > 0
