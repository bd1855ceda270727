"""Tiny random models in the formats of their makers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

CLIP_CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


SIGMOID_CONFIG = {**CLIP_CONFIG, "custom_text": True, "init_logit_scale": 3.0, "init_logit_bias": -2.0}
"""As SigLIP: a text tower of its own, and a bias of the cosines."""


def write_clip(
    folder: Path, *, config: dict[str, Any] = CLIP_CONFIG, context: int = 12, preprocess: dict[str, Any] | None = None
) -> str:
    """A random open_clip model as open_clip keeps one in a folder; the name that it is loaded by.

    Args:
        folder: The folder.
        config: The architecture.
        context: Number of tokens of a text.
        preprocess: Further entries of ``preprocess_cfg``.
    """
    open_clip = pytest.importorskip("open_clip")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    sizes = {key: value for key, value in config.items() if key != "custom_text"}
    sizes = {**sizes, "text_cfg": {**sizes["text_cfg"], "context_length": context}}
    made = (open_clip.CustomTextCLIP if "custom_text" in config else open_clip.CLIP)(**sizes)
    whole = {
        "model_cfg": {**config, "text_cfg": sizes["text_cfg"]},
        "preprocess_cfg": {"mean": MEAN, "std": STD, **(preprocess or {})},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    tensors = {key: value.contiguous() for key, value in made.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "open_clip_model.safetensors")
    return f"open_clip:local-dir:{folder}"


def write_bert(folder: Path) -> str:
    """A random BERT and its tokenizer as transformers keeps them; the name that it is loaded by."""
    transformers = pytest.importorskip("transformers")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "wood", "wren", "fern"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=16, **sizes)
    transformers.BertModel(config).save_pretrained(folder)
    return f"transformers:{folder}"
