"""ResNet-12: its layers, its dropping of blocks against a slow twin, and the count of its steps."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cladewise import InputError, backbones
from cladewise.backbones import resnet12
from cladewise.backbones.resnet12 import ResidualBlock, ResNet12, drop_blocks
from cladewise.engine.forgetting import forgetful


def test_its_weights_have_the_published_shapes() -> None:
    shapes = {key: tuple(value.shape) for key, value in ResNet12().state_dict().items()}
    widths = (3, *resnet12.WIDTHS)
    for stage, (before, after) in enumerate(itertools.pairwise(widths), start=1):
        start = f"layer{stage}.0"
        assert shapes[f"{start}.conv1.weight"] == (after, before, 3, 3)
        assert shapes[f"{start}.conv2.weight"] == shapes[f"{start}.conv3.weight"] == (after, after, 3, 3)
        assert shapes[f"{start}.downsample.0.weight"] == (after, before, 1, 1)
    assert sum(p.numel() for p in ResNet12().parameters()) == 12_424_320


def test_a_block_is_three_convolutions_and_a_shortcut() -> None:
    """Written out with the functions of torch."""
    torch.manual_seed(0)
    block, x = ResidualBlock(3, 5, 0.0, 1).eval(), torch.randn(2, 3, 7, 7)
    y = x
    for conv, norm, last in ((block.conv1, block.bn1, 0), (block.conv2, block.bn2, 0), (block.conv3, block.bn3, 1)):
        y = norm(torch.nn.functional.conv2d(y, conv.weight, padding=1))
        if last:
            y = y + block.downsample[1](torch.nn.functional.conv2d(x, block.downsample[0].get_parameter("weight")))
        y = torch.where(y > 0, y, 0.1 * y)
    torch.testing.assert_close(block(x), y.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)))


@pytest.mark.parametrize(("side", "block"), [(5, 2), (5, 5), (2, 2), (7, 3), (2, 5)])
def test_blocks_are_dropped_as_by_a_loop(side: int, block: int) -> None:
    x = torch.rand(3, 4, side, side) + 0.5
    rate, width = 0.3, min(block, side)
    room = side - width + 1
    torch.manual_seed(1)
    found = drop_blocks(x, rate, block)
    torch.manual_seed(1)
    chance = torch.rand(3, 4, room, room).numpy()
    gamma = rate / width**2 * side**2 / room**2
    kept = np.ones((3, 4, side, side))
    for image, channel, row, column in np.argwhere(chance < gamma):
        kept[image, channel, row : row + width, column : column + width] = 0
    expected = x.double().numpy() * kept * kept.size / kept.sum()
    assert 0 < kept.mean() < 1
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_all_values_may_be_dropped() -> None:
    assert drop_blocks(torch.ones(1, 1, 2, 2), 1.0, 2).eq(0).all()


def grown(network: ResNet12) -> list[int]:
    return [int(part.num_batches_tracked) for part in network.modules() if type(part) is ResidualBlock]


def test_steps_are_counted_in_training_alone_and_kept() -> None:
    torch.manual_seed(0)
    network, images = ResNet12(32, drop_rate=0.1), torch.randn(2, 3, 32, 32)
    network.eval()(images)
    assert grown(network) == [0] * 4
    network.train()(images)
    assert grown(network) == [1] * 4
    other = ResNet12(32, drop_rate=0.1)
    other.load_state_dict(network.state_dict())
    assert grown(other) == [1] * 4


def test_a_chunk_is_dropped_the_same_both_times() -> None:
    torch.manual_seed(0)
    network, images = ResNet12(32, drop_rate=0.9).train(), torch.randn(6, 3, 32, 32)
    for part in network.modules():
        if type(part) is ResidualBlock:
            part.num_batches_tracked.fill_(20_000)
    seen: list[Tensor] = []
    network.layer4.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach().clone()))
    forgetful(network, images, 3).square().sum().backward()
    assert len(seen) == 4
    assert torch.equal(seen[0], seen[3])  # backward begins with the last chunk
    assert torch.equal(seen[1], seen[2])
    assert all(float(part.eq(0).float().mean()) > 0.1 for part in seen)
    assert grown(network) == [20_002] * 4


@pytest.mark.parametrize(("image_size", "side"), [(84, 5), (80, 5), (79, 2), (32, 2)])
def test_blocks_fit_the_last_map(image_size: int, side: int) -> None:
    network = ResNet12(image_size)
    assert [part.block for part in network.modules() if type(part) is ResidualBlock] == [1, 1, side, side]


def test_as_a_backbone(tmp_path: Path) -> None:
    backbone = backbones.load("resnet12", pretrained=False, image_size=32, pooling="max")
    assert (backbone.num_features, backbone.image_size, backbone.image_input.crop_ratio) == (640, 32, 1.0)
    images = torch.randn(2, 3, 32, 32)
    expected = backbone.eval().encoder.forward_features(images).amax((2, 3))  # type: ignore[operator]
    assert torch.equal(backbone(images), expected)
    weights = {k: v for k, v in backbone.encoder.state_dict().items() if not k.endswith("0.num_batches_tracked")}
    torch.save({"state_dict": {f"module.encoder_q.{k}": v for k, v in weights.items()}}, tmp_path / "ancor.pth")
    again = backbones.load("resnet12", checkpoint=tmp_path / "ancor.pth", image_size=32, pooling="max").eval()
    assert torch.equal(again(images), backbone(images))
    with pytest.raises(InputError, match="pretrained weights of resnet12"):
        backbones.load("resnet12")
    with pytest.raises(InputError, match="a ResNet of timm"):
        backbones.load("resnet12", pretrained=False, stem="cifar")
