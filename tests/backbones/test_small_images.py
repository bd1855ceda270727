"""Encoders trained from noise on images of 32 pixels, with the stem and the dropout of the papers."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from cladewise import InputError, backbones

SMALL: Any = {"pretrained": False, "image_size": 32}
FROM_SCRATCH: dict[str, Any] = {
    "resnet18": {"stem": "cifar"},
    "resnet34": {"stem": "cifar"},
    "resnet50": {"stem": "cifar"},
    "convnext_tiny": {},
    "swin_tiny_patch4_window7_224": {},
    "vit_base_patch16_224": {},
}


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_one_step_from_noise(name: str) -> None:
    torch.manual_seed(0)
    backbone = backbones.load(name, **SMALL, **FROM_SCRATCH[name]).train()
    head = nn.Linear(backbone.num_features, 3)
    optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.01)
    before = {key: value.clone() for key, value in backbone.named_parameters()}
    images, target = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    nn.functional.cross_entropy(head(backbone(images)), target).backward()
    optimizer.step()
    assert all(bool(value.isfinite().all()) for value in backbone.parameters())
    moved = [key for key, value in backbone.named_parameters() if not torch.equal(value, before[key])]
    # what starts at a weight of 0, such as the last layer of a residual branch, has no gradient before it yet
    assert any("stem" in key or "conv1" in key or "patch_embed" in key for key in moved)
    again = backbones.load(name, **SMALL, **FROM_SCRATCH[name]).train()
    assert again(images).shape == (4, backbone.num_features)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet50d"])
def test_the_stem_of_cifar(name: str) -> None:
    torch.manual_seed(0)
    ours = backbones.load(name, stem="cifar", **SMALL).encoder
    published = timm.create_model(name, pretrained=False, num_classes=0)
    stem = ours.conv1
    assert isinstance(stem, nn.Conv2d)
    assert (stem.kernel_size, stem.stride, stem.padding, stem.bias) == ((3, 3), (1, 1), (1, 1), None)
    own, theirs = (
        {k: v.shape for k, v in net.state_dict().items() if "conv1" not in k[:5]} for net in (ours, published)
    )
    assert own == theirs
    features: Any = ours.forward_features  # type: ignore[union-attr]
    assert features(torch.zeros(1, 3, 32, 32)).shape[-2:] == (4, 4)  # the published network makes it a single place
    images = torch.randn(1, 3, 32, 32)
    ours.eval()
    assert torch.equal(ours.layer1(ours.act1(ours.bn1(stem(images)))), _first(ours, images))  # type: ignore[operator]
    deviation = float(stem.weight.detach().std())
    assert deviation == pytest.approx((2 / (9 * stem.out_channels)) ** 0.5, rel=0.1)


def _first(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The output of the first stage in a pass through the whole network."""
    seen: list[torch.Tensor] = []
    network.layer1.register_forward_hook(lambda _module, _inputs, output: seen.append(output))  # type: ignore[union-attr]
    network(images)
    return seen[0]


@pytest.mark.parametrize("name", ["convnext_tiny", "efficientnet_lite0", "vit_tiny_patch16_224"])
def test_other_encoders_keep_their_stem(name: str) -> None:
    with pytest.raises(InputError, match="a ResNet of timm, whose stem can be replaced"):
        backbones.load(name, stem="cifar", **SMALL)
    with pytest.raises(InputError, match="a stem: own, cifar"):
        backbones.load(name, stem="deep", **SMALL)  # type: ignore[arg-type]


def dropped(network: nn.Module) -> dict[str, float]:
    return {key: part.p for key, part in network.named_modules() if isinstance(part, nn.Dropout) and part.p > 0}


def test_dropout_of_a_vision_transformer_is_in_its_blocks() -> None:
    """In the places in which torchvision's has it."""
    found = dropped(backbones.load("vit_tiny_patch16_224", drop_rate=0.1, **SMALL).encoder)
    inner = {f"blocks.{n}.{part}": 0.1 for n in range(12) for part in ("attn.proj_drop", "mlp.drop1", "mlp.drop2")}
    assert found == {"pos_drop": 0.1, **inner}


@pytest.mark.parametrize(
    "name", ["resnet18", "convnext_atto", "efficientnet_lite0", "resnet12", "test_vit", "swin_tiny_patch4_window7_224"]
)
def test_dropout_in_training_alone(name: str) -> None:
    images = torch.randn(4, 3, 32, 32)
    torch.manual_seed(0)
    plain = backbones.load(name, **SMALL)
    torch.manual_seed(0)
    backbone = backbones.load(name, drop_rate=0.4, **SMALL)
    assert torch.equal(plain.eval()(images), backbone.eval()(images))
    for part in backbone.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):  # pyright: ignore[reportPrivateUsage]
            part.momentum = 0.0
    backbone.train()
    assert not torch.equal(backbone(images), backbone(images))


def test_rates_out_of_range() -> None:
    with pytest.raises(InputError, match=r"a drop rate in \[0, 1\), but got 1"):
        backbones.load("resnet18", drop_rate=1.0, **SMALL)
