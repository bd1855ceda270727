#!/usr/bin/env bash
# open_clip 3.3.0: a model whose weights are missing is made with random ones, which differ each time.
#
# Expected: an error, as for a model whose configuration is missing, or as `create_model_from_pretrained` gives it.
# Actual: a folder (or repository on the hub) with open_clip_config.json and no weights, such as one whose download ended in
# between, gives a model from `create_model_and_transforms`, the call of model cards, with a line in the log. Its answers are
# those of noise, and change from process to process. A misspelt tag of weights is an error.
# Why it matters: the probabilities of a zero-shot classifier over a label tree look alike either way: they sum to 1, and are sums
# over the leaves. Pass require_pretrained=True, or use create_model_from_pretrained.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet open_clip_torch==3.3.0 torch==2.14.1 torchvision==0.29.1
"$folder/venv/bin/python" - <<'PYTHON'
import json
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import open_clip
import torch

print("open_clip_torch", version("open_clip_torch"))
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def refused(call):
    try:
        call()
    except (RuntimeError, FileNotFoundError) as error:
        return str(error).strip().splitlines()[0]
    return None


with TemporaryDirectory() as folder:
    name = f"local-dir:{folder}"
    without_config = refused(lambda: open_clip.create_model_and_transforms(name))
    (Path(folder) / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {}}))
    image = torch.ones(1, 3, 32, 32)
    with torch.no_grad():
        first, second = (open_clip.create_model_and_transforms(name)[0].encode_image(image) for _ in range(2))
    strictly = refused(lambda: open_clip.create_model_from_pretrained(name))
    tag = refused(lambda: open_clip.create_model_and_transforms("ViT-B-32", pretrained="opneai"))
    print("without a configuration:", without_config)
    print("without weights:", first[0, :3].tolist(), "and", second[0, :3].tolist())
    print("without weights, create_model_from_pretrained:", strictly)
    print("misspelt tag:", tag)
    assert without_config and strictly and tag
    assert not torch.allclose(first, second)
PYTHON
