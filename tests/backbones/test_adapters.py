"""Low-rank adapters: what they train, that their layers use them, and that merging them changes no output."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from backbones.tiny_towers import write_bert, write_clip
from cladewise import backbones
from cladewise.backbones import adapters, text
from cladewise.backbones.adapters import adapt, can_adapt, merged_state
from cladewise.errors import InputError, MissingExtraError

pytest.importorskip("peft")

Input = Callable[[nn.Module], Tensor]


def pictures(encoder: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    kind = next(encoder.parameters()).dtype
    return encoder(torch.randn(2, 3, 32, 32, generator=generator).to(kind))


def sentences(encoder: nn.Module) -> Tensor:
    return encoder(encoder.tokens(["wood wren", "fern"]))  # type: ignore[operator]


class Attention(nn.Module):
    """Torch's attention, whose projections are packed, and whose output layer is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, images: Tensor) -> Tensor:
        tokens = images.flatten(2)[:, :, :6]
        return self.attn(tokens, tokens, tokens, need_weights=False)[0]


def convolutions() -> nn.Module:
    """A ResNet; timm's begin with a 0 in the last normalisation of a block, behind which nothing has a gradient."""
    encoder = backbones.load("test_resnet", pretrained=False, image_size=32)
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
    return encoder


KINDS: dict[str, tuple[Callable[[Path], nn.Module], Input]] = {
    "attention of torch": (lambda _: Attention(), pictures),
    "convolutions": (lambda _: convolutions(), pictures),
    "fused attention of timm": (lambda _: timm.create_model("test_vit", img_size=32, num_classes=0), pictures),
    "images of open_clip": (lambda folder: backbones.load(write_clip(folder)), pictures),
    "texts of open_clip": (lambda folder: text.load(write_clip(folder)), sentences),
    "texts of transformers": (lambda folder: text.load(write_bert(folder)), sentences),
}
"""Encoders whose layers differ, and how each is run."""


def adapted(kind: str, folder: Path, **how: int | float | str) -> tuple[nn.Module, nn.Module, Input]:
    """An encoder, a copy with adapters whose product is not 0, and how they are run."""
    make, run = KINDS[kind]
    torch.manual_seed(0)
    plain = make(folder).eval()
    encoder = copy.deepcopy(plain)
    adapt(encoder, lambda: run(encoder), **{"rank": 2, **how})  # type: ignore[arg-type]
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if ".lora_B." in name:
                weight.normal_(std=0.1)
    return plain, encoder, run


