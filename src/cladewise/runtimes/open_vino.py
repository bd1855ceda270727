"""OpenVINO on the CPU."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from cladewise.runtimes.runtime import Forward, Runtime


@functools.cache
def _core(library: Any) -> Any:
    """The one core of this process, which is never freed.

    A core gives the thread a stack for signals of its own and takes it back when it is freed. Of two that are freed in
    the order in which they were made, the second leaves the freed stack of the first behind, on which the next signal
    ends the process, such as that of a child that exits.
    """
    return library.Core()


_HINTS = {"fp32": "f32", "bf16": "bf16"}


@dataclasses.dataclass(frozen=True)
class OpenVINO(Runtime):
    """OpenVINO's CPU plugin, in single precision or bfloat16.

    The precision is always stated, since its default is bfloat16 where the processor has AMX. Its own model cache is
    not used: it tells files apart by size and time, and so takes the weights of another encoder for the current ones.
    """

    name: ClassVar[str] = "openvino"
    package: ClassVar[str] = "openvino"
    extra: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "bf16")

    def load(self, graph: Path, *, precision: str, threads: int) -> Forward:
        request: Any = self.compiled(graph, precision=precision, threads=threads).create_infer_request()

        def forward(images: Tensor) -> Tensor:
            # the request keeps its output, and the next call overwrites it
            return torch.from_numpy(request.infer([images.numpy()], share_inputs=True)[0].copy())

        return forward

    def core(self) -> Any:
        """OpenVINO's core, one for the process."""
        return _core(self.imported())

    def compiled(self, graph: Path, *, precision: str, threads: int) -> Any:
        """The compiled model."""
        core = self.core()
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # pinned threads stay on their core while another process decodes images on it
            "ENABLE_CPU_PINNING": False,
            "CACHE_DIR": "",
        }
        return core.compile_model(core.read_model(str(graph)), "CPU", settings)
