"""Low-rank adapters (LoRA) of encoders by peft: few weights are trained beside frozen ones, and merged into them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cladewise.errors import InputError, MissingExtraError

__all__ = ["adapt", "can_adapt", "check_available", "merged_state"]

EXTRA = "adapters"
_NAME = "default"
_BASE, _PACKED = "base_layer", "in_proj_weight"


def check_available() -> None:
    """Check that peft is installed.

    Raises:
        MissingExtraError: It is not.
    """
    _package()


def adapt(
    encoder: nn.Module, run: Callable[[], object], *, rank: int, alpha: float = 0.0, targets: str = "", what: str = ""
) -> None:
    r"""Freeze an encoder and add low-rank adapters to its layers, in place.

    .. math:: W' = W + \frac{\alpha}{r} B A, \qquad A \in \mathbb{R}^{r \times \text{in}},\;
        B \in \mathbb{R}^{\text{out} \times r}, \quad B = 0 \text{ at first}

    where A and B are trained. The first layer of a convolution's adapter has the kernel of the convolution.

    Layers that can have an adapter are linear layers, the packed projection of queries, keys and values in torch's
    ``nn.MultiheadAttention``, and convolutions that are not grouped. A layer whose weight is read by another module
    instead of being called would never use its adapter: the output projection of ``nn.MultiheadAttention``, and
    ``qkv`` of some vision transformers (BEiT, EVA, Swin V2). To find these, the encoder is run once.

    Args:
        encoder: The encoder.
        run: Runs it on any input.
        rank: The rank r, at least 1.
        alpha: The scale of the product times the rank; 0: twice the rank.
        targets: Ends of the names of the layers, separated by commas, such as ``qkv,proj``. By default all linear
            layers and attentions; in an encoder that has none, all convolutions.
        what: The encoder in words, for errors.

    Raises:
        MissingExtraError: peft is not installed.
        InputError: No layer has one of the names, or a layer that has cannot have an adapter.

    Example:
        >>> encoder = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
        >>> adapt(encoder, lambda: encoder(torch.zeros(1, 8)), rank=2)
        >>> sum(p.numel() for p in encoder.parameters() if p.requires_grad)  # 2 × (8 + 8) and 2 × (8 + 4)
        56

    References: Hu et al., LoRA: low-rank adaptation of large language models, ICLR 2022, arXiv:2106.09685. peft's own
        adapter of ``nn.MultiheadAttention`` is not used, because it adds the product of the output projection twice.
    """
    package = _package()
    layers = _chosen(encoder, _called(encoder, run), targets, what)
    packed = [f"{name}.{_PACKED}" for name, layer in layers.items() if isinstance(layer, nn.MultiheadAttention)]
    whole = [name for name, layer in layers.items() if not isinstance(layer, nn.MultiheadAttention)]
    encoder.requires_grad_(False)
    config = package.LoraConfig(
        r=rank,
        lora_alpha=alpha or 2 * rank,
        target_modules="|".join(map(re.escape, whole)) if whole else [],
        target_parameters=packed or None,
    )
    package.inject_adapter_in_model(config, encoder, adapter_name=_NAME)


def can_adapt(encoder: nn.Module) -> bool:
    """Whether an encoder has any layer that can have an adapter.

    Example:
        >>> can_adapt(nn.Sequential(nn.Linear(8, 8))), can_adapt(nn.EmbeddingBag(4, 8))
        (True, False)
    """
    return any(_fits(layer) for layer in encoder.modules())


def merged_state(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network with its adapters merged into the weights, under the names of one without adapters.

    Example:
        >>> encoder = nn.Sequential(nn.Linear(8, 4))
        >>> adapt(encoder, lambda: encoder(torch.zeros(1, 8)), rank=2)
        >>> {name: list(weight.shape) for name, weight in merged_state(encoder).items()}
        {'0.weight': [4, 8], '0.bias': [4]}
    """
    kind = _package().tuners.lora.LoraLayer
    state: dict[str, Tensor] = dict(network.state_dict())
    for name, layer in [(name, layer) for name, layer in network.named_modules() if isinstance(layer, kind)]:
        changed = f"{name}.{_BASE}.{getattr(layer, 'parameter_name', 'weight')}"
        delta: Tensor = layer.get_delta_weight(_NAME)  # pyright: ignore[reportCallIssue]
        state[changed] = (state[changed] + delta).detach()
        for key in [key for key in state if key.startswith(f"{name}.")]:
            value, inner = state.pop(key), key.removeprefix(f"{name}.")
            if inner.startswith(f"{_BASE}."):
                state[f"{name}.{inner.removeprefix(f'{_BASE}.')}"] = value
    return state


def _fits(layer: nn.Module) -> bool:
    """Whether a layer can have an adapter."""
    if isinstance(layer, nn.MultiheadAttention):
        return layer.in_proj_weight is not None  # pyright: ignore[reportUnnecessaryComparison] -- with kdim= there is none
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) and layer.groups == 1)


def _called(encoder: nn.Module, run: Callable[[], object]) -> set[str]:
    """Names of the layers that are called in a forward pass."""
    found: set[str] = set()
    handles = [
        layer.register_forward_pre_hook(lambda *_, name=name: found.add(name))
        for name, layer in encoder.named_modules()
    ]
    learning = encoder.training
    try:
        with torch.no_grad():
            encoder.eval()
            run()
    finally:
        encoder.train(learning)
        for handle in handles:
            handle.remove()
    return found


def _chosen(encoder: nn.Module, called: set[str], targets: str, what: str) -> Mapping[str, nn.Module]:
    """The layers to adapt, by name."""
    every = dict(encoder.named_modules())
    usable = {name: layer for name, layer in every.items() if name in called and _fits(layer)}
    attentions = tuple(f"{name}." for name, layer in usable.items() if isinstance(layer, nn.MultiheadAttention))
    usable = {name: layer for name, layer in usable.items() if not (attentions and name.startswith(attentions))}
    ends = sorted({name.rpartition(".")[2] for name in usable if not name.rpartition(".")[2].isdigit()})
    wanted = [text.strip() for text in targets.split(",") if text.strip()]
    if not wanted:
        linear = {name: at for name, at in usable.items() if isinstance(at, nn.Linear | nn.MultiheadAttention)}
        if not usable:
            raise InputError("an encoder with layers that can have low-rank adapters", what or type(encoder).__name__)
        return linear or usable
    for end in wanted:
        named = [name for name in every if name == end or name.endswith(f".{end}")]
        advice = f"It has {', '.join(ends)}. Give some of them: adapter_targets='{','.join(ends[:2])}'."
        if not named:
            absent = f"{end!r}, which {what or 'the encoder'} lacks"
            raise InputError("ends of the names of layers", absent, advice=advice)
        for name in named:
            if name not in usable:
                unused = "which is never called, so that its adapter would not be used"
                reason = unused if _fits(every[name]) else "no linear layer, attention or convolution without groups"
                raise InputError("layers that can have low-rank adapters", f"{name!r}, {reason}", advice=advice)
    return {name: at for name, at in usable.items() if any(name == end or name.endswith(f".{end}") for end in wanted)}


@functools.cache
def _package() -> Any:
    try:
        import peft  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError("peft", EXTRA) from error
    return peft
