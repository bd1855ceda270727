#!/usr/bin/env bash
# peft: the adapter of torch's nn.MultiheadAttention adds the low-rank product of the output projection twice.
#
# Expected: as in every other layer, the weight in use is W + s B A with s = alpha / rank; gradients are those of that weight.
# Actual: the projections of queries, keys and values follow the formula. The output projection computes with W + 2 s B A, while
# the gradient of A and B is that of a single product. Merging gives W + 2 s B A too. In bfloat16 the first forward pass also
# changes the frozen weights, because the product is added and subtracted again.
# Why it matters: both towers of open_clip models consist of this layer, so a two-tower model that is tuned on a label tree has
# one layer in four with twice the scale and half the gradient that its settings say.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet peft==0.21.2 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

print("peft", version("peft"), "torch", version("torch"))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, tokens):
        return self.attn(tokens, tokens, tokens, need_weights=False)[0]


torch.manual_seed(0)
plain, tokens = Net(), torch.randn(2, 3, 8)
adapted = Net()
adapted.load_state_dict(plain.state_dict())
config = LoraConfig(r=2, lora_alpha=2, target_modules=["attn"], init_lora_weights=False)
inject_adapter_in_model(config, adapted)
layer = adapted.attn
packed = layer.get_delta_weight("default").detach()
output = layer.base_layer.out_proj.get_delta_weight("default").detach()
found = {}
with torch.no_grad():
    for times in (1, 2):
        by_hand = Net()
        by_hand.load_state_dict(plain.state_dict())
        by_hand.attn.in_proj_weight += packed
        by_hand.attn.out_proj.weight += times * output
        found[times] = float((by_hand(tokens) - adapted(tokens)).abs().max())
print("largest difference from W + BA:", found[1])
print("largest difference from W + 2BA:", found[2])
assert found[1] > 0.01
assert found[2] < 1e-5

wanted = adapted(tokens).sum()
factor = layer.base_layer.out_proj.lora_B["default"].weight
(gradient,) = torch.autograd.grad(wanted, factor)
with torch.no_grad():
    step = torch.randn_like(factor)
    factor += 0.01 * step
    after = adapted(tokens).sum()
    factor -= 0.02 * step
    slope = (after - adapted(tokens).sum()) / 0.02  # the output is linear in this factor
ratio = float(slope / (gradient * step).sum())
print("true derivative over the gradient:", round(ratio, 3))
assert abs(ratio - 2) < 0.01

low = Net().bfloat16()
inject_adapter_in_model(config, low)
before = low.attn.base_layer.in_proj_weight.clone()
low(tokens.bfloat16())
changed = int((low.attn.base_layer.in_proj_weight != before).sum())
print("frozen weights changed by a forward pass in bfloat16:", changed, "of", before.numel())
assert changed > 0
PYTHON
