"""The encoder of an ONNX file in eight bits, by static quantisation."""

from __future__ import annotations

import ast
import contextlib
import logging
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.engine.run import Run
from cladewise.errors import InputError, MissingExtraError
from cladewise.exporting.pictures import Picture, run_pictures
from cladewise.exporting.program import reason
from cladewise.runtimes.graph import quietly

CALIBRATION_IMAGES = 128
"""Images from which the ranges of activations are taken."""
SCOPES = "pkg.torch.onnx.name_scopes"
"""Entry that torch's exporter keeps with each operator: the modules that it is in, the outermost first."""
OPERATORS = ("Conv", "Gemm", "MatMul", "Clip", "Relu")
"""Operators of an encoder that are quantised: products, and activations that only bound the range of their outputs."""


def calibration_pictures(run: Run) -> list[Picture]:
    """Images for calibration: of the training split, or else of the validation split.

    Raises:
        InputError: The run's images are gone.
    """
    training = run.config.training
    found = run_pictures(run, CALIBRATION_IMAGES, [training.train_split, training.val_split])
    if found is None:
        advice = "The ranges of activations are taken from training images. Export with precision='fp16' or 'fp32'."
        raise InputError("the images that the run was trained on, for int8", "none of them", advice=advice)
    return found.pictures


def quantise(file: Path, inputs: Iterable[Mapping[str, NDArray[np.generic]]]) -> None:
    """Quantise the convolutions and matrix products of an encoder, in place.

    Weights have signed eight bits with a scale per output channel, activations unsigned eight bits with one range per
    tensor, the smallest and the largest value over the calibration images. Products of two activations, as in
    attention, stay in single precision, as do preprocessing, head, inference and decision. The ranges are constants of
    the file, so the answer to an image does not depend on its batch, as it would if they were taken when it runs.

    Args:
        file: An ONNX file that torch's exporter made of a :class:`~cladewise.exporting.RunGraph`.
        inputs: The inputs for calibration, one image each.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        InputError: It cannot quantise this encoder.
    """
    try:
        from onnxruntime import quantization
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "onnx") from error

    class Reader(quantization.CalibrationDataReader):
        """Calibration inputs as onnxruntime asks for them."""

        def __init__(self) -> None:
            self.left = iter(inputs)

        def get_next(self) -> Any:
            return next(self.left, None)

    import onnx

    model = onnx.load(str(file))
    names = encoder_operators(model)
    if not names:
        raise InputError("an encoder with convolutions or matrix products for int8", "none of them")
    given = list(model.graph.input)
    del model.graph.input[1:]  # inputs with defaults, which would be warned of; their defaults stay
    try:
        with quietly(), _silent():
            quantization.quantize_static(
                model,
                str(file),
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                nodes_to_quantize=names,
                extra_options={"MatMulConstBOnly": True},
            )
    except Exception as error:  # of any kind, from each of its stages
        raise InputError("an encoder that onnxruntime can quantise", reason(error)) from error
    model = onnx.load(str(file))
    model.graph.input.extend(given[1:])
    onnx.save(model, str(file))


def encoder_operators(model: Any) -> list[str]:
    """Names of the operators of the encoder in an ONNX model that can be quantised, in the order in which they run."""
    found: list[str] = []
    for node in model.graph.node:
        scopes = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "[]")
        if node.op_type in OPERATORS and "encoder" in ast.literal_eval(scopes)[:2]:
            found.append(node.name)
    return found


@contextlib.contextmanager
def _silent() -> Generator[None]:
    """Without onnxruntime's advice on preparing a file, which torch's exporter has done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
