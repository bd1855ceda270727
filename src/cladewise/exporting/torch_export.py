"""A run as the archive of torch.export, which torch opens without our package."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from cladewise.atomic import write_bytes
from cladewise.exporting.defaults import defaults_text, read_defaults
from cladewise.exporting.format import Arrays, Format, Session
from cladewise.exporting.graph import RunGraph
from cladewise.exporting.program import exported

ABOUT = "cladewise.json"
"""Further file of the archive with what is known about it."""


@dataclasses.dataclass(frozen=True)
class TorchExportFormat(Format):
    """A ``.pt2`` archive, which ``torch.export.load(file).module()`` opens.

    The module takes all inputs by position and returns a tuple. The further file ``cladewise.json`` of the archive,
    which ``torch.export.load(file, extra_files=...)`` reads, has the metadata, the names of its ``arguments`` and
    ``outputs``, and the ``defaults`` of the arguments. The archive has no example inputs, the part that torch would
    pickle. The module computes with torch's own number of threads.
    """

    name: ClassVar[str] = "torch-export"
    suffix: ClassVar[str] = ".pt2"

    def write(self, graph: RunGraph, file: Path, about: Mapping[str, str]) -> None:
        program = exported(graph)
        names = {"arguments": graph.input_names, "outputs": graph.output_names}
        own = {key: json.dumps(value) for key, value in names.items()} | {"defaults": defaults_text(graph.defaults)}
        _save(program, file, {**about, **own})

    def open(self, file: Path, *, threads: int = 1) -> Session:
        program, about = _load(file)
        inputs, outputs = (json.loads(about[key]) for key in ("arguments", "outputs"))
        defaults = read_defaults(about["defaults"])
        # without the guards of the program, one of which refuses a batch of no images
        module = program.module(check_guards=False)

        def run(given: Mapping[str, NDArray[np.generic]]) -> Arrays:
            values = defaults | dict(given)
            with torch.inference_mode():
                found = module(*(torch.from_numpy(np.asarray(values[name], order="C")) for name in inputs))
            return {name: value.numpy() for name, value in zip(outputs, found, strict=True)}

        return run

    def annotate(self, file: Path, about: Mapping[str, str]) -> None:
        program, known = _load(file)
        _save(program, file, known | dict(about))


def _save(program: torch.export.ExportedProgram, file: Path, about: Mapping[str, str]) -> None:
    program.example_inputs = None
    content = BytesIO()
    torch.export.save(program, content, extra_files={ABOUT: json.dumps(about)})
    write_bytes(file, content.getvalue())


def _load(file: Path) -> tuple[torch.export.ExportedProgram, dict[str, str]]:
    extra: dict[str, Any] = {ABOUT: ""}
    program = torch.export.load(str(file), extra_files=extra)
    return program, json.loads(extra[ABOUT])
