"""Transforms of protocols from papers, against torchvision's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode

from cladewise import InputError, backbones
from cladewise.backbones.augmentation import RandomSteps
from cladewise.backbones.transforms import evaluation_transform, training_transform

MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
SIZES = ((24, 24), (21, 90), (300, 217), (5, 7), (218, 217), (1, 30))
SCALED = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(MEAN), list(STD))]


def picture(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def agree(ours: Any, theirs: Any) -> None:
    """The same steps by their texts, and the same pixels after the same seeds."""
    assert repr(ours.steps) == repr(theirs)  # a part of the keys of caches
    for size in SIZES:
        for seed in range(4):
            torch.manual_seed(seed)
            made = ours(picture(*size))
            torch.manual_seed(seed)
            expected = theirs(picture(*size))
            assert torch.equal(made, expected), (size, seed)
            assert made.stride() == expected.stride() or isinstance(ours.steps, RandomSteps), size


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest"])
@pytest.mark.parametrize("crop_ratio", [0.8145, 1.0])
def test_both_sides_are_resized_as_in_torchvision(interpolation: str, crop_ratio: float) -> None:
    side = math.floor(21 / crop_ratio)
    ours = evaluation_transform(21, MEAN, STD, crop_ratio=crop_ratio, interpolation=interpolation, resize="square")
    resize = v2.Resize((side, side), interpolation=InterpolationMode(interpolation), antialias=True)
    agree(ours, v2.Compose([resize, v2.CenterCrop(21), *SCALED]))


@pytest.mark.parametrize(("resize", "sides"), [("square", [21, 21]), ("shorter-side", [21])])
@pytest.mark.parametrize("pad", [0, 4])
def test_padding_and_a_crop_as_in_torchvision(resize: Any, sides: list[int], pad: int) -> None:
    ours = training_transform(
        21,
        MEAN,
        STD,
        augmentation="pad-crop-flip",
        crop_ratio=1.0,
        interpolation="bilinear",
        resize=resize,
        pad=pad,
    )
    resized = v2.Resize(sides, interpolation=InterpolationMode.BILINEAR, antialias=True)
    crop = v2.RandomCrop(21, padding=pad or None)
    agree(ours, v2.Compose([resized, crop, v2.RandomHorizontalFlip(), *SCALED]))


@pytest.mark.parametrize(("resize", "sides"), [("square", [23, 23]), ("shorter-side", [23])])
def test_flips_as_in_torchvision(resize: Any, sides: list[int]) -> None:
    ours = training_transform(
        21, MEAN, STD, augmentation="flip", crop_ratio=0.9, interpolation="bicubic", resize=resize
    )
    resized = v2.Resize(sides, interpolation=InterpolationMode.BICUBIC, antialias=True)
    agree(ours, v2.Compose([resized, v2.CenterCrop(21), *SCALED, v2.RandomHorizontalFlip()]))


def test_random_crops_as_in_torchvision() -> None:
    cases: list[tuple[float, Any]] = [(0.08, {}), (0.2, {"smallest": 0.2}), (1.0, {"smallest": 1.0})]
    for smallest, given in cases:
        ours = training_transform(
            21, MEAN, STD, augmentation="crop-flip", crop_ratio=0.9, interpolation="bicubic", **given
        )
        mode = InterpolationMode.BICUBIC
        crop = v2.RandomResizedCrop(21, scale=(smallest, 1.0), interpolation=mode, antialias=True)
        agree(ours, v2.Compose([crop, v2.RandomHorizontalFlip(), *SCALED]))


def test_a_larger_side_before_the_crop() -> None:
    """The protocol of 550 pixels, 8 of padding and a crop of 448, at an eighth."""
    ours = training_transform(
        56, MEAN, STD, augmentation="pad-crop-flip", crop_ratio=0.81, interpolation="bilinear", resize="square", pad=1
    )
    resized = v2.Resize([69, 69], interpolation=InterpolationMode.BILINEAR, antialias=True)
    agree(ours, v2.Compose([resized, v2.RandomCrop(56, padding=1), v2.RandomHorizontalFlip(), *SCALED]))
    assert math.floor(448 / 0.8145) == 550


@pytest.mark.parametrize("change", [{"smallest": 0.0}, {"smallest": 1.5}, {"pad": -1}])
def test_numbers_out_of_range(change: Any) -> None:
    options: Any = {"augmentation": "crop-flip", "crop_ratio": 1.0, "interpolation": "bilinear"}
    with pytest.raises(InputError, match=next(iter(change))):
        training_transform(8, MEAN, STD, **options, **change)


def test_a_backbone_takes_another_input_format() -> None:
    options: Any = {"pretrained": False, "image_size": 24}
    plain = backbones.load("test_resnet", **options)
    other = backbones.load("test_resnet", resize="square", mean=MEAN, std=STD, crop_ratio=1.0, **options)
    assert (other.mean, other.std, other.image_input.resize) == (MEAN, STD, "square")
    mode = InterpolationMode(other.image_input.interpolation)
    resize = v2.Resize((24, 24), interpolation=mode, antialias=True)
    agree(other.transform(), v2.Compose([resize, v2.CenterCrop(24), *SCALED]))
    keys = {repr(backbone.transform(train)) for backbone in (plain, other) for train in (False, True)}
    assert len(keys) == 4
    padded = {repr(other.transform(True, augmentation="pad-crop-flip", pad=pad)) for pad in (2, 4)}
    assert len(padded) == 2
    with pytest.raises(InputError, match="a resizing: shorter-side, square"):
        backbones.load("test_resnet", resize="longer-side", **options)  # type: ignore[arg-type]


def test_moco_changes_colours_greys_and_blurs() -> None:
    ours = training_transform(
        16, (0.0,) * 3, (1.0,) * 3, augmentation="moco", crop_ratio=1.0, interpolation="bicubic", smallest=0.2
    )
    names = [type(step).__name__ for step in ours.steps.transforms[:5]]  # type: ignore[attr-defined]
    assert names == ["RandomResizedCrop", "RandomApply", "RandomGrayscale", "RandomApply", "RandomHorizontalFlip"]
    assert "Blur(sigma=(0.1, 2.0))" in repr(ours.steps)
    made = torch.stack([seeded(ours, seed) for seed in range(200)])
    assert made.shape[1:] == (3, 16, 16)
    grey = (made.amax(1) - made.amin(1) < 1e-6).all((1, 2)).double().mean()
    assert 0.1 < float(grey) < 0.3  # 20%
    plain = training_transform(
        16, (0.0,) * 3, (1.0,) * 3, augmentation="crop-flip", crop_ratio=1.0, interpolation="bicubic"
    )
    rough = torch.stack([seeded(plain, seed) for seed in range(200)])
    assert float(made.diff(dim=-1).abs().mean()) < 0.8 * float(rough.diff(dim=-1).abs().mean())  # half are blurred
    assert seeded(ours, 3).equal(seeded(ours, 3))
    assert ours(picture(3, 5)).isfinite().all()


def seeded(transform: Any, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return transform(picture(30, 40))
