"""Runs whose encoders are tuned by low-rank adapters: trained, resumed, read without the package, and exported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import cladewise as cw
from backbones.tiny_towers import write_clip
from cladewise import engine
from cladewise.backbones import adapters
from cladewise.datasets import Dataset
from cladewise.engine import Run, predict
from cladewise.engine.network import build_network
from cladewise.errors import InputError
from cladewise.methods import recorded
from cladewise.records import log, read_resources

pytest.importorskip("peft")

FAST: dict[str, Any] = {"epochs": 2, "batch_size": 16, "workers": 0, "progress": False, "val_split": "none"}
VIT: dict[str, Any] = {
    "backbone": "test_vit",
    "pretrained": False,
    "image_size": 32,
    "optimizer": "adamw",
    "lr": 1e-3,
    "backbone_lr": 1e-2,
    "adapter_rank": 2,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def tuned(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A transformer with adapters."""
    out = tmp_path_factory.mktemp("tuned") / "run"
    wanted: dict[str, Any] = {**FAST, **VIT, "val_split": "val"}
    return engine.train(colours, method="level-softmax", out=out, **wanted)


def encoder_weights(folder: Path) -> dict[str, torch.Tensor]:
    state = safetensors.torch.load_file(folder / "model.safetensors")
    return {name: weight for name, weight in state.items() if name.startswith(("encoder.", "head.tower.encoder."))}


def test_only_adapted_layers_change_and_by_a_matrix_of_low_rank(tuned: Run) -> None:
    own = tuned.config.backbone
    begun, _ = build_network(tuned.config, tuned.method, tuned.own_taxonomy)
    before = {k.replace(".base_layer.", "."): v for k, v in begun.state_dict().items() if ".lora_" not in k}
    after = encoder_weights(tuned.path)
    assert own.adapter_rank == 2
    assert after.keys() == {name for name in before if name.startswith("encoder.")}
    changed = {name: after[name] - before[name] for name in after if not after[name].equal(before[name])}
    assert {name.split(".")[-2] for name in changed} == {"qkv", "proj", "fc1", "fc2"}
    for name, difference in changed.items():
        values = torch.linalg.svdvals(difference.double())
        assert values[2] < 1e-5 * values[0], name


def test_a_finished_run_needs_no_adapters(tuned: Run, monkeypatch: pytest.MonkeyPatch, colours: Dataset) -> None:
    paths = [colours.root / path for path in colours.paths[:3]]
    expected = predict(tuned, paths, progress=False).prediction.logits
    monkeypatch.setitem(sys.modules, "peft", None)  # an import of it fails
    adapters._package.cache_clear()  # pyright: ignore[reportPrivateUsage]
    again = Run.open(tuned.path)
    torch.testing.assert_close(predict(again, paths, progress=False).prediction.logits, expected)
    adapters._package.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_the_resources_count_the_weights_that_are_trained(tuned: Run) -> None:
    network, _ = build_network(tuned.config, tuned.method, tuned.own_taxonomy)
    learnt = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    resources = read_resources(tuned.path / "resources.json")
    assert resources is not None
    assert resources.parameters == learnt
    assert learnt < 0.2 * sum(weight.numel() for weight in network.parameters())


def test_the_summary_tells_how_many(colours: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wanted: dict[str, Any] = {**FAST, **VIT, "epochs": 1, "progress": True}
    engine.train(colours, method="flat-softmax", out=tmp_path / "run", **wanted)
    assert "adapters of rank 2: " in capfd.readouterr().err


def test_an_interrupted_run_ends_as_one_that_was_not(
    colours: Dataset, tuned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, seen = log.append, []

    def append_and_stop(file: Path, event: str, /, **values: Any) -> None:
        append(file, event, **values)
        seen.append(event)
        if seen.count("epoch") == 2:
            raise KeyboardInterrupt

    wanted: dict[str, Any] = {**FAST, **VIT, "val_split": "val", "checkpoint_seconds": 0}
    with monkeypatch.context() as patch:
        patch.setattr(log, "append", append_and_stop)
        with pytest.raises(KeyboardInterrupt):
            engine.train(colours, method="level-softmax", out=tmp_path / "run", **wanted)
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert any(".lora_" in name and weight.any() for name, weight in state.items())
    engine.train(colours, method="level-softmax", out=tmp_path / "run", **wanted)
    expected = safetensors.torch.load_file(tuned.path / "model.safetensors")
    found = safetensors.torch.load_file(tmp_path / "run" / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, msg=name)


@pytest.mark.parametrize("method", ["flyp", "hisce-text"])
def test_both_towers_have_adapters(colours: Dataset, clip: str, tmp_path: Path, method: str) -> None:
    wanted: dict[str, Any] = {
        "options": {"text": clip},
        "backbone": clip,
        "adapter_rank": 2,
        "backbone_lr": 0.1,
        "chunk": 8,
    }
    run = engine.train(colours, method=method, out=tmp_path / "run", **wanted, **FAST)
    begun, _ = build_network(run.config, recorded(method, run.config.options), run.own_taxonomy)
    before = {k.replace(".base_layer.", "."): v for k, v in begun.state_dict().items() if ".lora_" not in k}
    after = encoder_weights(run.path)
    changed = {name for name, weight in after.items() if not weight.equal(before[name])}
    for tower in ("encoder.encoder.visual.", "head.tower.encoder.model."):
        assert f"{tower}transformer.resblocks.0.attn.in_proj_weight" in changed
        assert f"{tower}transformer.resblocks.0.mlp.c_fc.weight" in changed
        assert f"{tower}transformer.resblocks.0.attn.out_proj.weight" not in changed
    assert not any("ln_" in name or "embedding" in name for name in changed)


def test_beside_a_frozen_encoder_the_text_tower_alone_has_them(colours: Dataset, clip: str, tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "options": {"text": clip},
        "backbone": clip,
        "adapter_rank": 2,
        "backbone_lr": 0.1,
        "freeze": True,
    }
    run = engine.train(colours, method="flyp", out=tmp_path / "run", **wanted, **FAST)
    names = encoder_weights(run.path)
    assert any(name.startswith("head.tower.encoder.") for name in names)
    assert not any(".lora_" in name for name in names)
    Run.open(tmp_path / "run").classifier.eval()


def test_momentum_copies_and_several_towers_can_have_them(colours: Dataset, tmp_path: Path) -> None:
    for method in ("moco", "vanilla-multi"):
        wanted: dict[str, Any] = {**FAST, **VIT, "epochs": 1}
        run = engine.train(colours, method=method, out=tmp_path / method, **wanted)
        assert not any(".lora_" in name for name in encoder_weights(run.path))


def test_where_nothing_is_tuned_they_are_refused(colours: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an encoder that is trained, to give adapters to, but got freeze=True"):
        engine.train(colours, method="hace", out=tmp_path / "run", freeze=True, adapter_rank=2, **FAST)
    with pytest.raises(InputError, match="the rank of the adapters, but got adapter_targets without adapters"):
        engine.train(colours, method="hace", out=tmp_path / "run", adapter_targets="qkv", **FAST)
    with pytest.raises(InputError, match="'query', which test_vit lacks"):
        engine.train(colours, method="hace", out=tmp_path / "run", adapter_targets="query", **VIT, **FAST)
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").glob("*.toml"))


def test_the_export_has_them_in_its_weights(tuned: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    done = cw.export(tuned, out=tmp_path / "model.onnx", images=4, progress=False)
    assert Path(done.file).is_file()
