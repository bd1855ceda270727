"""The network of a run: built from its configuration, with or without the trained weights."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cladewise import backbones
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.errors import InputError
from cladewise.methods import Method
from cladewise.records import RunConfig
from cladewise.records.channel_values import channel_values
from cladewise.taxonomy import Taxonomy

ENCODER = "encoder.safetensors"
"""File of a run folder with the weights of a frozen encoder that are not published."""


def build_network(config: RunConfig, method: Method, taxonomy: Taxonomy) -> tuple[Classifier, backbones.Backbone]:
    """A new network and its backbone; end to end the backbone is part of the network, the first of its towers.

    Args:
        config: The configuration.
        method: Its method.
        taxonomy: The tree that the network learns.
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
    if wanted.freeze:
        backbone = load()
        head = method.head(taxonomy, backbone.num_features)
        return Classifier(head, scaling=FeatureScaling(wanted.scaling, backbone.num_features)), backbone
    towers = [load(pooling=method.pooling()) for _ in range(method.towers(taxonomy))]
    head = method.head(taxonomy, towers[0].num_features)
    return Classifier(head, towers=towers, chunk=config.training.chunk), towers[0]


def trained_network(
    file: Path, config: RunConfig, method: Method, taxonomy: Taxonomy
) -> tuple[Classifier, backbones.Backbone]:
    """The network with the weights of a file, and its backbone, both in evaluation mode.

    Raises:
        InputError: The weights are of another network, or were trained on features of another encoder.
    """
    classifier, backbone = build_network(_with_encoder_at_hand(config, file.parent), method, taxonomy)
    with _reading(file):
        weights = safetensors.torch.load_file(file)
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
    not needed again; open_clip's stay, since its architecture depends on them.
    """
    wanted, own = config.backbone, folder / ENCODER
    if own.is_file():
        changed = {"checkpoint": str(own)}
    elif not wanted.freeze and not backbones.is_clip(wanted.name):
        changed = {"checkpoint": "", "pretrained": False}
    else:
        return config
    return dataclasses.replace(config, backbone=dataclasses.replace(wanted, **changed))


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