@pytest.mark.parametrize("kind", KINDS)
def test_merging_changes_no_output_and_no_name(kind: str, tmp_path: Path) -> None:
    plain, encoder, run = adapted(kind, tmp_path)
    with torch.no_grad():
        before, expected = run(plain), run(encoder)
        assert (before - expected).abs().max() > 1e-4  # the adapters have an effect
        state = merged_state(encoder)
        assert state.keys() == plain.state_dict().keys()
        plain.load_state_dict(state)
        torch.testing.assert_close(run(plain), expected, rtol=1e-4, atol=1e-5)
    with torch.inference_mode():  # as in the validation of a training
        torch.testing.assert_close(run(encoder), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_adapters_alone_learn_and_all_of_them_do(kind: str, tmp_path: Path) -> None:
    _, encoder, run = adapted(kind, tmp_path)
    frozen = {name: weight.clone() for name, weight in encoder.named_parameters() if not weight.requires_grad}
    learnt = {name: weight for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert learnt
    assert all(".lora_" in name for name in learnt)
    run(encoder).square().sum().backward()
    idle = [name for name, weight in learnt.items() if weight.grad is None or not weight.grad.any()]
    assert idle == []
    torch.optim.SGD(learnt.values(), lr=0.1).step()
    for name, weight in encoder.named_parameters():
        assert name in learnt or weight.equal(frozen[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_merged_weights(kind: str, tmp_path: Path) -> None:
    # the derivative along the trained weights, against differences of the merged network's output
    plain, encoder, run = adapted(kind, tmp_path)
    plain, encoder = plain.double(), encoder.double()
    learnt = [weight for weight in encoder.parameters() if weight.requires_grad]
    generator = torch.Generator().manual_seed(1)
    steps = [torch.randn(weight.shape, generator=generator, dtype=torch.float64) for weight in learnt]
    gradients = torch.autograd.grad(run(encoder).square().sum(), learnt)
    slope = sum(float((gradient * step).sum()) for gradient, step in zip(gradients, steps, strict=True))
    values: list[float] = []
    for sign in (1, -1):
        moved = copy.deepcopy(encoder)
        with torch.no_grad():
            for weight, step in zip((w for w in moved.parameters() if w.requires_grad), steps, strict=True):
                weight.add_(sign * 1e-6 * step)
            plain.load_state_dict(merged_state(moved))
            values.append(float(run(plain).square().sum()))
    assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4)


def test_the_number_of_trained_weights_is_that_of_the_formula() -> None:
    encoder = timm.create_model("test_vit", img_size=32, num_classes=0)
    layers = [(name, layer) for name, layer in encoder.named_modules() if isinstance(layer, nn.Linear)]
    for rank in (1, 3):
        made = copy.deepcopy(encoder)
        adapt(made, lambda made=made: pictures(made), rank=rank)
        expected = sum(rank * (layer.in_features + layer.out_features) for _, layer in layers)
        assert sum(weight.numel() for weight in made.parameters() if weight.requires_grad) == expected
    adapt(encoder, lambda: pictures(encoder), rank=2, targets="qkv, proj")
    named = {name.rsplit(".", 3)[0].rpartition(".")[2] for name, w in encoder.named_parameters() if w.requires_grad}
    assert named == {"qkv", "proj"}  # the projection of patches is a convolution of that name


def test_alpha_is_the_scale_times_the_rank() -> None:
    outputs: dict[float, Tensor] = {}
    for alpha in (0.0, 2.0, 4.0, 8.0):
        torch.manual_seed(0)
        layer = nn.Sequential(nn.Linear(4, 4, bias=False))
        adapt(layer, lambda layer=layer: layer(torch.zeros(1, 4)), rank=2, alpha=alpha)
        before = layer(torch.ones(1, 4)).detach()
        nn.init.ones_(layer[0].lora_B["default"].weight)  # type: ignore[index,operator]
        outputs[alpha] = layer(torch.ones(1, 4)).detach() - before
    torch.testing.assert_close(outputs[4.0], 2 * outputs[2.0])
    torch.testing.assert_close(outputs[8.0], 4 * outputs[2.0])
    torch.testing.assert_close(outputs[0.0], outputs[4.0])  # by default twice the rank


def test_at_first_the_output_is_the_encoders(tmp_path: Path) -> None:
    for kind, (make, run) in KINDS.items():
        encoder = make(tmp_path / kind).eval()
        with torch.no_grad():
            before = run(encoder)
            adapt(encoder, lambda encoder=encoder, run=run: run(encoder), rank=2)
            torch.testing.assert_close(run(encoder), before)


def test_layers_that_are_never_called_get_none_and_are_refused_by_name() -> None:
    # this one reads the weight of its projection of queries, keys and values, and does not call the layer
    sizes: dict[str, Any] = {"img_size": 32, "depth": 1, "embed_dim": 32, "num_heads": 2}
    encoder = timm.create_model("beit_base_patch16_224", num_classes=0, **sizes)
    with pytest.raises(InputError, match=r"'blocks.0.attn.qkv', which is never called"):
        adapt(encoder, lambda: pictures(encoder), rank=2, targets="qkv")
    adapt(encoder, lambda: pictures(encoder), rank=2)
    pictures(encoder).square().sum().backward()
    learnt = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert not any("qkv" in name for name in learnt)
    assert all(weight.grad is not None for name, weight in encoder.named_parameters() if name in learnt)


def test_what_cannot_have_adapters_is_said() -> None:
    encoder = timm.create_model("test_vit", img_size=32, num_classes=0)
    with pytest.raises(InputError, match=r"'query', which a small one lacks. It has .*qkv"):
        adapt(encoder, lambda: pictures(encoder), rank=2, targets="query", what="a small one")
    with pytest.raises(InputError, match=r"'blocks.0.attn', no linear layer"):
        adapt(encoder, lambda: pictures(encoder), rank=2, targets="attn")
    grouped = nn.Sequential(nn.Conv2d(4, 4, 1, groups=2))
    assert not can_adapt(grouped)
    with pytest.raises(InputError, match="an encoder with layers that can have low-rank adapters"):
        adapt(grouped, lambda: grouped(torch.zeros(1, 4, 2, 2)), rank=2)
    assert all(weight.requires_grad for weight in grouped.parameters())


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)  # an import then fails
    adapters._package.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(MissingExtraError, match=r"pip install 'cladewise\[adapters\]'"):
        adapters.check_available()
    adapters._package.cache_clear()  # pyright: ignore[reportPrivateUsage]
