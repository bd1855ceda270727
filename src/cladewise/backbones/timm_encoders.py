"""Encoders of timm: names, models and published weights. Importing this module imports timm."""

from __future__ import annotations

import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import timm
from timm.data.config import resolve_model_data_config
from timm.models import is_model_in_modules
from timm.models.resnet import ResNet
from torch import nn

from cladewise.backbones.backbone import ImageInput
from cladewise.errors import InputError

_WITHOUT_HUB = (
    "Use the packaged efficientnet_lite0, give checkpoint=PATH with the weights, "
    "or pretrained=False to start from noise."
)


def available() -> dict[str, str]:
    """Names of timm's models, and whether each has pretrained weights."""
    pretrained = {name.partition(".")[0] for name in timm.list_pretrained()}
    return {
        name: "timm, pretrained weights by download" if name in pretrained else "timm, no pretrained weights"
        for name in timm.list_models()
    }


def is_known(name: str) -> bool:
    """Whether timm has a model of that name, or the name refers to a hub or a folder."""
    return ":" in name or bool(timm.is_model(name))


def create(
    name: str,
    *,
    pretrained: bool,
    image_size: int | None = None,
    with_classifier: bool = False,
    pooling: str = "own",
    stem: str = "own",
    drop_rate: float = 0.0,
) -> nn.Module:
    """A model of timm.

    Args:
        name: A model that timm knows.
        pretrained: Whether to load published weights.
        image_size: Side of the input in pixels, for models that are built for one size.
        with_classifier: Whether to keep its ImageNet classifier.
        pooling: ``own``, as published, or ``max``.
        stem: ``own``, or ``cifar`` for a ResNet with :func:`cifar_stem`.
        drop_rate: Dropout in training; see :func:`cladewise.backbones.load`.

    Raises:
        InputError: The weights are not available, or the model does not support the image size, the pooling, the stem
            or dropout.
    """
    options: dict[str, Any] = {} if with_classifier else {"num_classes": 0}
    if image_size is not None and _has_fixed_size(name):
        options["img_size"] = image_size
    if pooling != "own":
        options["global_pool"] = pooling
    if drop_rate:
        options |= dict.fromkeys(_drops(name), drop_rate)
    if pretrained:
        check_downloadable(name)
    try:
        model = timm.create_model(name, pretrained=pretrained, **options)
        return cifar_stem(model, name) if stem == "cifar" else model
    except InputError:
        raise
    except (AssertionError, TypeError, ValueError) as error:
        if pooling != "own":
            create(name, pretrained=False, image_size=image_size)  # raises if something else is wrong
            advice = f"Choose another, or its own pooling: {error}"
            raise InputError(
                "an encoder whose feature map can be pooled by its maximum", name, advice=advice
            ) from error
        if drop_rate:
            create(name, pretrained=False, image_size=image_size)
            raise InputError("an encoder with dropout", name, advice=f"Give drop_rate=0: {error}") from error
        if image_size is None:
            raise
        raise InputError(f"an image size that {name} can take", image_size, advice=str(error)) from error
    except Exception as error:
        # hub clients raise any kind of error, so the kind is not informative
        if not (pretrained or ":" in name):
            raise InputError("the name of a backbone", f"{name!r} ({error})") from error
        raise unreachable(name, str(error)) from error


def cifar_stem(model: nn.Module, name: str) -> nn.Module:
    """A ResNet for images of 32 pixels: its first layers become one 3×3 convolution without stride and pooling.

    Args:
        model: A ResNet of timm, which is changed in place; the convolution has random weights.
        name: Its name, for the error.

    Raises:
        InputError: It is another kind of model.

    References: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2.
    """
    if not isinstance(model, ResNet):
        raise InputError("a ResNet of timm, whose stem can be replaced", name, advice="Leave stem as it is.")
    width: int = model.bn1.num_features  # type: ignore[assignment]
    model.conv1, model.maxpool = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.Identity()
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    return model


def _drops(name: str) -> tuple[str, ...]:
    """Names of timm's rates of the dropout that papers mean: ``drop_rate`` is only that before a classifier."""
    if is_model_in_modules(name, ["vision_transformer"]):
        return ("pos_drop_rate", "proj_drop_rate")
    if is_model_in_modules(name, ["swin_transformer"]):
        return ("proj_drop_rate",)
    return ("drop_rate",)


def image_input(encoder: nn.Module, image_size: int | None) -> ImageInput:
    """The input format of a timm model, from its configuration."""
    config: dict[str, Any] = resolve_model_data_config(encoder)
    return ImageInput(
        image_size or int(config["input_size"][-1]),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        crop_ratio=float(config["crop_pct"]),
        interpolation=str(config["interpolation"]),
    )


def _has_fixed_size(name: str) -> bool:
    config = timm.models.get_pretrained_cfg(name) if ":" not in name else None
    return config is not None and config.fixed_input_size


def check_downloadable(name: str) -> None:
    """Raise immediately if a download would be retried in vain.

    Raises:
        InputError: The model has no pretrained weights, or they are not cached and their host is unreachable.
    """
    config = timm.models.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or config.file or config.state_dict:
        return
    if not (config.url or config.hf_hub_id):
        raise InputError(f"pretrained weights of {name}", "a model that has none", advice=_WITHOUT_HUB)
    if not config.hf_hub_id or urllib.request.getproxies():
        return
    files = ("model.safetensors", "pytorch_model.bin")
    if any(isinstance(huggingface_hub.try_to_load_from_cache(config.hf_hub_id, file), str) for file in files):
        return
    host = urlsplit(huggingface_hub.constants.ENDPOINT).hostname
    try:
        socket.getaddrinfo(host, 443)
    except OSError as error:
        raise unreachable(name, f"no way to reach {host}") from error


def unreachable(name: str, reason: str) -> InputError:
    """The error for weights that cannot be fetched."""
    return InputError(f"the pretrained weights of {name}", reason, advice=_WITHOUT_HUB)
