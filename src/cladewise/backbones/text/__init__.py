"""Text encoders: character n-grams, any model of transformers, and the text towers of open_clip."""

from cladewise.backbones.text.encoder import TextEncoder, Tokens
from cladewise.backbones.text.loading import available, load
from cladewise.backbones.text.store import embedded_texts

__all__ = ["TextEncoder", "Tokens", "available", "embedded_texts", "load"]
