"""Settings of published protocols, from the configuration to the pixels, the optimiser and the exported file."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from PIL import Image
from torch import nn

import cladewise as cw
from cladewise import InputError, methods
from cladewise.backbones import load
from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.engine.classifier import Classifier
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.feeding.images import ImageRows, collate, collate_for_training
from cladewise.engine.feeding.rows import rows_of
from cladewise.engine.training.stepping import optimiser_of
from cladewise.exporting.onnx_file import OnnxFormat
from cladewise.exporting.preprocessing import Preprocessing
from cladewise.records import BackboneConfig, RunConfig, TrainingConfig, log, read_config, settings
from cladewise.taxonomy import Taxonomy

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "epochs": 2,
}
CIFAR: dict[str, Any] = {
    "resize": "square",
    "crop_ratio": 1.0,
    "mean": "0.5071,0.4867,0.4408",
    "std": "0.2675, 0.2565, 0.2761",
    "stem": "cifar",
    "drop_rate": 0.1,
    "augment": "pad-crop-flip",
    "pad": 3,
    "decay": "all",
    "lr_floor": 0.001,
    "lr": 0.01,
    "backbone_lr": 0.005,
}
TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])


@pytest.fixture(scope="module")
def run(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return cw.train(colours, method="hace", out=tmp_path_factory.mktemp("protocol") / "run", **TINY, **CIFAR)


@pytest.fixture(scope="module")
def oblong(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures of several shapes."""
    folder, rng = tmp_path_factory.mktemp("oblong"), np.random.default_rng(0)
    sizes = ((30, 50), (44, 40), (24, 24), (19, 90))
    for number, (height, width) in enumerate(sizes):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def test_a_run_keeps_them(run: Run) -> None:
    wanted = {**TINY, **CIFAR}
    for table in (run.config.backbone, run.config.training):
        for name, value in dataclasses.asdict(table).items():
            assert value == wanted.get(name, value), name
    opened = Run.open(run.path).backbone
    assert opened.mean == (0.5071, 0.4867, 0.4408)
    assert opened.image_input.resize == "square"
    stem: Any = opened.encoder.conv1
    assert stem.stride == (1, 1)
    last = [event for event in log.read(run.folder.log) if event["event"] == "epoch"][-1]
    assert last["lr"] == pytest.approx(0.001)  # the highest of the rates, at the end


def test_an_exported_file_sees_the_same_pixels(run: Run, oblong: list[Path], tmp_path: Path) -> None:
    made = cw.export(Run.open(run.path), out=tmp_path / "model.onnx", log_probs=True, images=4, progress=False)
    assert made.checked.passed
    answers, transform = OnnxFormat().open(made.file), Run.open(run.path).backbone.transform()
    for path in oblong:
        picture = Image.open(path)
        pixels = np.array(picture)[None]
        assert torch.equal(Preprocessing(transform)(torch.from_numpy(pixels))[0], transform(picture))
        predicted = cw.predict(run, [path], progress=False)
        got = answers({"images": pixels})
        np.testing.assert_array_equal(got["node"], predicted.node())
        np.testing.assert_allclose(np.asarray(got["log_probs"], np.float64), predicted.log_prob.numpy(), atol=1e-4)


def test_a_configuration_without_them_is_read_with_the_defaults(run: Run, tmp_path: Path) -> None:
    content = tomllib.loads(run.folder.config.read_text())
    for table in ("backbone", "training"):
        content[table] = {k: v for k, v in content[table].items() if k not in CIFAR or k in ("lr", "crop_ratio")}
    (tmp_path / "config.toml").write_text(tomli_w.dumps(content))
    found = read_config(tmp_path / "config.toml")
    for table, fresh in ((found.backbone, BackboneConfig()), (found.training, TrainingConfig())):
        for name in CIFAR.keys() & {f.name for f in dataclasses.fields(fresh)} - {"lr", "crop_ratio"}:
            assert getattr(table, name) == getattr(fresh, name)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mean", "0.5,0.5", "mean to be three numbers.*but got 2 numbers"),
        ("mean", "125.3,129.7,118.5", "mean to be three numbers.*Divide values"),
        ("std", "0.2,0.2,0", "std to be three numbers"),
        ("std", "a,b,c", "std to be three numbers"),
    ],
)
def test_numbers_per_channel(name: str, value: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        settings(BackboneConfig, {name: value})


def classifier_of(kind: str = "hace") -> Classifier:
    towers = [load("test_resnet", pretrained=False, image_size=24)]
    return Classifier(methods.make(kind).head(TREE, towers[0].num_features), towers=towers)


@pytest.mark.parametrize("floor", [0.0, 0.01, 0.05])
def test_the_cosine_is_that_of_torch_in_every_step(floor: float) -> None:
    steps, wanted = 13, TrainingConfig(lr=0.2, backbone_lr=0.05, lr_floor=floor, epochs=1)
    optimizer, schedule = optimiser_of(classifier_of(), wanted, steps)
    parameters = [nn.Parameter(torch.zeros(1)) for _ in optimizer.param_groups]
    groups: list[dict[str, Any]] = [
        {"params": [p], "lr": group["lr"]} for p, group in zip(parameters, optimizer.param_groups, strict=True)
    ]
    theirs = torch.optim.SGD(groups)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, T_max=steps, eta_min=floor)
    for _ in range(steps + 1):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([group["lr"] for group in theirs.param_groups], rel=1e-9, abs=1e-15)
        for each, plan in ((optimizer, schedule), (theirs, annealing)):
            each.step()
            plan.step()


