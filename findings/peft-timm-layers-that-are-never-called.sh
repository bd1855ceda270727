#!/usr/bin/env bash
# peft with timm: adapters of "qkv" in BEiT, EVA and Swin V2 are trained by no image, and nothing says so.
#
# Expected: an adapter on the layer "qkv", which every vision transformer of timm has, takes part, or an error says it does not.
# Actual: in these models the attention reads the weight of "qkv" and adds a bias of its own, without calling the layer. The
# adapter is added and counted as trainable, its gradient is None, and the output does not depend on it. In a ViT the same
# setting works.
# Why it matters: BEiT and EVA are usual encoders for fine-grained classes. A run with adapters on "qkv" alone, the usual choice,
# trains the head only and looks like one that was tuned.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet peft==0.21.2 timm==1.0.31 torch==2.14.1 torchvision==0.29.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import timm
import torch
from peft import LoraConfig, get_peft_model

print("peft", version("peft"), "timm", version("timm"))
small = {
    "vit_tiny_patch16_224": {"img_size": 32, "depth": 1},
    "beit_base_patch16_224": {"img_size": 32, "depth": 1, "embed_dim": 32, "num_heads": 2},
    "eva02_tiny_patch14_224": {"img_size": 28, "depth": 1},
    "swinv2_tiny_window8_256": {"img_size": 64, "depths": (1, 1, 1, 1), "window_size": 2},
}
found = {}
for name, sizes in small.items():
    torch.manual_seed(0)
    config = LoraConfig(r=2, target_modules=["qkv"], init_lora_weights=False)
    net = get_peft_model(timm.create_model(name, num_classes=0, **sizes), config)
    features = net(torch.randn(1, 3, sizes["img_size"], sizes["img_size"]))
    head = torch.nn.Linear(features.shape[1], 5)
    head(features).square().sum().backward()
    learnt = [weight for weight in net.parameters() if weight.requires_grad]
    found[name] = sum(weight.grad is not None for weight in learnt), len(learnt)
    print(name, "adapter weights with a gradient:", "%d of %d" % found[name])
assert found["vit_tiny_patch16_224"] == (2, 2)
assert found["beit_base_patch16_224"] == (0, 2)
assert found["eva02_tiny_patch14_224"] == (0, 2)
assert found["swinv2_tiny_window8_256"] == (0, 8)
PYTHON
