#!/usr/bin/env bash
# timm 1.0.31, torchvision 0.29.1: with the same seed, two models with different numbers of classes share no backbone weight.
#
# Expected: the backbone is built before the head, so its initial weights depend on the seed and not on the number of classes.
# Actual: every layer is built with PyTorch's own initialisation, the head too, and only then are the weights drawn again, from
# wherever the head has left the generator. Each drawn tensor of a ResNet, ConvNeXt or EfficientNet differs between 10 and
# 12 classes, and between 0 (no head) and 12. A timm EfficientNet also draws for a squeeze-and-excitation layer that it throws
# away (it tests whether the layer takes an argument), even if the network has none, as tf_efficientnet_lite0: a faithful
# re-implementation gets other weights from the same seed.
# Why it matters: a head per leaf, per node and per level have different widths. Trained from scratch with "the same seed", they
# are compared from different starts. Build with one number of classes and replace the head, or copy the backbone's weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet timm==1.0.31 torch==2.14.1 torchvision==0.29.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from unittest.mock import patch

import timm
import torch
import torchvision
from timm.models._efficientnet_builder import EfficientNetBuilder
from torch import nn

print(*(f"{name} {version(name)}" for name in ("timm", "torch", "torchvision")))


def weights(build, *args, **kwargs):
    """Random weights of a model built with seed 0: a tensor of one value is not drawn."""
    torch.manual_seed(0)
    model = build(*args, **kwargs)
    return {name: value for name, value in model.named_parameters() if value.unique().numel() > 1}


def shared(first, second):
    """Number of random tensors of equal name and shape, and how many of them are equal."""
    names = [name for name in first if name in second and first[name].shape == second[name].shape]
    return len(names), sum(torch.equal(first[name], second[name]) for name in names)


def reset(name, num_classes):
    model = timm.create_model(name)
    model.reset_classifier(num_classes)
    return model


for name in ("resnet18", "convnext_atto", "tf_efficientnet_lite0"):
    twelve = weights(timm.create_model, name, num_classes=12)
    for classes in (12, 10, 0):
        tensors, equal = shared(twelve, weights(timm.create_model, name, num_classes=classes))
        print(f"timm {name}: 12 and {classes} classes: {equal} of {tensors} tensors are equal")
        assert tensors >= 20 and equal == (tensors if classes == 12 else 0)
    tensors, equal = shared(weights(reset, name, 12), weights(reset, name, 10))
    print(f"timm {name}: head replaced by one of 12 and of 10 classes: {equal} of {tensors} are equal")
    assert equal == tensors
for name in ("resnet18", "mobilenet_v3_small"):
    tensors, equal = shared(*(weights(torchvision.models.get_model, name, num_classes=classes) for classes in (12, 10)))
    print(f"torchvision {name}: 12 and 10 classes: {equal} of {tensors} tensors are equal")
    assert tensors >= 20 and equal == 0

made, initialise = [], nn.Module.__init__
with patch.object(nn.Module, "__init__", lambda self, *args, **kwargs: (made.append(self), initialise(self, *args, **kwargs))[1]):
    model = timm.create_model("tf_efficientnet_lite0", num_classes=12)
kept = set(map(id, model.modules()))
dropped = [module for module in made if id(module) not in kept]
draws = sum(value.numel() for module in dropped[:1] for value in module.parameters())
print("built and not in tf_efficientnet_lite0:", [type(module).__name__ for module in dropped], f"({draws} numbers drawn)")
assert type(dropped[0]).__name__ == "SqueezeExcite" and draws == 144
assert not any(type(module).__name__ == "SqueezeExcite" for module in model.modules())

prepare = EfficientNetBuilder.__init__


def without_draws(self, *args, **kwargs):
    with torch.random.fork_rng(devices=[]):
        prepare(self, *args, **kwargs)


with patch.object(EfficientNetBuilder, "__init__", without_draws):
    plain = weights(timm.create_model, "tf_efficientnet_lite0", num_classes=12)
tensors, equal = shared(plain, weights(timm.create_model, "tf_efficientnet_lite0", num_classes=12))
print(f"tf_efficientnet_lite0 without those draws: {equal} of {tensors} tensors are equal")
assert equal == 0
PYTHON
echo "Behaviour as described."
