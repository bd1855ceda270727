from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.Image import Image
from torch import Tensor

from cladewise.backbones import Resizing, Transform
from cladewise.backbones.normalising import INTERPOLATIONS
from cladewise.backbones.transforms import EvaluationSteps, evaluation_transform, training_transform
from cladewise.errors import InputError
from cladewise.exporting.preprocessing import Preprocessing
from cladewise.runtimes.open_vino import OpenVINO

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)


def _transform(image_size: int, crop_ratio: float, interpolation: str, resize: Resizing = "shorter-side") -> Transform:
    return evaluation_transform(
        image_size, MEAN, STD, crop_ratio=crop_ratio, interpolation=interpolation, resize=resize
    )


def _levels(difference: Tensor) -> float:
    """The largest difference of normalised images, in grey levels."""
    return float((difference * torch.tensor(STD).view(-1, 1, 1) * 255).abs().max())


class _AcrossFirst(EvaluationSteps):
    """Resizes across before down for every image; Pillow 13 turns to the other order where the height shrinks most."""

    def __call__(self, picture: Image) -> Tensor:
        width, height = picture.size
        short = min(width, height)
        across, down = (self.side if self.is_square else self.side * side // short for side in (width, height))
        if self.interpolation != "nearest":
            picture = picture.resize((across, height), INTERPOLATIONS[self.interpolation])
            picture = picture.resize((across, down), INTERPOLATIONS[self.interpolation])
            left, top = (round((x - self.image_size) / 2) for x in picture.size)
            picture = picture.crop((left, top, left + self.image_size, top + self.image_size))
            return EvaluationSteps(self.image_size, self.image_size, self.interpolation, self.mean, self.std)(picture)
        return super().__call__(picture)


def _wanted(transform: Transform, pixels: np.ndarray) -> Tensor:
    height, width = pixels.shape[:2]
    steps = transform.steps
    assert isinstance(steps, EvaluationSteps)
    short = min(height, width)
    across, down = (steps.side if steps.is_square else steps.side * side // short for side in (width, height))
    if down < height and height - down > 2 * (width - across):
        transform = Transform(_AcrossFirst(*dataclasses.astuple(steps)), 0)
    return transform(PIL.Image.fromarray(pixels))


@st.composite
def pictures(draw: st.DrawFn) -> np.ndarray:
    """Noise or black and white, of any size and aspect ratio."""
    height, width = (int(2 ** draw(st.floats(0, 8.5))) for _ in range(2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return rng.choice(np.array([0, 255], np.uint8), (height, width, 3))


@given(
    pictures(),
    st.integers(1, 40),
    st.sampled_from([1.0, 0.9, 0.875, 0.5]),
    st.sampled_from([*INTERPOLATIONS]),
    st.sampled_from(get_args(Resizing)),
)
@settings(max_examples=150, deadline=None)
def test_pixels_are_those_of_pillow(
    pixels: np.ndarray, image_size: int, crop_ratio: float, interpolation: str, resize: Resizing
) -> None:
    transform = _transform(image_size, crop_ratio, interpolation, resize)
    found = Preprocessing(transform)(torch.from_numpy(pixels)[None])[0]
    assert torch.equal(found, _wanted(transform, pixels))


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (33 * 7 + 1, 7), (7, 33 * 7), (224, 224), (31, 64)])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("resize", get_args(Resizing))
def test_extreme_sizes(size: tuple[int, int], interpolation: str, resize: Resizing) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    transform = _transform(24, 0.875, interpolation, resize)
    found = Preprocessing(transform)(torch.from_numpy(pixels)[None])[0]
    width_first = _wanted(transform, np.asarray(_middle(pixels)))
    assert torch.equal(found, width_first)


def _middle(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    down, across = max(0, height - 32 * width) // 2, max(0, width - 32 * height) // 2
    return pixels[down : height - down, across : width - across]


def test_grey_pictures_have_three_equal_channels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40), dtype=np.uint8)
    transform = _transform(24, 0.875, "bicubic")
    found = Preprocessing(transform)(torch.from_numpy(pixels)[None, ..., None].expand(-1, -1, -1, 3))[0]
    assert torch.equal(found, transform(PIL.Image.fromarray(pixels)))


def test_only_transforms_of_an_evaluation() -> None:
    random = training_transform(8, MEAN, STD, augmentation="flip", crop_ratio=0.9, interpolation="bicubic")
    with pytest.raises(InputError, match="in evaluation"):
        Preprocessing(random)
    with pytest.raises(InputError, match="cut out of 8 pixels"):
        Preprocessing(Transform(EvaluationSteps(8, 9, "bicubic", MEAN, STD), 8))


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@cache
def _graph(folder: Path, interpolation: str, resize: Resizing = "shorter-side") -> Path:
    from torch.export import Dim

    file = folder / f"{interpolation}-{resize}.onnx"
    sizes = {"images": {0: Dim("batch"), 1: Dim("height", max=2**20), 2: Dim("width", max=2**20)}}
    example = torch.zeros(2, 50, 70, 3, dtype=torch.uint8)
    module = Preprocessing(_transform(24, 0.875, interpolation, resize)).eval()
    program = torch.export.export(module, (example,), dynamic_shapes=sizes)
    made = torch.onnx.export(program, dynamo=True, verbose=False)
    assert made is not None
    made.save(str(file))
    return file


@pytest.mark.parametrize(
    ("interpolation", "resize"), [*((name, "shorter-side") for name in INTERPOLATIONS), ("bicubic", "square")]
)
def test_onnxruntime_equals_torch(graphs: Path, interpolation: str, resize: Resizing) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(_graph(graphs, interpolation, resize)), options)
    module = Preprocessing(_transform(24, 0.875, interpolation, resize))
    for size in [(2, 50, 70), (1, 1, 1), (3, 1, 90), (1, 300, 5), (1, 333, 251), (0, 20, 20), (1, 24, 27)]:
        images = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        assert torch.equal(torch.from_numpy(found), module(images)), size


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_openvino_is_at_most_one_grey_level_off(graphs: Path, interpolation: str) -> None:
    """It computes weights in single precision."""
    pytest.importorskip("openvino")
    file = _graph(graphs, interpolation)
    request = OpenVINO().compiled(file, precision="fp32", threads=1).create_infer_request()
    module = Preprocessing(_transform(24, 0.875, interpolation))
    for size in [(2, 50, 70), (1, 1, 1), (3, 1, 90), (1, 300, 5), (1, 333, 251), (1, 24, 27)]:
        images = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        found = torch.from_numpy(request.infer([images.numpy()])[0].copy())
        assert _levels(found - module(images)) < 1.01, size
