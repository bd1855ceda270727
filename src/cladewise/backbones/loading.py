"""Backbones by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from torch import nn

from cladewise.backbones import clip, lite0, resnet12, weights
from cladewise.backbones.backbone import Backbone, ImageInput
from cladewise.backbones.efficientnet_lite import EfficientNet
from cladewise.backbones.resnet12 import ResNet12
from cladewise.backbones.transforms import Resizing
from cladewise.catalogue import near_texts
from cladewise.errors import InputError

if TYPE_CHECKING:
    from types import ModuleType

Pooling = Literal["own", "max"]
"""Pooling of the feature map: the encoder's published pooling (an average in most), or the maximum."""
Stem = Literal["own", "cifar"]
"""First layers of a ResNet: the encoder's own, or a 3×3 convolution without stride and without pooling after it."""


def available() -> dict[str, str]:
    """Names of backbones with descriptions: our own first, then timm's. Needs no network.

    Example:
        >>> next(iter(available().items()))
        ('efficientnet_lite0', 'packaged ImageNet weights, 224 px, 1280 features; needs no network')
    """
    packaged = {
        lite0.NAME: "packaged ImageNet weights, 224 px, 1280 features; needs no network",
        resnet12.NAME: "of few-shot learning, 84 px or smaller, 640 features; no pretrained weights",
    }
    return packaged | {name: text for name, text in _timm().available().items() if name not in packaged}


def load(
    name: str,
    *,
    pretrained: bool = True,
    image_size: int | None = None,
    crop_ratio: float | None = None,
    checkpoint: str | Path | None = None,
    pooling: Pooling = "own",
    resize: Resizing | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    stem: Stem = "own",
    drop_rate: float = 0.0,
) -> Backbone:
    """An image encoder by name, with weights.

    Args:
        name: ``efficientnet_lite0``, whose weights come with the library, or any model of timm, with or without a tag
            (``resnet50``, ``resnet50.a1_in1k``). timm's own ``efficientnet_lite0`` needs its tag, ``.ra_in1k``. Or the
            few-shot encoder ``resnet12``, which has no published weights. Or the image tower of an open_clip model,
            ``open_clip:ViT-B-32/openai``, ``open_clip:hf-hub:USER/NAME`` or ``open_clip:local-dir:FOLDER``, whose
            features lie in the space shared with its texts.
        pretrained: Whether to start from published weights; timm's are downloaded and cached by the hub client.
        image_size: Side of the square input in pixels; by default that of the pretrained weights.
        crop_ratio: Share of the shorter side that the evaluation crop keeps, in (0, 1]; by default that of the
            pretrained weights. Use 1 for images filled by their object.
        checkpoint: A ``.safetensors`` or ``.pth`` file with the weights: a state dict, or a checkpoint of timm's
            training script or of Lightning, also with prefixes such as ``module.`` or ``backbone.``. The classifier is
            ignored, averaged weights are preferred, and position embeddings are resized.
        pooling: Pooling of the feature map: ``"own"``, as published (an average in most convolutional networks, a class
            token in most transformers), or ``"max"``.
        resize: Which sides of an image are resized before the crop of an evaluation: the shorter one, or both to a
            square. By default as open_clip's models were trained, and the shorter side for all others.
        mean: Mean of red, green and blue, of values in [0, 1]; by default that of the pretrained weights.
        std: Standard deviation of the channels; by default that of the pretrained weights.
        stem: ``"cifar"`` replaces the first layers of a ResNet of timm by a 3×3 convolution without stride, with random
            weights, and without the pooling after it, for images of 32 pixels.
        drop_rate: Dropout in training: in vision transformers after the position embeddings, the attention and both
            layers of each perceptron; in Swin transformers the same without the first; in ``resnet12`` after each
            block; in others of the features.

    Raises:
        InputError: The name is unknown, the weights are not available or do not fit, or the encoder does not support
            the image size, the pooling, the stem or dropout.

    Example:
        >>> backbone = load("efficientnet_lite0")
        >>> backbone.num_features, backbone.image_size
        (1280, 224)
    """
    if image_size is not None and image_size < 1:
        raise InputError("an image size of at least 1 pixel", image_size)
    if crop_ratio is not None and not 0 < crop_ratio <= 1:
        raise InputError("a crop ratio in (0, 1]", crop_ratio)
    for what, value, known in (("pooling", pooling, Pooling), ("resizing", resize, Resizing), ("stem", stem, Stem)):
        if value is not None and value not in get_args(known):
            raise InputError(f"a {what}: {', '.join(get_args(known))}", repr(value))
    if not 0 <= drop_rate < 1:
        raise InputError("a drop rate in [0, 1)", drop_rate)
    changed = {
        "crop_ratio": crop_ratio,
        "resize": resize,
        "mean": None if mean is None else tuple(mean),
        "std": None if std is None else tuple(std),
    }
    from_file = weights.read_state_dict(Path(checkpoint)) if checkpoint is not None else None
    download = pretrained and from_file is None and name != lite0.NAME
    if clip.is_clip(name):
        if stem != "own" or drop_rate:
            raise InputError("an encoder that takes another stem or dropout", name)
        backbone = _clip_tower(name, pretrained=download, image_size=image_size, pooling=pooling)
        if from_file is not None:
            weights.load_tensors(backbone.encoder, from_file, ignored=(), at=str(checkpoint))
        return _fed(backbone, changed)
    encoder = _encoder(
        name, pretrained=download, image_size=image_size, pooling=pooling, stem=stem, drop_rate=drop_rate
    )
    ignored = _classifiers(encoder)
    if from_file is not None:
        weights.load_tensors(encoder, from_file, ignored=ignored, at=str(checkpoint))
    elif name == lite0.NAME and pretrained:
        weights.load_tensors(encoder, lite0.state_dict(), ignored=ignored, at=lite0.PACKAGE)
    backbone = Backbone(
        name,
        encoder,
        num_features=int(getattr(encoder, "head_hidden_size", None) or encoder.num_features),  # type: ignore[arg-type]
        image_input=_image_input(name, encoder, image_size),
    )
    return _fed(backbone, changed)


