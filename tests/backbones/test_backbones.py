from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode

from cladewise import backbones
from cladewise.backbones import lite0
from cladewise.backbones.efficientnet_lite import EfficientNet
from cladewise.backbones.transforms import evaluation_transform
from cladewise.errors import InputError

TIMM_LITE0 = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def packaged() -> backbones.Backbone:
    return backbones.load("efficientnet_lite0").eval()


def tiny(**options: object) -> backbones.Backbone:
    torch.manual_seed(0)
    return backbones.load("test_resnet", pretrained=False, image_size=32, **options).eval()  # type: ignore[arg-type]


def test_packaged_weights_answer_as_in_the_network_they_were_made_for(packaged: backbones.Backbone) -> None:
    # computed once with efficientnet_lite_pytorch 0.1.0, the port that the weights were published for
    image = torch.linspace(-1, 1, 3 * 224 * 224).reshape(1, 3, 224, 224)
    with torch.inference_mode():
        logits = backbones.imagenet_classifier()(packaged(image))[0]
    torch.testing.assert_close(logits[:5], torch.tensor([0.2660, 0.5906, 1.7197, 1.3839, 1.8400]), atol=2e-3, rtol=0)
    assert logits.topk(3).indices.tolist() == [701, 437, 540]


def test_every_packaged_tensor_has_its_place() -> None:
    tensors = lite0.state_dict()
    own = timm.create_model(TIMM_LITE0, pretrained=False).state_dict()
    assert {key: value.shape for key, value in tensors.items()} == {key: value.shape for key, value in own.items()}


@pytest.mark.parametrize("options", [{}, {"global_pool": "max"}, {"num_classes": 10}])
def test_the_default_encoder_is_timms_to_the_last_bit(options: dict[str, Any]) -> None:
    torch.manual_seed(5)
    theirs = timm.create_model(TIMM_LITE0, pretrained=False, **{"num_classes": 0, **options})
    after = torch.random.get_rng_state()
    torch.manual_seed(5)
    ours = EfficientNet(**options)
    assert torch.equal(torch.random.get_rng_state(), after)
    assert repr(ours) == repr(theirs)  # a part of the fingerprint
    for size in ((64, 64), (33, 48)):
        for training in (False, True):
            features = [network.train(training)(picture_like(size)) for network in (ours, theirs)]
            assert torch.equal(*features), (size, training)
            gradients = [
                torch.autograd.grad(f.square().sum(), n.parameters())
                for f, n in zip(features, (ours, theirs), strict=True)
            ]
            assert all(map(torch.equal, *gradients)), (size, training)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(map(torch.equal, ours.state_dict().values(), theirs.state_dict().values()))


def picture_like(size: tuple[int, int]) -> torch.Tensor:
    return torch.linspace(-1, 1, 2 * 3 * size[0] * size[1]).reshape(2, 3, *size)


def test_packaged_input_is_scaled_as_its_authors_did(packaged: backbones.Backbone) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    tensor = packaged.transform()(Image.fromarray(pixels))
    expected = (torch.from_numpy(pixels[16:-16, 16:-16].astype(np.float32)).permute(2, 0, 1) - 127) / 128
    torch.testing.assert_close(tensor, expected, atol=1e-5, rtol=0)


def test_packaged_backbone_trains_end_to_end(packaged: backbones.Backbone) -> None:
    backbone = backbones.load("efficientnet_lite0", image_size=64).train()
    before = backbone.fingerprint
    assert before == packaged.fingerprint
    optimizer = torch.optim.SGD(backbone.parameters(), lr=0.01)
    backbone(torch.randn(4, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())
    optimizer.step()
    assert backbone.fingerprint != before


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet", "mobilenetv3_small_050"])
def test_num_features_is_what_comes_out(name: str) -> None:
    backbone = backbones.load(name, pretrained=False, image_size=64).eval()
    picture = Image.new("RGB", (90, 70))
    assert backbone(backbone.transform()(picture)[None]).shape == (1, backbone.num_features)


def test_fingerprint_knows_weights_and_not_layout() -> None:
    backbone = tiny()
    fingerprint = backbone.fingerprint
    assert tiny().fingerprint == fingerprint
    assert backbone.to(memory_format=torch.channels_last).fingerprint == fingerprint
    with torch.no_grad():
        next(backbone.parameters())[0, 0, 0, 0] += 1e-3
    assert backbone.fingerprint != fingerprint


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_checkpoint_gives_the_weights_and_leaves_its_classifier_out(tmp_path: Path, suffix: str) -> None:
    model = timm.create_model("test_resnet", pretrained=False, num_classes=7)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{key}": value for key, value in model.state_dict().items()}}, path)
    else:
        safetensors.torch.save_file(model.state_dict(), path)
    backbone = backbones.load("test_resnet", checkpoint=path)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in backbone.encoder.state_dict().items())


def test_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(timm.create_model("test_vit", pretrained=False).state_dict(), path)
    with pytest.raises(
        InputError, match=r"weights of this architecture, but got blocks.* where it has conv1\.0\.weight"
    ):
        backbones.load("test_resnet", checkpoint=path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_broken_checkpoint_is_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"a file of weights.*weights{suffix}"):
        backbones.load("test_resnet", checkpoint=path)


