"""Text towers of open_clip models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cladewise.backbones import clip
from cladewise.backbones.text.encoder import TextEncoder, Tokens


class ClipText(TextEncoder):
    """The text tower of an open_clip model, up to the space shared with the images.

    Args:
        name: Name as for :func:`cladewise.backbones.clip.open_clip_model`.

    Raises:
        MissingExtraError: open_clip is not installed.
        InputError: There is no such model, or its weights are not available.

    References: Ilharco et al., OpenCLIP, 2021, https://github.com/mlfoundations/open_clip.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, clip.num_features(name))
        self.tokenizer: Any = clip.tokenizer(name)
        self.model: Any = clip.open_clip_model(name)
        self.model.visual = nn.Identity()
        self._scale = math.exp(float(self.model.logit_scale.detach()))
        bias: Any = getattr(self.model, "logit_bias", None)
        self._bias = 0.0 if bias is None else float(bias.detach())
        for unused in ("logit_scale", "logit_bias"):  # the head has its own scale
            if isinstance(getattr(self.model, unused, None), nn.Parameter):
                getattr(self.model, unused).requires_grad_(False)

    @property
    def scale(self) -> float | None:
        return self._scale

    @property
    def bias(self) -> float:
        return self._bias

    def fills_context(self, tokens: Tokens) -> Bool[Tensor, " text"]:
        return tokens.ids[:, -1] != int(self.tokenizer([""])[0, -1])

    def tokens(self, texts: Sequence[str]) -> Tokens:
        ids = self.tokenizer(list(texts)) if texts else torch.zeros(0, 1, dtype=torch.int64)
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))  # the model expects a fixed length

    def forward(self, tokens: Tokens) -> Float[Tensor, "text feature"]:
        return self.model.encode_text(tokens.ids)
