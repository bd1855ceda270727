"""Templates of texts for open_clip models: known ones by name, and ensembles of phrasings."""

from __future__ import annotations

from typing import Any, Literal, get_args

from cladewise.backbones.clip import open_clip_package
from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.class_texts import SEPARATOR
from cladewise.taxonomy.names.columns import columns_of_language

Ensemble = Literal["none", "simple", "imagenet"]
"""Phrasings around each template: itself alone, 7 or 80 of OpenAI's for ImageNet."""
COMMON = "bioclip-common"
NOUNS = {"clip": "{name}", "bioclip": "{taxonomic}", COMMON: "{taxonomic}[ with common name {name:en}]"}
"""Known templates by name, as nouns that take a phrasing."""
ALONE = {"clip": "a photo of a {}", "bioclip": "a photo of {}.", COMMON: "a photo of {}."}
"""Their phrasing without an ensemble."""


def templates(texts: str, ensemble: Ensemble, taxonomy: Taxonomy) -> str:
    """The templates of a run, separated by ``|``.

    Args:
        texts: Templates, or the name of known ones: ``clip``, ``bioclip`` or ``bioclip-common``.
        ensemble: Phrasings around each of them. ``simple`` and ``imagenet`` are OpenAI's, as open_clip has them, which
            take a noun such as ``{name}``.
        taxonomy: The label tree.

    Raises:
        InputError: There is no such ensemble, ``texts`` is no known name and has no placeholder, or the tree has no
            English names for ``bioclip-common``.
        MissingExtraError: open_clip is not installed.

    Example:
        >>> t = Taxonomy.from_paths([("bird", "wren")])
        >>> templates("bioclip", "none", t), templates("{name}", "simple", t).split("|")[1]
        ('a photo of {taxonomic}.', 'a bad photo of the {name}.')

    References: Radford et al., ICML 2021, arXiv:2103.00020, section 3.1.4 (80 phrasings; a subset of 7 in the
        released notebook); Stevens et al., BioCLIP, CVPR 2024, arXiv:2311.18803 (the same 80 around names joined from
        the kingdom to the species, with the common name after them where there is one).
    """
    if ensemble not in get_args(Ensemble):
        choices = get_args(Ensemble)
        raise InputError(f"an ensemble: {', '.join(choices)}", repr(ensemble), advice=nearest(ensemble, choices))
    if texts and "{" not in texts and texts not in NOUNS:
        expected = f"templates with placeholders such as {{name}}, or one of {', '.join(NOUNS)}"
        raise InputError(expected, repr(texts), advice=nearest(texts, NOUNS))
    if texts == COMMON:
        columns_of_language(taxonomy, "en")
    if ensemble == "none":
        return ALONE[texts].replace("{}", NOUNS[texts]) if texts in NOUNS else texts
    package: Any = open_clip_package()
    phrasings = package.SIMPLE_IMAGENET_TEMPLATES if ensemble == "simple" else package.OPENAI_IMAGENET_TEMPLATES
    nouns = [noun.strip() for noun in NOUNS.get(texts, texts).split(SEPARATOR) if noun.strip()]
    return SEPARATOR.join(str(phrasing(noun)) for noun in nouns for phrasing in phrasings)