def imagenet_classifier(name: str = lite0.NAME) -> nn.Linear:
    """The pretrained ImageNet classifier (1000 classes) on a backbone's features.

    Raises:
        InputError: The weights are not available, or the model has no such layer.

    Example:
        >>> imagenet_classifier()
        Linear(in_features=1280, out_features=1000, bias=True)
    """
    model = _encoder(name, pretrained=name != lite0.NAME, with_classifier=True)
    if name == lite0.NAME:
        weights.load_tensors(model, lite0.state_dict(), ignored=(), at=lite0.PACKAGE)
    layer: Any = model.get_classifier()  # type: ignore[operator]
    if not (isinstance(layer, nn.Linear) and layer.out_features == 1000):
        raise InputError("a model that ends in a linear layer over the 1000 classes of ImageNet", name)
    return layer


def _image_input(name: str, encoder: nn.Module, image_size: int | None) -> ImageInput:
    """The input format of an encoder by its name or, in timm, its configuration."""
    own = {lite0.NAME: lite0.image_input, resnet12.NAME: resnet12.image_input}
    return own[name](image_size) if name in own else _timm().image_input(encoder, image_size)


def _fed(backbone: Backbone, changed: dict[str, Any]) -> Backbone:
    """The backbone with another input format, where it is given."""
    given = {name: value for name, value in changed.items() if value is not None}
    backbone.image_input = dataclasses.replace(backbone.image_input, **given)
    return backbone


def _clip_tower(name: str, *, pretrained: bool, image_size: int | None, pooling: Pooling) -> Backbone:
    if pooling != "own":
        raise InputError("an encoder whose feature map can be pooled by its maximum", name)
    model = clip.open_clip_model(name, pretrained=pretrained, image_size=image_size)
    tower = clip.ImageTower(model)
    return Backbone(name, tower, num_features=clip.num_features(name), image_input=clip.image_input(model))


def _encoder(
    name: str,
    *,
    pretrained: bool,
    image_size: int | None = None,
    with_classifier: bool = False,
    pooling: Pooling = "own",
    stem: Stem = "own",
    drop_rate: float = 0.0,
) -> nn.Module:
    global_pool = "max" if pooling == "max" else "avg"
    if name in (lite0.NAME, resnet12.NAME) and stem != "own":
        raise InputError("a ResNet of timm, whose stem can be replaced", name)
    if name == lite0.NAME:
        return EfficientNet(1000 if with_classifier else 0, global_pool=global_pool, drop_rate=drop_rate)
    if name == resnet12.NAME:
        if pretrained:
            advice = "Give pretrained=False to start from noise, or checkpoint=PATH with weights."
            raise InputError(f"pretrained weights of {name}", "a model that has none", advice=advice)
        return ResNet12(image_size or resnet12.IMAGE_SIZE, drop_rate=drop_rate, global_pool=global_pool)
    encoders = _timm()
    if not encoders.is_known(name):
        close = near_texts(name, list(available()))
        advice = f"Did you mean {' or '.join(close)}?" if close else "See cladewise list backbones."
        raise InputError("the name of a backbone", repr(name), advice=advice)
    return encoders.create(
        name,
        pretrained=pretrained,
        image_size=image_size,
        with_classifier=with_classifier,
        pooling=pooling,
        stem=stem,
        drop_rate=drop_rate,
    )


def _timm() -> ModuleType:
    """The module that imports timm, which takes a second or two and is only needed for timm's encoders."""
    from cladewise.backbones import timm_encoders

    return timm_encoders


def _classifiers(encoder: nn.Module) -> tuple[str, ...]:
    """Names of the layers that were removed from the encoder but may be in a checkpoint."""
    names: Any = encoder.pretrained_cfg.get("classifier")  # type: ignore[union-attr,operator]
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
