"""onnxruntime on the CPU."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from cladewise.runtimes.runtime import Forward, Runtime


@dataclasses.dataclass(frozen=True)
class OnnxRuntime(Runtime):
    """onnxruntime's CPU provider, in single precision: its kernels for processors have no bfloat16."""

    name: ClassVar[str] = "onnxruntime"
    package: ClassVar[str] = "onnxruntime"
    extra: ClassVar[str] = "onnx"
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)

    def load(self, graph: Path, *, precision: str, threads: int) -> Forward:
        library = self.imported()
        options = library.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # threads that spin while they wait would take time from those that decode images
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors alone
        session = library.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        name: str = session.get_inputs()[0].name

        def forward(images: Tensor) -> Tensor:
            features: Any = session.run(None, {name: images.numpy()})[0]
            return torch.from_numpy(features)

        return forward
