"""Text encoders by name."""

from __future__ import annotations

from cladewise.backbones import clip
from cladewise.backbones.text import characters, pretrained
from cladewise.backbones.text.clip import ClipText
from cladewise.backbones.text.encoder import TextEncoder
from cladewise.catalogue import nearest
from cladewise.errors import InputError


def available() -> dict[str, str]:
    """Names of text encoders, with descriptions.

    Example:
        >>> list(available())
        ['characters', 'minilm', 'transformers:MODEL', 'open_clip:MODEL']
    """
    return {
        characters.NAME: "words and character n-grams, trained from scratch; 128 features, needs no weights",
        pretrained.MINILM: "all-MiniLM-L6-v2, packaged; 384 features, extra text, needs no network",
        f"{pretrained.PREFIX}MODEL": "a model of transformers, a folder or a name on its hub; extra text",
        f"{clip.PREFIX}MODEL": "the text tower of an open_clip model, in the space of its images; extra clip",
    }


def load(name: str) -> TextEncoder:
    """A text encoder by name, with weights.

    Args:
        name: ``characters``, which needs none; ``minilm``, whose weights are a Python package; ``transformers:MODEL``
            with a folder or a name on the hub; or ``open_clip:MODEL/WEIGHTS``, ``open_clip:hf-hub:USER/NAME`` and
            ``open_clip:local-dir:FOLDER``.

    Raises:
        InputError: There is no such encoder, or its weights are not available.
        MissingExtraError: A package that it needs is not installed.

    Example:
        >>> load("characters").num_features
        128
    """
    if name == characters.NAME:
        return characters.Characters()
    if name == pretrained.MINILM:
        return pretrained.minilm()
    if name.startswith(pretrained.PREFIX):
        return pretrained.from_transformers(name, name.removeprefix(pretrained.PREFIX))
    if clip.is_clip(name):
        return ClipText(name)
    raise InputError(f"a text encoder: {', '.join(available())}", repr(name), advice=nearest(name, available()))
