"""Checkpoints as other programs write them: timm's training script, Lightning, wrappers that rename every tensor."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import lightning
import pytest
import safetensors.torch
import timm
import timm.utils
import torch
from torch import Tensor, nn

from cladewise import InputError, backbones


def resnet(num_classes: int = 7) -> nn.Module:
    torch.manual_seed(len("checkpoint"))
    return timm.create_model("test_resnet", pretrained=False, num_classes=num_classes)


def holds(backbone: backbones.Backbone, tensors: dict[str, Tensor]) -> bool:
    own = backbone.encoder.state_dict()
    return bool(own) and all(value.equal(tensors[key]) for key, value in own.items())


def test_a_checkpoint_of_timms_training_script(tmp_path: Path) -> None:
    """Written by timm's own saver, with its arguments beside; the averaged weights are taken."""
    model = resnet()
    averaged = timm.utils.ModelEmaV3(model, decay=0.5)
    with torch.no_grad():
        for value in model.parameters():
            value += 1.0
    averaged.update(model)
    saver = timm.utils.CheckpointSaver(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        args=argparse.Namespace(model="test_resnet", lr=0.1),
        model_ema=averaged,
        checkpoint_dir=str(tmp_path),
        recovery_dir=str(tmp_path),
    )
    saver.save_checkpoint(0, metric=71.5)
    backbone = backbones.load("test_resnet", checkpoint=tmp_path / "last.pth.tar")
    assert holds(backbone, averaged.module.state_dict())
    assert not holds(backbone, model.state_dict())


def test_a_checkpoint_of_lightning(tmp_path: Path) -> None:
    class Task(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = resnet(0), nn.Linear(96, 3)

        def training_step(self, *_: Any) -> Tensor:
            return self.head(self.backbone(torch.zeros(2, 3, 32, 32))).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    task = Task()
    task.head = nn.Linear(int(task.backbone.num_features), 3)  # type: ignore[arg-type]
    trainer = lightning.Trainer(
        max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(task, [0])
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    assert holds(backbones.load("test_resnet", checkpoint=tmp_path / "task.ckpt"), task.backbone.state_dict())


@pytest.mark.parametrize(
    "prefix",
    ["model.", "module.", "_orig_mod.", "backbone.", "encoder.", "module._orig_mod.", "model.backbone.encoder."],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_prefixes(tmp_path: Path, prefix: str, suffix: str) -> None:
    tensors, path = resnet().state_dict(), tmp_path / f"weights{suffix}"
    renamed = {prefix + key: value for key, value in tensors.items()} | {"head.weight": torch.zeros(2, 2)}
    (safetensors.torch.save_file if suffix == ".safetensors" else torch.save)(renamed, path)
    assert holds(backbones.load("test_resnet", checkpoint=path), tensors)


def test_compiled_parts(tmp_path: Path) -> None:
    tensors = resnet().state_dict()
    renamed = {key.replace("layer1.", "layer1._orig_mod.", 1): value for key, value in tensors.items()}
    torch.save(renamed, tmp_path / "weights.pth")
    assert holds(backbones.load("test_resnet", checkpoint=tmp_path / "weights.pth"), tensors)


def test_the_kind_of_file_follows_from_its_content(tmp_path: Path) -> None:
    tensors = resnet().state_dict()
    torch.save(tensors, tmp_path / "a.safetensors")
    safetensors.torch.save_file(tensors, tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        assert holds(backbones.load("test_resnet", checkpoint=tmp_path / name), tensors)


def test_position_embeddings_are_resized_as_timm_does(tmp_path: Path) -> None:
    model = timm.create_model("test_vit", pretrained=False, img_size=96)
    torch.save({f"module.{key}": value for key, value in model.state_dict().items()}, tmp_path / "vit.pth")
    backbone = backbones.load("test_vit", checkpoint=tmp_path / "vit.pth", image_size=160)
    expected = timm.create_model(
        "test_vit",
        pretrained=True,
        num_classes=0,
        img_size=160,
        pretrained_cfg_overlay={"state_dict": model.state_dict()},
    )
    assert backbone.encoder.state_dict()["pos_embed"].shape != model.state_dict()["pos_embed"].shape
    assert holds(backbone, expected.state_dict())


def test_a_head_of_several_layers_is_left_out(tmp_path: Path) -> None:
    model = timm.create_model("caformer_s18", pretrained=False)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    assert holds(backbones.load("caformer_s18", checkpoint=tmp_path / "weights.pth"), model.state_dict())


def test_parts_that_the_encoder_has_not_are_told(tmp_path: Path) -> None:
    tensors = resnet().state_dict()
    torch.save({**tensors, "projection.0.weight": torch.zeros(2)}, tmp_path / "weights.pth")
    with pytest.warns(UserWarning, match="1 tensors that are no part of the encoder were left out, such as projec"):
        assert holds(backbones.load("test_resnet", checkpoint=tmp_path / "weights.pth"), tensors)


def test_a_deeper_network_of_the_same_kind_is_refused(tmp_path: Path) -> None:
    tensors = timm.create_model("resnet34", pretrained=False).state_dict()
    torch.save(tensors, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"the weights of this architecture, but got layer1\.2.* has no place and"):
        backbones.load("resnet18", checkpoint=tmp_path / "weights.pth")


def test_two_networks_that_fit_are_refused(tmp_path: Path) -> None:
    tensors = resnet().state_dict()
    both = {f"{name}.{key}": value for name in ("student", "teacher") for key, value in tensors.items()}
    torch.save(both, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"one network that fits, but got 2: 'student', 'teacher' at .*weights\.pth"):
        backbones.load("test_resnet", checkpoint=tmp_path / "weights.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    tensors = {k: torch.full_like(v, value) if v.is_floating_point() else v for k, v in resnet().state_dict().items()}
    torch.save(tensors, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"weights that are finite, but got NaN or infinity in \d+ of \d+ tensors"):
        backbones.load("test_resnet", checkpoint=tmp_path / "weights.pth")


def test_one_weight_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    tensors = resnet().state_dict()
    tensors["conv1.0.weight"].view(-1)[3] = float("nan")
    torch.save(tensors, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"in 1 of \d+ tensors, such as conv1\.0\.weight"):
        backbones.load("test_resnet", checkpoint=tmp_path / "weights.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_refused_pickle_never_advises_to_switch_the_guard_off(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": Path("code")}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError) as caught:
        backbones.load("test_resnet", checkpoint=path)
    text = str(caught.value)
    assert "weights_only" not in text
    assert "allowlist" not in text
    assert ("pathlib" in text) == zipped
    assert "\n" not in text


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, {"state_dict": {"a": "text"}}, [1, 2], torch.zeros(3)])
def test_a_file_without_tensors(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"a file of named tensors.*weights\.pth\. Save its tensors alone"):
        backbones.load("test_resnet", checkpoint=tmp_path / "weights.pth")


def test_a_folder_or_nothing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no.pth"):
        with pytest.raises(InputError, match="a file of weights"):
            backbones.load("test_resnet", checkpoint=path)