def test_rates_below_the_floor_stay() -> None:
    wanted = TrainingConfig(lr=0.2, backbone_lr=0.0, lr_floor=0.1, epochs=1)
    optimizer, schedule = optimiser_of(classifier_of(), wanted, 4)
    for _ in range(5):
        assert {group["lr"] for group in optimizer.param_groups} >= {0.0}
        optimizer.step()
        schedule.step()
    assert sorted({round(group["lr"], 9) for group in optimizer.param_groups}) == [0.0, 0.1]


@pytest.mark.parametrize("decay", ["weights", "all"])
def test_what_decays(decay: str) -> None:
    wanted = TrainingConfig(weight_decay=0.5, decay=decay, lr=1.0, backbone_lr=1.0, momentum=0.0)
    network = classifier_of()
    optimizer, _ = optimiser_of(network, wanted, 1)
    before = {key: value.clone() for key, value in network.named_parameters()}
    for value in network.parameters():
        value.grad = torch.zeros_like(value)
    optimizer.step()
    kept = {key for key, value in network.named_parameters() if torch.equal(value, before[key])}
    vectors = {key for key, value in before.items() if value.ndim < 2 and bool(value.any())}
    assert vectors
    assert kept & vectors == (vectors if decay == "weights" else set())
    assert all(torch.allclose(v, before[k] / 2) for k, v in network.named_parameters() if k not in kept)


def test_cached_views_are_those_of_the_augmentation(colours: Dataset) -> None:
    def folder(**training: Any) -> Path:
        config = RunConfig(
            backbone=BackboneConfig(name="test_resnet", pretrained=False, image_size=24, freeze=True, views=2),
            training=TrainingConfig(workers=0, **training),
        )
        torch.manual_seed(0)
        backbone = load("test_resnet", pretrained=False, image_size=24)
        device = torch.device("cpu")
        rows = rows_of(config, colours, "test", backbone, train=True, device=device, progress=False)
        return rows.features.folder  # type: ignore[union-attr]

    plain = folder()
    assert folder(pad=9) == folder(augment="none") == plain  # not used by the random crop, which varies copies
    others = [folder(smallest=0.5), folder(augment="pad-crop-flip"), folder(augment="pad-crop-flip", pad=2)]
    assert len({plain, *others}) == 4


def test_features_of_a_square_have_a_recipe_of_their_own(colours: Dataset) -> None:
    torch.manual_seed(0)
    weights = load("test_resnet", pretrained=False, image_size=24)
    folders: set[Path] = set()
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"resize": "square"},
        {"mean": (0.1, 0.2, 0.3)},
        {"std": (0.1, 0.2, 0.3)},
    )
    for change in changes:
        backbone = load("test_resnet", pretrained=False, image_size=24, **change)
        backbone.encoder.load_state_dict(weights.encoder.state_dict())
        found = cached_features(colours, colours.indices("test")[:3], backbone, workers=0, progress=False)
        folders.add(found.folder)
    assert len(folders) == 4


@pytest.mark.parametrize("views", [None, 3])
def test_batches_for_training_have_the_same_values_channels_innermost(colours: Dataset, views: int | None) -> None:
    transform = load("test_resnet", pretrained=False, image_size=24).transform(train=True)
    rows = ImageRows(colours, colours.indices("test")[:4], transform, seed=1, views=views)
    decoded = [rows[at] for at in range(4)]
    ours, plain = collate_for_training(decoded), collate(decoded)
    assert torch.equal(ours.images, plain.images)
    assert torch.equal(ours.index, plain.index)
    assert ours.rows(views or 1).images.is_contiguous(memory_format=torch.channels_last)
    strided = collate_for_training([dataclasses.replace(row, image=row.image.contiguous()) for row in decoded])  # type: ignore[union-attr]
    assert torch.equal(strided.images, plain.images)


def test_a_batch_without_images() -> None:
    assert len(collate_for_training([])) == 0
