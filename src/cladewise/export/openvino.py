"""A run as OpenVINO's own pair of files, with the changes that its processor plugin needs to answer as torch does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.export.defaults import defaults_text, read_defaults
from cladewise.export.format import Arrays, Format, Session
from cladewise.export.graph import RunGraph
from cladewise.export.onnx_file import check_size, program_of
from cladewise.export.program import reason
from cladewise.runtimes.open_vino import OpenVINO

_SECTION = "cladewise"
"""Section of a model's runtime information that holds what is known about it."""
_DEFAULTS = "defaults"
_LOWEST = float(np.finfo(np.float32).min)


@dataclasses.dataclass(frozen=True)
class OpenVinoFormat(Format):
    """OpenVINO's files: ``.xml``, the graph, and beside it ``.bin``, the weights.

    The metadata is the section ``cladewise`` of the model's runtime information (``model.get_rt_info``). All inputs have
    to be given: the defaults are the entry ``defaults`` of that section, in JSON.

    OpenVINO starts the maximum of a row at the lowest finite number and clamps -inf to it. Both are mended in the graph,
    since -inf is the log-probability of what is impossible. When a file is opened its precision is stated, which is
    bfloat16 by default on processors with AMX, and the model cache, which confuses files of equal size and time, is off.
    """

    name: ClassVar[str] = "openvino"
    suffix: ClassVar[str] = ".xml"

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

    def annotate(self, file: Path, about: Mapping[str, str]) -> None:
        library = OpenVINO().imported()
        model = OpenVINO().core().read_model(file.read_bytes(), file.with_suffix(".bin").read_bytes())
        _tell(model, about)
        library.save_model(model, str(file), compress_to_fp16=False)


def _tell(model: Any, about: Mapping[str, str]) -> None:
    for key, value in about.items():
        model.set_rt_info(value, [_SECTION, key])


def keep_infinities(model: Any, library: Any) -> None:
    """Change a model so that -inf passes through maxima, minima and clamps to one side, as it does in torch.

    Args:
        model: An ``openvino.Model``, changed in place.
        library: The package.
    """
    mended: Mapping[str, Callable[[Any], Any]] = {
        "ReduceMax": lambda node: _unless_extreme(node, library, -np.inf),
        "ReduceMin": lambda node: _unless_extreme(node, library, np.inf),
        "Clamp": lambda node: _one_sided(node, library),
    }
    for node in model.get_ordered_ops():
        if node.get_type_name() in mended and node.get_output_element_type(0).is_real():
            replacement = mended[node.get_type_name()](node)
            if replacement is not None:
                replacement.set_friendly_name(f"{node.get_friendly_name()}_with_infinities")


def _unless_extreme(node: Any, library: Any, infinity: float) -> Any:
    """The infinity where the extreme of a row is the number that it was begun with."""
    ops, kind = library.opset13, node.get_output_element_type(0)
    users = node.output(0).get_target_inputs()
    begun_with, wanted = (ops.constant(np.float32(value), kind) for value in (np.copysign(_LOWEST, infinity), infinity))
    compare = ops.less_equal if infinity < 0 else ops.greater_equal
    chosen = ops.select(compare(node.output(0), begun_with), wanted, node.output(0))
    return _take_over(node, chosen, users)


def _one_sided(node: Any, library: Any) -> Any:
    """The smaller or larger of two numbers in place of a clamp that has a bound on one side alone."""
    ops, bounds, kind = library.opset13, node.get_attributes(), node.get_output_element_type(0)
    low, high = float(bounds["min"]), float(bounds["max"])
    if low > _LOWEST and high < -_LOWEST:
        return None
    users, source = node.output(0).get_target_inputs(), node.input(0).get_source_output()
    bound, other = (high, ops.minimum) if low <= _LOWEST else (low, ops.maximum)
    return _take_over(node, other(source, ops.constant(np.float32(bound), kind)), users)


def _take_over(node: Any, replacement: Any, users: Any) -> Any:
    for user in users:
        user.replace_source_output(replacement.output(0))
    replacement.output(0).set_names(node.output(0).get_names())
    node.output(0).set_names(set())
    return replacement
