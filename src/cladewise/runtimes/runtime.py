"""Base class of the libraries that run an encoder's graph."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from cladewise.errors import MissingExtraError

Forward = Callable[[Tensor], Tensor]
"""From images [image, 3, height, width], float32 and contiguous on the CPU, to features [image, feature]."""


@dataclasses.dataclass(frozen=True)
class Runtime(ABC):
    """A library that runs an ONNX graph on the CPU.

    A subclass in ``cladewise.runtimes``, or in the entry-point group of that name, is found by its ``name``.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    """The package to import, and to look for."""
    extra: ClassVar[str]
    """The extra of cladewise that installs it."""
    precisions: ClassVar[tuple[str, ...]]
    """The precisions that it computes in."""

    @classmethod
    def is_installed(cls) -> bool:
        """Whether the package can be imported; it is not imported to find out."""
        return importlib.util.find_spec(cls.package) is not None

    @classmethod
    def version(cls) -> str:
        """Version of the package."""
        try:
            return importlib.metadata.version(cls.package)
        except importlib.metadata.PackageNotFoundError:  # a build under another name, such as onnxruntime-gpu
            return str(cls.imported().__version__)

    @classmethod
    def imported(cls) -> Any:
        """The package.

        Raises:
            MissingExtraError: It is not installed.
        """
        try:
            return importlib.import_module(cls.package)
        except ImportError as error:
            raise MissingExtraError(cls.package, cls.extra) from error

    @abstractmethod
    def load(self, graph: Path, *, precision: str, threads: int) -> Forward:
        """The function that runs a graph.

        Args:
            graph: An ONNX file with one input and one output, whose batch is dynamic.
            precision: One of its precisions.
            threads: Number of threads to compute with.
        """
