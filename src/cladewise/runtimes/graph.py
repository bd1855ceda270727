"""The ONNX graph of an encoder, made once and kept in the cache."""

from __future__ import annotations

import copy
import hashlib
import logging
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import torch

from cladewise.atomic import explaining, replacing
from cladewise.backbones import Backbone
from cladewise.cache import cache_folder
from cladewise.errors import InputError, MissingExtraError

FORMAT = 1
"""Incremented whenever the same encoder would be given another graph."""
OPSET = 18
LARGEST = 1_900_000_000
"""Bytes of weights that fit into one file; protobuf ends at 2 GiB."""


class ExportError(InputError):
    """An encoder that the exporter cannot express as a graph."""


def first_line(error: Exception) -> str:
    """The first line of an error's text that is not blank, or its class.

    Example:
        >>> first_line(ValueError("\\nno such node\\nat 0x7f")), first_line(ValueError())
        ('no such node', 'ValueError')
    """
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def graph_folder(backbone: Backbone, image_size: int, cache_dir: Path | None) -> Path:
    """The folder of an encoder's graph and of what is known about it.

    Its name has a hash of every weight, since size and time of a file do not tell two encoders apart.
    """
    parts = (FORMAT, OPSET, torch.__version__, backbone.fingerprint, image_size)
    key = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", backbone.name[:60])  # for people who look into the cache
    return (cache_dir or cache_folder()) / "encoders" / f"{name}-{key[:24]}"


def graph_file(folder: Path) -> Path:
    """The file of the graph, which need not exist."""
    return folder / "encoder.onnx"


@contextmanager
def locked(folder: Path) -> Generator[None, None, None]:
    """Hold a folder, so that of several processes one does the work and the others wait for it.

    Raises:
        InputError: The folder cannot be written to.
    """
    with explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(folder / "lock")
        held.acquire()
    try:
        yield
    finally:
        held.release()


def export(backbone: Backbone, image_size: int, file: Path) -> None:
    """Write the graph of an encoder in evaluation mode: float32, any number of images of one size.

    Raises:
        MissingExtraError: The exporter is not installed.
        ExportError: The exporter cannot express the encoder, or its weights do not fit into one file.
        InputError: The file cannot be written.
    """
    if (size := sum(p.numel() * 4 for p in backbone.state_dict().values())) > LARGEST:
        raise ExportError("weights of less than 1.9 GB for a graph", f"{size / 1e9:.1f} GB", advice=_ADVICE)
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtraError(package, "onnx") from error
    encoder = copy.deepcopy(backbone).to("cpu", torch.float32).eval().requires_grad_(False)
    encoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    # torch specialises batches of 0 and 1, so the example has 2
    example = torch.zeros(2, 3, image_size, image_size)
    try:
        with quietly():
            program: Any = torch.onnx.export(
                encoder,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["images"],
                output_names=["features"],
                opset_version=OPSET,
                verbose=False,
            )
    except Exception as error:  # of any kind, from each of its stages
        got = f"{backbone.name} ({first_line(error)})"
        raise ExportError("an encoder that torch.onnx can export", got, advice=_ADVICE) from error
    with replacing(file) as temporary:
        program.save(str(temporary), external_data=False)


_ADVICE = "Use the runtime torch."


@contextmanager
def quietly() -> Generator[None, None, None]:
    """Without the warnings and log lines of the exporter, which are about its own workings."""
    loggers = [
        logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "torch.__trace")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
