"""Maps of single levels: their values against the formula, and what they leave behind."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cladewise import InputError, MissingExtraError, Taxonomy, backbones, methods
from cladewise.engine.classifier import Classifier
from cladewise.explanations import LevelScores, grad_cam, last_feature_map, overlay
from reference.grad_cam_twin import grad_cam_of

SIDE = 96
TREE = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h"), ("f", "i", "j")])

pytest.importorskip("pytorch_grad_cam", reason="needs the extra explain")


def classifier_of(method: str = "level-softmax", backbone: str = "test_resnet", side: int = SIDE) -> LevelScores:
    torch.manual_seed(0)
    encoder = backbones.load(backbone, pretrained=False, image_size=side)
    head = methods.make(method).head(TREE, encoder.num_features)
    return LevelScores(Classifier(head, towers=[encoder]), encoder, level=1).eval()


def pictures(number: int = 3, side: int = SIDE) -> Tensor:
    return torch.randn(number, 3, side, side, generator=torch.Generator().manual_seed(1))


def level_maps(network: LevelScores, images: Tensor) -> np.ndarray:
    """Maps of the answers at every level [level, image, height, width]."""
    maps: list[np.ndarray] = []
    for network.level in range(1, TREE.num_levels + 1):
        columns = network(images).argmax(-1)
        maps.append(grad_cam(network, images, columns, last_feature_map(network, images)))
    return np.stack(maps)


def test_maps_are_those_of_the_formula() -> None:
    network, images = classifier_of(), pictures(2)
    for network.level in (1, 2, 3):
        columns = network(images).argmax(-1)
        feature_map = last_feature_map(network, images)
        maps = grad_cam(network, images, columns, feature_map)
        for place, column in enumerate(columns.tolist()):
            twin = grad_cam_of(network, feature_map.module, images[place : place + 1], column)
            assert maps[place] == pytest.approx(twin, abs=2e-4)


def test_maps_have_the_size_of_the_image_and_go_from_0_to_1() -> None:
    images = pictures()
    maps = level_maps(classifier_of(), images)
    assert maps.shape == (3, 3, SIDE, SIDE)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1
    for heat in maps.reshape(9, SIDE, SIDE):
        assert not heat.any() or heat.max() == pytest.approx(1, abs=1e-3)
    assert (maps.reshape(9, -1).max(axis=1) > 0).sum() > 4


def test_levels_have_maps_of_their_own() -> None:
    maps = level_maps(classifier_of(), pictures())
    assert np.abs(maps[0] - maps[1]).max() > 0.1
    assert np.abs(maps[1] - maps[2]).max() > 0.1


def test_the_same_again_and_in_any_batch() -> None:
    network, images = classifier_of(), pictures()
    first = level_maps(network, images)
    assert np.array_equal(first, level_maps(network, images))
    assert level_maps(network, images[1:2])[:, 0] == pytest.approx(first[:, 1], abs=1e-4)


def test_nothing_is_left_on_the_network() -> None:
    network, images = classifier_of(), pictures()
    frozen_before = next(iter(network.classifier.head.parameters())).requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    asked = [weight.requires_grad for weight in network.parameters()]
    level_maps(network, images)
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert [weight.requires_grad for weight in network.parameters()] == asked
    assert not frozen_before.requires_grad
    assert all(weight.grad is None for weight in network.parameters())
    assert not any(module.training or module._forward_hooks for module in network.modules())


def test_what_failed_half_way_leaves_nothing_either() -> None:
    network, images = classifier_of(), pictures(1)
    feature_map = last_feature_map(network, images)
    with pytest.raises(IndexError):
        grad_cam(network, images, torch.tensor([999]), feature_map)
    assert not any(module._forward_hooks for module in network.modules())
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("method", sorted(methods.available()))
def test_every_method_can_be_explained(method: str) -> None:
    maps = level_maps(classifier_of(method), pictures(2))
    assert np.isfinite(maps).all()
    assert ((maps >= 0) & (maps <= 1)).all()
    assert maps.any()


@pytest.mark.parametrize("method", ["flat-softmax", "level-softmax", "conditional-softmax", "conditional-sigmoid"])
def test_an_answer_that_is_certain_to_the_last_digit_has_its_map(method: str) -> None:
    network, images = classifier_of(method), pictures(1)
    network.level = 3
    nodes, log_prob = network.answer(images)
    column = int(log_prob.argmax())
    feature_map, path = last_feature_map(network, images), torch.tensor(TREE.path(int(nodes[column])))
    with torch.no_grad():
        scored = network.classifier(images).scored_nodes
        network.classifier.head.linear.bias += 20.0 * torch.isin(scored, path)
    assert float(network(images)[0, column].detach()) > -1e-7, "the probability is 1 in single precision"
    double = copy.deepcopy(network).double()
    twin = grad_cam_of(double, double.get_submodule(feature_map.name), images.double(), column)
    assert twin.any()
    assert grad_cam(network, images, torch.tensor([column]), feature_map)[0] == pytest.approx(twin, abs=1e-3)


@pytest.mark.parametrize("factor", [1e3, 1e6])
def test_extreme_scores_give_numbers(factor: float) -> None:
    network = classifier_of("flat-softmax")
    with torch.no_grad():
        network.classifier.head.linear.weight.mul_(factor)
    maps = level_maps(network, pictures(2))
    assert np.isfinite(maps).all()
    assert ((maps >= 0) & (maps <= 1)).all()


def test_a_level_of_one_node_has_nothing_to_tell() -> None:
    torch.manual_seed(0)
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c")])
    encoder = backbones.load("test_resnet", pretrained=False, image_size=SIDE)
    head = methods.make("level-softmax").head(tree, encoder.num_features)
    network = LevelScores(Classifier(head, towers=[encoder]), encoder, level=1).eval()
    images = pictures(1)
    assert not grad_cam(network, images, torch.tensor([0]), last_feature_map(network, images)).any()


def test_a_frozen_encoder_is_explained_through_the_features() -> None:
    torch.manual_seed(0)
    encoder = backbones.load("test_resnet", pretrained=False, image_size=SIDE)
    head = methods.make("level-softmax").head(TREE, encoder.num_features)
    apart, images = LevelScores(Classifier(head), encoder, level=2).eval(), pictures(2)
    joined = LevelScores(Classifier(head, towers=[encoder]), encoder, level=2).eval()
    columns = torch.tensor([0, 2])
    maps = [grad_cam(network, images, columns, last_feature_map(network, images)) for network in (apart, joined)]
    assert maps[0] == pytest.approx(maps[1], abs=1e-5)
    assert maps[0].any()


@pytest.mark.parametrize(
    ("backbone", "side", "name", "shape"),
    [
        ("test_resnet", 96, "encoder.layer4", (3, 3)),
        ("test_resnet", 24, "encoder.layer3", (2, 2)),  # the last one has a single place
        ("test_efficientnet", 96, "encoder.bn2", (3, 3)),
        ("test_convnext", 96, "encoder.norm_pre", (3, 3)),
        ("test_nfnet", 96, "encoder.final_act", (3, 3)),
        ("test_mambaout", 96, "encoder.stages", (3, 3)),  # channels last
        ("test_vit", 160, "encoder.blocks.5.norm1", (10, 10)),
        ("resnet18", 64, "encoder.layer4", (2, 2)),
        pytest.param("efficientnet_lite0", 224, "encoder.bn2", (7, 7), marks=pytest.mark.slow),
    ],
)
def test_the_last_map_of_any_architecture(backbone: str, side: int, name: str, shape: tuple[int, int]) -> None:
    network, images = classifier_of(backbone=backbone, side=side), pictures(1, side)
    found = last_feature_map(network, images)
    assert found.name == f"classifier.encoder.{name}"
    seen: list[Tensor] = []
    handle = found.module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(images)
    handle.remove()
    as_map = seen[0] if found.reshape is None else found.reshape(seen[0])
    assert as_map.shape[2:] == shape
    maps = level_maps(network, images)
    assert maps.shape == (3, 1, side, side)
    assert maps.any()


def test_networks_without_a_map_are_refused() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4))
    with pytest.raises(
        InputError, match=r"whose features form a map, such as a convolutional one, but got one without"
    ):
        last_feature_map(flat, torch.zeros(1, 3, 8, 8))
    tokens = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Flatten(2), nn.Linear(4, 4), nn.Flatten(), nn.Linear(16, 2))
    with pytest.raises(InputError, match=r"but got 2, whose output is \[1, 4, 4\]. Explain a run whose backbone"):
        last_feature_map(tokens, torch.randn(1, 3, 8, 8))


def test_each_tower_has_its_own_last_map() -> None:
    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.towers = nn.ModuleList(nn.Conv2d(3, 4, 3) for _ in range(2))
            self.shown = 0

        def forward(self, images: Tensor) -> Tensor:
            return [tower(images).mean((2, 3)) for tower in self.towers][self.shown]

    network = Towers()
    for network.shown in (0, 1):
        assert last_feature_map(network, torch.randn(1, 3, 8, 8)).name == f"towers.{network.shown}"


def test_the_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = classifier_of(), pictures(1)
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    arguments: tuple[Any, ...] = (network, images, torch.tensor([0]), last_feature_map(network, images))
    with pytest.raises(MissingExtraError, match=r"pip install 'cladewise\[explain\]'"):
        grad_cam(*arguments)


def test_an_overlay_dims_what_is_cold_and_colours_what_is_hot() -> None:
    picture = np.full((4, 4, 3), 200, dtype=np.uint8)
    heat = np.zeros((4, 4))
    heat[0, 0] = 1
    mixed = overlay(picture, heat)
    assert mixed.shape == picture.shape
    assert mixed.dtype == np.uint8
    assert (mixed[1:] == mixed[1, 1]).all()
    assert mixed[0, 0].sum() > 1.5 * mixed[1, 1].sum()
