"""Training of the level-wise baselines: towers, pooling, embeddings, label frequencies and sets of labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import cladewise as cw
from cladewise import methods
from cladewise.backbones import Towers
from cladewise.cli.tables import write_frame
from cladewise.datasets import Dataset
from cladewise.engine import Run, predict
from cladewise.engine.classifier import FeatureScaling
from cladewise.engine.network import build_network
from cladewise.heads import Embedding
from cladewise.losses import Loss, MultilabelSoftMarginLoss
from cladewise.records import log
from cladewise.report import compare

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "optimizer": "adamw",
    "lr": 0.05,
    "backbone_lr": 1e-3,
}
NARROW = {"embedding": 24}


@pytest.fixture(scope="module")
def towers(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("towers") / "run"
    return cw.train(colours, method="vanilla-multi", options=NARROW, out=out, epochs=3, seed=2, **TINY)


@pytest.fixture(scope="module")
def sets(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("sets") / "hab"
    return cw.train(colours, method="hab", options=NARROW, out=out, epochs=10, freeze=True, **TINY)


# ---------------------------------------------------------------- towers


def test_every_level_trains_an_encoder_of_its_own(towers: Run, colours: Dataset) -> None:
    encoder = towers.classifier.encoder
    assert isinstance(encoder, Towers)
    assert len(encoder.backbones) == colours.taxonomy.num_levels == 3
    first, second, third = (b.state_dict() for b in encoder.backbones)
    kernels = [key for key, value in first.items() if value.ndim == 4]
    assert all(not first[k].equal(second[k]) and not second[k].equal(third[k]) for k in kernels)
    before = build_network(towers.config, towers.method, towers.own_taxonomy)[0].state_dict()
    moved = {key.split(".")[2] for key, value in towers.classifier.state_dict().items() if not value.equal(before[key])}
    assert {"0", "1", "2"} <= moved
    losses = [e["train_loss"] for e in log.read(towers.folder.log) if e["event"] == "epoch"]
    assert losses[-1] < losses[0]


def test_a_level_teaches_no_tower_but_its_own(towers: Run, colours: Dataset) -> None:
    classifier, taxonomy = Run.open(towers.path).classifier, colours.taxonomy
    sizes = [len(taxonomy.level_nodes(level)) for level in (1, 2, 3)]
    parts = classifier(torch.randn(4, 3, 24, 24)).logits.split(sizes, dim=1)
    assert isinstance(classifier.encoder, Towers)
    for level, part in enumerate(parts):
        classifier.zero_grad()
        part.square().sum().backward(retain_graph=True)
        taught = [
            any(p.grad is not None and bool(p.grad.any()) for p in tower.parameters())
            for tower in classifier.encoder.backbones
        ]
        assert taught == [k == level for k in range(3)]


def test_towers_evaluate_and_predict(towers: Run, colours: Dataset, tmp_path: Path) -> None:
    scores = cw.evaluate(towers, progress=False)
    assert 0 <= scores.level_accuracy <= 1
    rows = pl.read_parquet(towers.folder.predictions("test"))
    files = [colours.root / path for path in rows["path"]]
    predicted = predict(towers, files, progress=False)
    outcomes = pl.read_parquet(scores.path.with_suffix(".parquet"))
    for k, name in enumerate(colours.taxonomy.level_names):
        assert predicted.decide().node[:, k].tolist() == outcomes[f"predicted_{name}"].to_list()
    (tmp_path / "x.png").write_bytes(b"no picture")
    frame = predict(towers, [tmp_path / "x.png", *files[:1]], progress=False).to_frame()
    assert frame["level_1"].to_list() == [None, predicted.to_frame()["level_1"][0]]
    assert frame["error"].is_null().to_list() == [False, True]


def test_towers_learn_at_the_rate_of_backbones_and_vectors_do_not_decay(towers: Run) -> None:
    groups = towers.classifier.parameter_groups(lr=1.0, backbone_lr=0.1, weight_decay=0.01)
    where = {id(p): group for group in groups for p in group["params"]}
    for name, parameter in towers.classifier.named_parameters():
        group = where[id(parameter)]
        assert group["lr"] == (0.1 if name.startswith("encoder.") else 1.0)
        assert group["weight_decay"] == (0.01 if parameter.ndim > 1 else 0.0)
    assert len(where) == len(list(towers.classifier.parameters()))


def test_a_frozen_encoder_is_one_for_all_levels(colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method="vanilla-multi", options=NARROW, out=tmp_path / "r", epochs=8, freeze=True, **TINY)
    assert isinstance(run.classifier.encoder, FeatureScaling)
    assert sum(isinstance(module, Embedding) for module in run.classifier.head.modules()) == 3
    assert cw.evaluate(run, progress=False).level_accuracy > 0.6


# ---------------------------------------------------------------- pooling


def test_a_method_pools_by_the_maximum_end_to_end_alone(colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method="fgon", options=NARROW, out=tmp_path / "e", epochs=0, **TINY)
    images = torch.randn(2, 3, 24, 24)
    backbone: Any = run.backbone
    assert backbone(images).allclose(backbone.encoder.forward_features(images).amax((2, 3)))
    assert cw.evaluate(run, progress=False).num_images > 0
    own = cw.train(colours, method="fgon", options={**NARROW, "pool": "own"}, out=tmp_path / "o", epochs=0, **TINY)
    frozen = cw.train(colours, method="fgon", options=NARROW, out=tmp_path / "f", epochs=0, freeze=True, **TINY)
    plain = cw.train(colours, method="flat-softmax", out=tmp_path / "p", epochs=0, freeze=True, **TINY)
    for other in (own.backbone, frozen.backbone):
        encoder: Any = other.encoder
        assert other(images).allclose(encoder.forward_features(images).mean((2, 3)), atol=1e-6)
    assert frozen.backbone.fingerprint == plain.backbone.fingerprint  # one cache of features for all methods


# ---------------------------------------------------------------- embeddings


def test_a_last_batch_of_one_image_trains(colours: Dataset, tmp_path: Path) -> None:
    count = len(colours.indices("train"))
    size = next(size for size in range(2, count) if count % size == 1)
    settings = {**TINY, "batch_size": size}
    run = cw.train(colours, method="plc", options=NARROW, out=tmp_path / "r", epochs=2, freeze=True, **settings)
    assert all(value.isfinite().all() for value in run.classifier.state_dict().values())


# ---------------------------------------------------------------- label frequencies


def test_the_loss_is_told_how_frequent_labels_are(
    colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[torch.Tensor] = []
    for_labels = MultilabelSoftMarginLoss.for_labels

    def listening(self: MultilabelSoftMarginLoss, num_images: torch.Tensor) -> Loss:
        told.append(num_images)
        return for_labels(self, num_images)

    monkeypatch.setattr(MultilabelSoftMarginLoss, "for_labels", listening)
    losses = []
    for weights in (False, True):
        out = tmp_path / str(weights)
        options = {**NARROW, "class_weights": weights}
        run = cw.train(colours, method="hab", options=options, out=out, epochs=1, freeze=True, **TINY)
        losses.append(log.read(run.folder.log)[-1]["train_loss"])
    assert losses[0] != losses[1]
    nodes = colours.nodes[colours.indices("train")]
    counted = np.bincount(nodes, minlength=colours.taxonomy.num_nodes)
    for counts in told:
        assert (counts.numpy() <= counted).all()
        assert counted.sum() - 1 <= counts.sum() <= counted.sum()  # a broken image is no image


# ---------------------------------------------------------------- sets of labels


@pytest.mark.parametrize("boundary", ["global", "per-class"])
def test_sets_of_labels_are_fitted_on_validation_images_and_counted(
    colours: Dataset, tmp_path: Path, boundary: str
) -> None:
    options = {**NARROW, "boundary": boundary}
    settings = {**TINY, "balance": "sample", "epochs": 10}
    run = cw.train(colours, method="hab", options=options, out=tmp_path / "r", freeze=True, **settings)
    assert "val_level_accuracy" in log.read(run.folder.log)[-1]
    scores = cw.evaluate(run, progress=False)
    assert scores.decision == ("boundary" if boundary == "global" else "boundary-per-class")
    content = json.loads(scores.path.read_text())
    assert content["fitted_on"] == {scores.decision: "val"}
    assert np.shape(content["fitted"]["boundary"]) == (() if boundary == "global" else (run.taxonomy.num_nodes,))
    assert scores.micro_f1 > 0.6
    rows = pl.read_parquet(scores.path.with_suffix(".parquet"))
    sizes = rows["labels"].list.len().to_numpy()
    found = [scores[f"labels_{name}"].value for name in ("min", "max", "mean", "sd")]
    assert found == pytest.approx([sizes.min(), sizes.max(), sizes.mean(), sizes.std()])
    assert "labels_mean" not in cw.evaluate(run, decision="levels", progress=False).metrics


def test_sets_of_labels_are_predicted(sets: Run, colours: Dataset, tmp_path: Path) -> None:
    cw.evaluate(sets, progress=False)
    rows = pl.read_parquet(sets.folder.outcomes("test", "none", "boundary"))
    predicted = predict(sets, [colours.root / path for path in rows["path"]], progress=False)
    frame = predicted.to_frame()
    named = [[sets.taxonomy.path_name(v) for v in labels] for labels in rows["labels"].to_list()]
    assert frame["labels"].to_list() == named
    assert frame["probabilities"].list.len().to_list() == [len(labels) for labels in named]
    write_frame(frame, "csv", tmp_path / "p.csv")
    assert pl.read_csv(tmp_path / "p.csv")["labels"].fill_null("").to_list() == [";".join(labels) for labels in named]
    (tmp_path / "x.png").write_bytes(b"no picture")
    assert predict(sets, [tmp_path / "x.png"], progress=False).to_frame().columns == frame.columns


def test_sets_of_labels_stand_beside_other_answers_in_the_report(sets: Run, colours: Dataset, tmp_path: Path) -> None:
    flat = cw.train(colours, method="flat-softmax", out=tmp_path / "flat", epochs=2, freeze=True, **TINY)
    for run in (sets, flat):
        cw.evaluate(run, progress=False)
    both = compare([sets.path, flat.path], tmp_path / "both.html").read_text()
    assert "left out here and below" in both
    assert "Labels, mean" in both
    assert ">Top-1<" in both
    alone = compare([sets.path], tmp_path / "alone.html").read_text()
    assert 'id="mistakes"' not in alone
    assert 'id="by-height"' not in alone
    assert "m-F1" in alone
    levels = cw.evaluate(sets, decision="levels", progress=False)
    assert levels.level_accuracy > 0.6
    assert 'id="mistakes"' in compare([sets.path], tmp_path / "levels.html", decision="levels").read_text()


@pytest.mark.parametrize("name", ["vanilla", "vanilla-single", "fgon", "plc", "mc", "m-plc", "hs"])
def test_the_other_baselines_learn(name: str, colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method=name, options=NARROW, out=tmp_path / "r", epochs=6, freeze=True, **TINY)
    scores = cw.evaluate(run, progress=False)
    assert scores.top1 > 0.6
    assert scores.decision == methods.make(name).decision().name
