"""The runtimes by name."""

from __future__ import annotations

import sys

from cladewise.catalogue import check_name, named_parts
from cladewise.runtimes.runtime import Runtime

AUTO, TORCH = "auto", "torch"


def available() -> dict[str, type[Runtime]]:
    """The compiled runtimes by name, installed or not, including those of other distributions.

    Example:
        >>> sorted(available())
        ['onnxruntime', 'openvino']
    """
    return named_parts(sys.modules[__package__ or ""], Runtime)


def check_runtime(name: str | None) -> None:
    """Check that a runtime of this name can be asked for; ``None`` is the one that is chosen elsewhere.

    Raises:
        InputError: There is no such runtime.

    Example:
        >>> check_runtime("onnx")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a runtime: auto, torch, onnxruntime, openvino, but got 'onnx'.
    """
    if name not in (None, AUTO, TORCH):  # the compiled ones are not imported for nothing
        check_name([AUTO, TORCH, *available()], "runtime", name)
