"""WordNet's file of nouns, and lists of ImageNet's synsets."""

from __future__ import annotations

import importlib.util
from os import PathLike
from pathlib import Path

from cladewise.errors import InputError

WORDNET_ADVICE = "ImageNet's ids are those of WordNet 3.0: Debian's package wordnet-base, in /usr/share/wordnet."
_FURTHER = {  # synsets of the tree of ImageNet's classes that timm does not list
    "n00001930": "physical entity",
    "n00002684": "object",
    "n00003553": "whole",
    "n00019128": "natural object",
    "n00019613": "substance",
    "n00020827": "matter",
    "n01428580": "soft-finned fish",
    "n02232951": "dictyopterous insect",
    "n02895606": "breathing device",
    "n03093574": "consumer goods",
    "n03169390": "decoration",
    "n03575240": "instrumentality",
    "n03795580": "movable barrier",
    "n04296261": "staff",
}


def data_noun(wordnet: str | PathLike[str]) -> Path:
    """WordNet's file of nouns, given itself or by its folder.

    Raises:
        InputError: There is none.
    """
    place = Path(wordnet).expanduser().absolute()
    file = place / "data.noun" if place.is_dir() else place
    if not file.is_file():
        raise InputError("WordNet's folder with its data.noun", "none", at=str(wordnet), advice=WORDNET_ADVICE)
    return file


def imagenet_classes() -> list[str]:
    """WordNet ids of ImageNet's thousand classes, in the order of their numbers.

    Example:
        >>> ids = imagenet_classes()
        >>> len(ids), ids[0]
        (1000, 'n01440764')
    """
    return _of_timm("imagenet_synsets.txt").split()


def first_words() -> dict[str, str]:
    """The first word of each synset of ImageNet, by its WordNet id.

    Example:
        >>> first_words()["n01440764"]
        'tench'
    """
    rows = (line.split("\t", 1) for line in _of_timm("imagenet_synset_to_lemma.txt").splitlines() if "\t" in line)
    return {**_FURTHER, **{synset: words.split(",")[0].strip() for synset, words in rows}}


def _of_timm(name: str) -> str:
    """A data file of timm, which is not imported for it.

    Raises:
        InputError: timm is not installed.
    """
    package = importlib.util.find_spec("timm")
    if package is None or package.origin is None:
        raise InputError("the package timm, which lists the classes of ImageNet", "none", advice="pip install timm")
    return (Path(package.origin).parent / "data" / "_info" / name).read_text(encoding="utf-8")
