"""Finds the last feature map in a network, which Grad-CAM weights."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.errors import InputError

Reshape = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """A module whose output is a feature map.

    Args:
        name: Where it is in the network.
        module: The module.
        reshape: Turns its output into a map [batch, feature, height, width]; ``None`` if it already is one.
    """

    name: str
    module: nn.Module
    reshape: Reshape | None = None


def last_feature_map(network: nn.Module, images: Float[Tensor, "batch channel height width"]) -> FeatureMap:
    """The last module with a map of more than one place that the scores depend on.

    One pass with the given images finds it, whatever the architecture: the modules are taken in the order in which
    they finish, and one counts if its output has four dimensions, runs once a pass, and the scores have a gradient with
    respect to it. Of networks whose features are tokens (vision transformers) it is what enters the last block's
    attention, as a map of the patches, since the last layer's patches need not count at all.

    Args:
        network: Images to scores [batch, score].
        images: Any images that it takes; one is enough.

    Raises:
        InputError: There is no such map.

    Example:
        >>> from cladewise import backbones
        >>> encoder = backbones.load("test_resnet", pretrained=False, image_size=64).eval()
        >>> last_feature_map(encoder, torch.zeros(1, 3, 64, 64)).name
        'encoder.layer4'

    References: Selvaraju et al., Grad-CAM, ICCV 2017 (the last convolutional layer). For transformers the layer is the
    one that the package ``grad-cam`` advises.
    """
    seen, tokens = _spatial_outputs(network, images), _last_block(network)
    if tokens is not None and any(module is tokens.module for _, module, _ in seen):
        return tokens
    name, module, output = seen[-1] if seen else ("", network, torch.empty(0))
    if output.ndim == 4:
        return FeatureMap(name, module, _channels_first if _ends_in_channels(network, output) else None)
    raise InputError(
        "a network whose features form a map, such as a convolutional one",
        f"{name}, whose output is {list(output.shape)}" if seen else "one without",
        advice="Explain a run whose backbone is a convolutional network or a plain vision transformer of timm, at an "
        "image size that leaves its last layers more than one place.",
    )


def _spatial_outputs(network: nn.Module, images: Tensor) -> list[tuple[str, nn.Module, Tensor]]:
    """Name, module and output of all that gave a map, or several tokens, to the scores, in order."""
    outputs: list[tuple[str, nn.Module, Tensor]] = []

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, _: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.requires_grad and _has_places(output):
                outputs.append((name, module, output))

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in network.named_modules() if name]
    try:
        with torch.enable_grad():
            scores = network(images[:1].detach().clone().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    if not (outputs and scores.requires_grad):
        return []
    asked = [output for *_, output in outputs]
    gradients = cast("Sequence[Tensor | None]", torch.autograd.grad(scores.max(), asked, allow_unused=True))
    runs = Counter(name for name, *_ in outputs)
    return [
        place
        for place, gradient in zip(outputs, gradients, strict=True)
        if gradient is not None and runs[place[0]] == 1
    ]


def _has_places(output: Tensor) -> bool:
    """Whether an output may be a map or tokens with more than one place."""
    if output.ndim == 4:
        return min(output.shape[2:]) > 1 or min(output.shape[1:3]) > 1
    return output.ndim == 3 and output.shape[1] > 1


def _ends_in_channels(network: nn.Module, output: Tensor) -> bool:
    """Whether a map is [batch, height, width, feature], according to the ``output_fmt`` of some timm networks."""
    said = {str(getattr(module, "output_fmt", "NCHW")) for module in network.modules()}
    return any("NHWC" in text for text in said) and output.shape[1] == output.shape[2]


def _channels_first(output: Tensor) -> Tensor:
    return output.movedim(-1, 1)


def _last_block(network: nn.Module) -> FeatureMap | None:
    """Input of the attention in the last block of one of timm's vision transformers."""
    for name, module in network.named_modules():
        blocks, prefix = getattr(module, "blocks", None), getattr(module, "num_prefix_tokens", None)
        grid = getattr(getattr(module, "patch_embed", None), "grid_size", None)
        listed = isinstance(blocks, nn.Sequential | nn.ModuleList)
        if listed and prefix is not None and grid and hasattr(blocks[-1], "norm1"):
            where = f"{name}.blocks.{len(blocks) - 1}.norm1".lstrip(".")
            return FeatureMap(where, network.get_submodule(where), _patches(int(prefix), *grid))
    return None


def _patches(prefix: int, height: int, width: int) -> Reshape:
    """Tokens [batch, token, feature] to the map of those that are patches."""

    def reshape(tokens: Tensor) -> Tensor:
        return tokens[:, prefix:].unflatten(1, (height, width)).movedim(-1, 1)

    return reshape