def test_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": Path("code")}, path)
    with pytest.raises(InputError, match="a file of weights"):
        backbones.load("test_resnet", checkpoint=path)


def test_weights_out_of_reach_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", "nowhere")
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(
        InputError, match=r"no way to reach hub.invalid. Use the packaged efficientnet_lite0, give check"
    ):
        backbones.load("test_vit2")


def test_model_without_published_weights_says_so() -> None:
    name = next(name for name, text in backbones.available().items() if text.endswith("no pretrained weights"))
    with pytest.raises(InputError, match=r"a model that has none.*pretrained=False"):
        backbones.load(name)


def test_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(InputError, match=r"'resnet5O'. Did you mean resnet50"):
        backbones.load("resnet5O", pretrained=False)


def test_impossible_image_size_is_refused() -> None:
    with pytest.raises(InputError, match="an image size of at least 1 pixel, but got -1"):
        backbones.load("test_vit", pretrained=False, image_size=-1)


def test_evaluation_transform_is_the_one_of_timm() -> None:
    backbone = backbones.load("test_resnet", pretrained=False)
    config = timm.data.resolve_model_data_config(backbone.encoder)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 220, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    expected = timm.data.create_transform(**config, is_training=False)(picture)
    torch.testing.assert_close(backbone.transform()(picture), expected)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest", "random"])
def test_evaluation_transform_is_torchvisions_to_the_last_bit(interpolation: str) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    mode = InterpolationMode(interpolation if interpolation != "random" else "bicubic")
    for crop_ratio in (0.875, 1.0, 0.33):
        ours = evaluation_transform(21, mean, std, crop_ratio=crop_ratio, interpolation=interpolation)
        resize = v2.Resize(math.floor(21 / crop_ratio), interpolation=mode, antialias=True)
        scaled = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]
        theirs = v2.Compose([resize, v2.CenterCrop(21), *scaled])
        assert repr(ours.steps) == repr(theirs)  # a part of the keys of caches
        for size in ((24, 24), (21, 90), (300, 217), (5, 7), (218, 217), (1, 30)):
            pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
            made, expected = ours(Image.fromarray(pixels)), theirs(Image.fromarray(pixels))
            assert torch.equal(made, expected), (crop_ratio, size)
            assert made.stride() == expected.stride(), (crop_ratio, size)  # kernels may choose by it


def test_training_transform_varies_with_torchs_generator_alone() -> None:
    transform = tiny().transform(train=True)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8))
    views = [(torch.manual_seed(seed), transform(picture))[1] for seed in (1, 1, 2)]
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_augmentations() -> None:
    backbone = tiny()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8))
    plain = backbone.transform()(picture)
    assert torch.equal(backbone.transform(train=True, augmentation="none")(picture), plain)
    flips = [backbone.transform(train=True, augmentation="flip")(picture) for _ in range(20)]
    assert all(torch.equal(view, plain) or torch.equal(view, plain.flip(-1)) for view in flips)
    assert len({float(view[0, 0, 0]) for view in flips}) == 2
    with pytest.raises(InputError, match="an augmentation: crop-flip, pad-crop-flip, moco, flip, none"):
        backbone.transform(train=True, augmentation="mirror")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "efficientnet_lite0"])
def test_a_feature_map_can_be_pooled_by_its_maximum(name: str) -> None:
    torch.manual_seed(0)
    size = 32 if name != "test_vit" else 160
    own, largest = (
        backbones.load(name, pretrained=False, image_size=size, pooling=pooling).eval()  # type: ignore[arg-type]
        for pooling in ("own", "max")
    )
    assert own.num_features == largest.num_features
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        assert own(images).shape == largest(images).shape
        if name != "test_vit":  # where a normalisation lies between the map and the features
            encoder = largest.encoder
            head = getattr(encoder, "forward_features")(images)  # noqa: B009 -- not every module has one
            torch.testing.assert_close(largest(images), head.amax((2, 3)))
    assert own.fingerprint != largest.fingerprint


def test_packaged_weights_pool_by_the_maximum_too() -> None:
    own, largest = (backbones.load("efficientnet_lite0", pooling=pooling).eval() for pooling in ("own", "max"))  # type: ignore[arg-type]
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        assert (largest(images) >= own(images)).all()


def test_towers_keep_weights_of_their_own() -> None:
    first, second = tiny(), backbones.load("test_resnet", pretrained=False, image_size=32).eval()
    towers = backbones.Towers([first, second])
    images = torch.randn(3, 3, 32, 32)
    found = towers(images)
    assert found[:, 0].equal(first(images))
    assert found[:, 1].equal(second(images))
    assert not found[:, 0].allclose(found[:, 1])


def test_a_pooling_that_cannot_be_is_named() -> None:
    with pytest.raises(InputError, match="a pooling: own, max, but got 'mean'"):
        tiny(pooling="mean")
    with pytest.raises(InputError, match=r"by its maximum, but got levit_128s\. Choose another, or its own pooling"):
        backbones.load("levit_128s", pretrained=False, pooling="max")
