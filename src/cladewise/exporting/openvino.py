"""A run as OpenVINO's own pair of files, with the changes that its processor plugin needs to answer as torch does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.exporting.defaults import defaults_text, read_defaults
from cladewise.exporting.format import Arrays, Format, Session
from cladewise.exporting.graph import RunGraph, Start
from cladewise.exporting.onnx_file import check_size, program_of
from cladewise.exporting.program import reason
from cladewise.runtimes.open_vino import OpenVINO

_SECTION = "cladewise"
"""Section of a model's runtime information that holds what is known about it."""
_DEFAULTS = "defaults"


@dataclasses.dataclass(frozen=True)
class OpenVinoFormat(Format):
    """OpenVINO's files: ``.xml``, the graph, and beside it ``.bin``, the weights.

    The metadata is the section ``cladewise`` of the model's runtime information (``model.get_rt_info``). All inputs
    have to be given; their defaults are the entry ``defaults`` of that section, in JSON. Integers have 32 bits when it
    runs, and there has to be an image. It has no double precision, so some pixels of resized images are one grey level
    off, and log-probabilities from images on may be 0.02 nats off; from pixels or features on they are within 1e-4.

    OpenVINO's maximum of a row of -inf, the log-probability of what is impossible, is the lowest finite number; that
    is mended in the graph. When a file is opened, its precision is stated, which is bfloat16 by default on processors
    with AMX, and the model cache, which confuses files of equal size and time, is off.
    """

    name: ClassVar[str] = "openvino"
    suffix: ClassVar[str] = ".xml"
    beside: ClassVar[str] = ".bin"

    def write(self, graph: RunGraph, file: Path, about: Mapping[str, str]) -> None:
        runtime = OpenVINO()
        library = runtime.imported()
        check_size(graph)
        program = program_of(graph)
        for value in program.model.graph.inputs:  # it would take inputs that have defaults for constants
            program.model.graph.initializers.pop(value.name, None)
            value.const_value = None
        try:
            model = runtime.core().read_model(program.model_proto.SerializeToString())
        except Exception as error:  # of any kind, since this is a library in another language
            raise InputError("a run that OpenVINO can read", reason(error)) from error
        keep_infinities(model, library)
        _tell(model, dict(about) | {_DEFAULTS: defaults_text(graph.defaults)})
        library.save_model(model, str(file), compress_to_fp16=False)

    def open(self, file: Path, *, threads: int = 1) -> Session:
        runtime = OpenVINO()
        model = runtime.core().read_model(str(file))
        inputs, outputs = ([port.any_name for port in ports] for ports in (model.inputs, model.outputs))
        defaults = read_defaults(model.get_rt_info([_SECTION, _DEFAULTS]).astype(str))
        request: Any = runtime.compiled(file, precision="fp32", threads=threads).create_infer_request()

        def run(given: Mapping[str, NDArray[np.generic]]) -> Arrays:
            values = defaults | dict(given)
            if not len(values[inputs[0]]):
                raise InputError("at least one image for OpenVINO", "none")
            found = request.infer({name: values[name] for name in inputs})
            return {name: found[name].copy() for name in outputs}  # the next call overwrites them

        return run

    def tolerance(self, start: Start) -> float:
        # weights of resizing in single precision: a pixel in 30,000 is one grey level off
        return 0.02 if start == "images" else super().tolerance(start)

    def annotate(self, file: Path, about: Mapping[str, str]) -> None:
        library = OpenVINO().imported()
        model = OpenVINO().core().read_model(file.read_bytes(), file.with_suffix(self.beside).read_bytes())
        _tell(model, about)
        library.save_model(model, str(file), compress_to_fp16=False)


def _tell(model: Any, about: Mapping[str, str]) -> None:
    for key, value in about.items():
        model.set_rt_info(value, [_SECTION, key])


def keep_infinities(model: Any, library: Any) -> None:
    """Change a model so that the largest of several -inf is -inf, and the smallest of several inf is inf.

    OpenVINO begins with the lowest or highest finite number, and so finds that one.

    Args:
        model: An ``openvino.Model``, changed in place.
        library: The package.
    """
    ops = library.opset13
    for node in model.get_ordered_ops():
        kind, name = node.get_output_element_type(0), node.get_type_name()
        if name not in ("ReduceMax", "ReduceMin") or not kind.is_real():
            continue
        sign, is_beyond = (-1, ops.less_equal) if name == "ReduceMax" else (1, ops.greater_equal)
        users, found = node.output(0).get_target_inputs(), node.output(0)
        start, infinity = (ops.constant(np.float32(sign * size), kind) for size in (np.finfo(np.float32).max, np.inf))
        mended = ops.select(is_beyond(found, start), infinity, found)
        for user in users:
            user.replace_source_output(mended.output(0))
        names = found.get_names()
        found.set_names(set())
        mended.output(0).set_names(names)
