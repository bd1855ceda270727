"""The network of a run: built from its configuration, with or without the trained weights."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cladewise import backbones
from cladewise.backbones import adapters
from cladewise.backbones.text import TextEncoder
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.errors import InputError
from cladewise.heads import Head
from cladewise.methods import Method
from cladewise.records import BackboneConfig, RunConfig
from cladewise.records.channel_values import channel_values
from cladewise.taxonomy import Taxonomy

ENCODER = "encoder.safetensors"
"""File of a run folder with the weights of a frozen encoder that are not published."""
HEAD = "head."
"""Beginning of the names of the head's weights in a file of weights."""


def build_network(
    config: RunConfig, method: Method, taxonomy: Taxonomy, weights: Mapping[str, Tensor] | None = None
) -> tuple[Classifier, backbones.Backbone]:
    """A new network and its backbone; end to end the backbone is part of the network, the first of its towers.

    Args:
        config: The configuration.
        method: Its method.
        taxonomy: The tree that the network learns.
        weights: The weights that are loaded into the network next, if there are some.
    """
    wanted = config.backbone
    torch.manual_seed(config.seed)  # an encoder without published weights follows from the seed as well
    load = functools.partial(
        backbones.load,
        wanted.name,
        pretrained=wanted.pretrained,
        image_size=wanted.image_size or None,
        crop_ratio=wanted.crop_ratio or None,
        resize=cast(backbones.Resizing, wanted.resize),
        mean=channel_values(wanted.mean),
        std=channel_values(wanted.std, "std"),
        stem=cast(backbones.Stem, wanted.stem),
        drop_rate=wanted.drop_rate,
        checkpoint=wanted.checkpoint or None,
    )
    if wanted.adapter_rank:
        adapters.check_available()
    if wanted.freeze:
        backbone = load()
        head = _head(method, taxonomy, backbone.num_features, weights)
        _adapt(wanted, (), head)
        return Classifier(head, scaling=FeatureScaling(wanted.scaling, backbone.num_features)), backbone
    towers = [load(pooling=method.pooling()) for _ in range(method.towers(taxonomy))]
    head = _head(method, taxonomy, towers[0].num_features, weights)
    _adapt(wanted, towers, head)
    return Classifier(head, towers=towers, chunk=config.training.chunk), towers[0]


def _adapt(wanted: BackboneConfig, towers: Sequence[backbones.Backbone], head: Head) -> None:
    """Add low-rank adapters to the encoders that are trained, if they are wanted.

    A text encoder without a layer that can have one, such as a table of n-grams, is trained as it is.

    Raises:
        InputError: No encoder is trained, or adapters are described but have no rank.
    """
    if not wanted.adapter_rank:
        described = [name for name in ("adapter_targets", "adapter_alpha") if getattr(wanted, name)]
        if described:
            got = f"{described[0]} without adapters"
            raise InputError("the rank of the adapters", got, advice="Give adapter_rank=8, for example.")
        return
    inner = [encoder for encoder in head.encoders() if isinstance(encoder, TextEncoder) and adapters.can_adapt(encoder)]
    if not towers and not inner:
        raise InputError(
            "an encoder that is trained, to give adapters to",
            "freeze=True",
            advice="Leave out freeze=True, or adapter_rank=.",
        )
    add = functools.partial(
        adapters.adapt, rank=wanted.adapter_rank, alpha=wanted.adapter_alpha, targets=wanted.adapter_targets
    )
    for tower in towers:
        add(tower, functools.partial(tower, torch.zeros(1, 3, tower.image_size, tower.image_size)), what=tower.name)
    for encoder in inner:
        add(encoder, functools.partial(encoder, encoder.tokens(["a text"])), what=encoder.name)


def _head(method: Method, taxonomy: Taxonomy, num_features: int, weights: Mapping[str, Tensor] | None) -> Head:
    if weights is None:
        return method.head(taxonomy, num_features)
    own = {name.removeprefix(HEAD): tensor for name, tensor in weights.items() if name.startswith(HEAD)}
    return method.loaded_head(taxonomy, num_features, own)


def trained_network(
    file: Path, config: RunConfig, method: Method, taxonomy: Taxonomy
) -> tuple[Classifier, backbones.Backbone]:
    """The network with the weights of a file, and its backbone, both in evaluation mode.

    Raises:
        InputError: The weights are of another network, or were trained on features of another encoder.
    """
    with _reading(file):
        weights = safetensors.torch.load_file(file)
    classifier, backbone = build_network(_with_encoder_at_hand(config, file.parent), method, taxonomy, weights)
    trained_on = read_header(file).get("encoder", "")
    if trained_on and trained_on != backbone.fingerprint:
        raise InputError(
            f"the weights of {backbone.name} that the run was trained on",
            "others",
            at=str(file.parent),
            advice="Install the version of the weights that was used, or train again.",
        )
    try:
        classifier.load_state_dict(weights)
    except RuntimeError:
        raise InputError(
            f"the weights of a {method.name} over {taxonomy}",
            "those of another network",
            at=str(file),
            advice="Was config.toml or taxonomy.csv changed? Train again, or restore the original files.",
        ) from None
    backbone.eval()
    return classifier.eval(), backbone


def _with_encoder_at_hand(config: RunConfig, folder: Path) -> RunConfig:
    """The configuration, with the encoder's weights from where they are: the run folder if they are there.

    An encoder that was trained end to end is whole in the file of the model, so that the weights it started from are
    not needed again; open_clip's stay, since its architecture depends on them. Adapters are merged into the weights of
    a finished run.
    """
    wanted, own = config.backbone, folder / ENCODER
    if own.is_file():
        changed = {"checkpoint": str(own)}
    elif not wanted.freeze and not backbones.is_clip(wanted.name):
        changed = {"checkpoint": "", "pretrained": False}
    else:
        changed = {}
    return dataclasses.replace(config, backbone=dataclasses.replace(wanted, adapter_rank=0, **changed))


def finished_state(classifier: Classifier, config: RunConfig) -> dict[str, Tensor]:
    """The weights of a trained network, with its adapters merged into the weights of the encoders."""
    return adapters.merged_state(classifier) if config.backbone.adapter_rank else classifier.state_dict()


def read_header(file: Path) -> dict[str, str]:
    """The metadata of a file of weights.

    Raises:
        InputError: It is not a safetensors file.
    """
    with _reading(file), safe_open(str(file), framework="pt") as content:  # type: ignore[no-untyped-call]
        return dict(content.metadata() or {})


def read_weight(file: Path, name: str) -> Tensor:
    """One tensor of a file of weights.

    Raises:
        InputError: It is not a safetensors file, or has no such tensor.
    """
    with _reading(file), safe_open(str(file), framework="pt") as content:  # type: ignore[no-untyped-call]
        return content.get_tensor(name)


@contextmanager
def _reading(file: Path) -> Generator[None, None, None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        advice = "Copy it again, or remove it and repeat the train command."
        raise InputError("a model in safetensors", str(error), at=str(file), advice=advice) from None
