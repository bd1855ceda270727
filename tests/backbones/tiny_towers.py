"""Tiny random models in the formats of their makers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

CLIP_CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


def write_clip(folder: Path) -> str:
    """A random open_clip model as open_clip keeps one in a folder; the name that it is loaded by."""
    open_clip = pytest.importorskip("open_clip")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    config = {"model_cfg": CLIP_CONFIG, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    tensors = {key: value.contiguous() for key, value in open_clip.CLIP(**CLIP_CONFIG).state_dict().items()}
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
