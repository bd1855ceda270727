"""The configuration of a run whose head is fitted again, on features of the encoder that it has."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import safetensors.torch

from cladewise.atomic import write_bytes
from cladewise.backbones import Towers
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.records import RunConfig
from cladewise.tensor_files import reproducible


def with_frozen_encoder(run: Run, encoder: Path, *, advice: str) -> RunConfig:
    """The configuration of a run with its encoder frozen, so that only the head is fitted.

    The weights of an encoder that was trained are written to a file, which the configuration names as its checkpoint.

    Args:
        run: The run.
        encoder: The file to write the encoder to, if it was trained.
        advice: Advice for runs whose head cannot be fitted on features.

    Raises:
        InputError: The run has several encoders, or its method pools in another way than the encoder.
    """
    if run.config.backbone.freeze:
        return run.config
    if isinstance(run.classifier.encoder, Towers) or run.method.pooling() != "own":
        raise InputError(
            "a run with one encoder that pools in its own way, to fit its head again",
            f"{run.method.name} trained end to end",
            at=str(run.path),
            advice=advice,
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in run.backbone.encoder.state_dict().items()}
    encoder.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(encoder, reproducible(safetensors.torch.save(tensors)))
    backbone = dataclasses.replace(run.config.backbone, freeze=True, checkpoint=str(encoder.absolute()))
    return dataclasses.replace(run.config, backbone=backbone)
