"""The base class of the formats that runs are exported to."""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.exporting.graph import RunGraph, Start

Arrays = dict[str, NDArray[np.generic]]
Session = Callable[[Mapping[str, NDArray[np.generic]]], Arrays]
"""Function from inputs by name, of which all but the first may be missing, to outputs by name."""

Precision = Literal["fp32", "fp16", "int8"]
"""Numbers of an exported encoder: single precision, half precision, or eight bits."""

FORMATS: dict[str, str] = {
    "onnx": "cladewise.exporting.onnx_file:OnnxFormat",
    "torch-export": "cladewise.exporting.torch_export:TorchExportFormat",
    "openvino": "cladewise.exporting.openvino:OpenVinoFormat",
}
"""Module and class of each format by name; a module is imported when its format is first used."""


@dataclasses.dataclass(frozen=True)
class Format(ABC):
    """A kind of file that another program runs. It is written, opened, and compared with torch before it is kept."""

    name: ClassVar[str]
    suffix: ClassVar[str]
    beside: ClassVar[str] = ""
    """Suffix of a second file of the same name, if the format has one."""
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "fp16")
    """Precisions of the encoder that it can be written in."""

    @abstractmethod
    def write(self, graph: RunGraph, file: Path, about: Mapping[str, str]) -> None:
        """Write a graph with what is known about it.

        Raises:
            MissingExtraError: A package is not installed.
            InputError: The graph cannot be written in this format.
        """

    @abstractmethod
    def open(self, file: Path, *, threads: int = 1) -> Session:
        """The function that a file computes, by the runtime that it is checked with."""

    def tolerance(self, start: Start) -> float:
        """The largest difference from torch's log-probabilities that a file may have, in nats."""
        return 1e-4

    @abstractmethod
    def annotate(self, file: Path, about: Mapping[str, str]) -> None:
        """Add to what is known about a written graph."""


def format_of(name: str) -> Format:
    """A format by its name.

    Raises:
        InputError: There is no such format.

    Example:
        >>> format_of("onnx").suffix
        '.onnx'
    """
    if name not in FORMATS:
        raise InputError(f"a format among {', '.join(FORMATS)}", repr(name), advice=nearest(name, list(FORMATS)))
    module, _, kind = FORMATS[name].partition(":")
    return getattr(importlib.import_module(module), kind)()
