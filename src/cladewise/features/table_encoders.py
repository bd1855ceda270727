"""Encoders of images for tables of features: that of a run, its head's vectors, or a published one."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise import backbones, runtimes
from cladewise.backbones import Backbone, Towers
from cladewise.engine.answering.representing import Space
from cladewise.engine.devices import preferred_device
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.hub_access import is_on_hub
from cladewise.runtimes import Precision

Encode = Callable[[Float[Tensor, "image 3 height width"]], Float[Tensor, "image feature"]]


@dataclasses.dataclass(frozen=True)
class TableEncoder:
    """An encoder of images, and the identity of its features.

    Args:
        backbone: The image encoder.
        run: The run that it belongs to, if any.
        space: ``"encoder"``: the features of the encoder. ``"own"``: the vectors of the run's head.
    """

    backbone: Backbone
    run: Run | None = None
    space: Space = "encoder"

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything on which features depend: features with equal identities can be compared.

        ``encoder`` (name), ``weights`` (hash), ``transform``, ``image_size`` (pixels), ``pooling`` (the class of the
        pooling layer, where it is one), ``space``, and ``head`` (hash of the run's weights, for vectors of its head).
        """
        by_run = self.run is not None and (self.space == "own" or self._towers is not None)
        pooling = getattr(self.backbone.encoder, "global_pool", None)
        return {
            "encoder": self.backbone.name,
            "weights": self.backbone.fingerprint,
            "transform": repr(self.backbone.transform()),
            "image_size": self.backbone.image_size,
            "pooling": "own" if pooling is None else str(pooling),
            "space": self.space,
            "head": self.run.model_hash if self.run is not None and by_run else "",
        }

    @property
    def folder(self) -> str:
        """The run's folder, to open the encoder again; empty for a published encoder."""
        return "" if self.run is None else str(self.run.path.absolute())

    @property
    def device(self) -> torch.device:
        """The device to compute on."""
        return preferred_device("auto" if self.run is None else self.run.config.training.accelerator)

    @property
    def _towers(self) -> Towers | None:
        encoder = None if self.run is None else self.run.classifier.encoder
        return encoder if isinstance(encoder, Towers) else None

    def compiled(
        self, *, runtime: str | None = None, precision: Precision = "fp32", num_images: int | None = None
    ) -> Encode:
        """The function from images to features in single precision, on the CPU.

        Args:
            runtime: See :func:`cladewise.runtimes.compile`.
            precision: Arithmetic of the encoder.
            num_images: Number of images to encode; ``None`` for many.
        """
        device = self.device
        if self._towers is not None:
            assert self.run is not None
            classifier = self.run.classifier.to(device)
            return lambda images: self._vectors(classifier.encode(images.to(device)))
        encode = runtimes.at_first_batch(
            lambda images: runtimes.compile(
                self.backbone, runtime, precision=precision, device=device, check=images, num_images=num_images
            )
        )
        return lambda images: self._vectors(encode(images))

    @torch.inference_mode()
    def _vectors(self, features: Tensor) -> Tensor:
        if self.run is not None and self.space == "own":
            classifier = self.run.classifier.to(features.device)
            features = classifier.head.represent(features if classifier.end_to_end else classifier.encode(features))
        return features.flatten(1).float().cpu()


def table_encoder(encoder: TableEncoder | Run | str | os.PathLike[str], space: Space = "encoder") -> TableEncoder:
    """The encoder of a run's folder, or a published one by its name.

    Args:
        encoder: A run, its folder or ``hf://user/name``, or the name of an encoder as
            :func:`cladewise.backbones.load` takes it.
        space: ``"encoder"``: features of the encoder. ``"own"``: for a run, the vectors from which its head computes
            scores.

    Raises:
        InputError: There is no such run or encoder, or ``space="own"`` without a run.

    Example:
        >>> table_encoder("efficientnet_lite0").identity["image_size"]
        224
    """
    if isinstance(encoder, TableEncoder):
        return encoder
    if space not in ("encoder", "own"):
        raise InputError("a space: encoder, own", repr(space))
    if isinstance(encoder, Run) or is_on_hub(encoder) or Path(encoder).is_dir():
        run = Run.open(encoder)
        run.check_network()
        return TableEncoder(run.backbone, run, space)
    if space == "own":
        raise InputError("a run with space='own'", f"the encoder {os.fspath(encoder)!r}")
    name = os.fspath(encoder)
    if os.sep in name and ":" not in name:
        raise InputError("a run folder or the name of an encoder", f"no folder at {name}")
    return TableEncoder(backbones.load(name).eval())


def check_same(found: Mapping[str, Any], wanted: Mapping[str, Any], *, at: str) -> None:
    """Check that two identities are of the same features.

    Raises:
        InputError: They differ.
    """
    different = [name for name, value in wanted.items() if found.get(name) != value]
    if different:
        raise InputError(
            f"features of {wanted['encoder']} as in the index",
            f"others: {', '.join(different)} differ",
            at=at,
            advice="Embed the images again with the encoder and the options of the index.",
        )
