"""A run as an ONNX file, run by onnxruntime."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from cladewise.errors import InputError, MissingExtraError
from cladewise.exporting.format import Arrays, Format, Precision, Session
from cladewise.exporting.graph import RunGraph
from cladewise.exporting.program import exported, reason
from cladewise.exporting.translations import translations
from cladewise.runtimes.graph import LARGEST, quietly

OPSET = 18
PRODUCER = "cladewise"


@dataclasses.dataclass(frozen=True)
class OnnxFormat(Format):
    """One ONNX file, written by torch's current exporter.

    All inputs but the first have the run's values as defaults: they are initializers that are graph inputs too, which
    onnxruntime lets callers override.
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "fp16", "int8")

    def write(self, graph: RunGraph, file: Path, about: Mapping[str, str]) -> None:
        check_size(graph)
        program = program_of(graph)
        model = program.model
        model.metadata_props.update(about)
        model.producer_name = PRODUCER
        program.save(str(file), external_data=False)

    def open(self, file: Path, *, threads: int = 1) -> Session:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("onnxruntime", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors alone
        try:
            session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of many kinds, since this is a library in another language
            raise InputError("a file that onnxruntime can run", reason(error), at=str(file)) from error
        names: list[str] = [output.name for output in session.get_outputs()]

        def run(inputs: Mapping[str, NDArray[np.generic]]) -> Arrays:
            found: Any = session.run(names, dict(inputs))
            return dict(zip(names, found, strict=True))

        return run

    def annotate(self, file: Path, about: Mapping[str, str]) -> None:
        import onnx

        model = onnx.load(str(file))
        known = {entry.key: entry.value for entry in model.metadata_props}
        onnx.helper.set_model_props(model, known | dict(about))
        onnx.save(model, str(file))


def check_size(graph: RunGraph) -> None:
    """Check that the weights fit into one file.

    Raises:
        InputError: They do not.
    """
    size = sum(value.numel() * value.element_size() for value in graph.state_dict().values())
    if size > LARGEST:
        advice = "A file of protobuf ends at 2 GiB: export with start='features', and run the encoder on its own."
        raise InputError("weights of less than 1.9 GB for one ONNX file", f"{size / 1e9:.1f} GB", advice=advice)


def program_of(graph: RunGraph) -> Any:
    """The ONNX program of a graph, with default values of the inputs.

    Raises:
        MissingExtraError: The exporter is not installed.
        InputError: The exporter cannot express the graph.
    """
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtraError(package, "onnx") from error
    traced_graph = exported(graph)
    try:
        with quietly(), torch.no_grad():  # kept tables may be from inference mode, which autograd refuses
            program: Any = torch.onnx.export(
                traced_graph,
                input_names=list(graph.input_names),
                output_names=list(graph.output_names),
                opset_version=OPSET,
                custom_translation_table=translations(),
                verbose=False,
            )
    except Exception as error:  # of any kind, from each of its stages
        raise InputError("a run that torch.onnx can export", reason(error)) from error
    _set_defaults(program.model, graph)
    return program


def _set_defaults(model: Any, graph: RunGraph) -> None:
    """Make initializers of all inputs but the first, which then are optional."""
    import onnx_ir

    by_name = {value.name: value for value in model.graph.inputs}
    for name, default in graph.defaults.items():
        value = by_name.get(name)
        if value is None:  # an input that nothing depends on
            continue
        value.const_value = onnx_ir.tensor(default.numpy(), name=name)
        model.graph.initializers[name] = value
