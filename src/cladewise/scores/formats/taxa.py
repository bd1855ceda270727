"""Classes that files give by their ranks, or by label lines of several fields."""

from __future__ import annotations

from collections.abc import Sequence

from cladewise.scores.classes import ScoredClass

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
"""Ranks whose columns together give a class, coarse to fine."""


def by_ranks(names: Sequence[str], common: str = "") -> ScoredClass:
    """The class of names at some ranks, coarse to fine; blank ranks are skipped, and the finest name is the class.

    Example:
        >>> found = by_ranks(["Animalia", "", "Turdus", "Turdus merula"], "Blackbird")
        >>> found.labels, found.lineage
        (('Turdus merula', 'Blackbird'), ('Animalia', 'Turdus'))
    """
    filled = [name.strip() for name in names if name.strip()]
    common = common.strip()
    if not filled:
        return ScoredClass(common)
    labels = (filled[-1], common) if common and common != filled[-1] else (filled[-1],)
    return ScoredClass("/".join(filled), labels, tuple(filled[:-1]))


def is_label_line(text: str) -> bool:
    """Whether a text is a label of SpeciesNet: seven fields with semicolons between.

    Example:
        >>> is_label_line("ab;aves;passeriformes;turdidae;turdus;merula;blackbird"), is_label_line("a;b")
        (True, False)
    """
    return text.count(";") == 6


def by_label_line(text: str) -> ScoredClass:
    """The class of a SpeciesNet label, ``uuid;class;order;family;genus;species;common name``.

    Its labels are the uuid, the name at the finest rank, a species by genus and epithet, and the common name.

    Example:
        >>> found = by_label_line("ab12;aves;passeriformes;turdidae;turdus;merula;common blackbird")
        >>> found.text, found.labels
        ('common blackbird', ('ab12', 'Turdus merula', 'turdus merula', 'common blackbird'))
    """
    uuid, *taxa, common = [field.strip() for field in text.split(";")]
    *higher, genus, epithet = taxa
    ranks = [*higher, genus] + ([f"{genus} {epithet}"] if epithet else [])
    filled = [name for name in ranks if name]
    labels = [uuid, *([filled[-1].capitalize(), filled[-1]] if filled else []), common]
    kept = tuple(dict.fromkeys(label for label in labels if label))
    return ScoredClass(common or (filled[-1] if filled else uuid), kept, tuple(filled[:-1]))
