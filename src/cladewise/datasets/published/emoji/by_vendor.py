"""Emoji as a dataset: Unicode's hierarchy, one drawing per vendor, and held-out vendors as the test split."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from cladewise.cache import cache_folder
from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.published.emoji.artwork import DrawingCache, Drawings
from cladewise.datasets.published.emoji.unicode import emoji_taxonomy, in_groups
from cladewise.datasets.published.emoji.vendors import LABELS, VENDORS
from cladewise.datasets.published.npm import fetch
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError

_FOOD_AND_ANIMALS = ("animals-nature", "food-drink")

GROUPS: Mapping[str, tuple[str, ...] | None] = {
    "emoji-food-animals": _FOOD_AND_ANIMALS,
    "emoji-objects": (*_FOOD_AND_ANIMALS, "travel-places", "activities", "objects"),
    "emoji": None,
}
"""Groups of each named set; None for all."""


def load_emoji(name: str, *, test: Sequence[str] = ("openmoji",), exclude: Sequence[str] = ()) -> Dataset:
    """Emoji drawings in Unicode's hierarchy, split by vendor: the styles of the test split are unseen in training.

    The drawings are fetched with the npm client on first use, and cached in :func:`cladewise.cache.cache_folder`.

    Args:
        name: ``emoji-food-animals``, ``emoji-objects``, or ``emoji`` for all.
        test: Vendors of the test split.
        exclude: Vendors to leave out, such as an earlier style of a test vendor.

    Raises:
        InputError: A vendor is unknown, none is left to train on, or the drawings cannot be fetched.
    """
    return from_drawings(DrawingCache(cache_folder(), LABELS, VENDORS, fetch), name, test=test, exclude=exclude)


def vendor_of(path: str) -> str:
    """The vendor of an image of these datasets.

    Example:
        >>> vendor_of("noto-v1/1F408.png")
        'noto-v1'
    """
    return path.partition("/")[0]


def from_drawings(
    cache: DrawingCache, name: str, *, test: Sequence[str] = ("openmoji",), exclude: Sequence[str] = ()
) -> Dataset:
    """The dataset in a cache, which is filled first if necessary; see :func:`load_emoji`."""
    test, exclude = _known(cache, test, "test"), _known(cache, exclude, "exclude")
    used = [vendor for vendor in cache.vendors if vendor not in exclude]
    if set(test) & set(exclude):
        raise InputError("test vendors that are not left out", ", ".join(sorted(set(test) & set(exclude))))
    if not test or set(used) <= set(test):
        raise InputError("a vendor to test on and another to train on", f"test={test}, exclude={exclude}")

    emoji = in_groups(cache.emoji(), GROUPS[name])
    cache.complete(used, emoji)
    taxonomy = emoji_taxonomy(emoji)
    node_by_hexcode = {hexcode: node for node, hexcode in enumerate(taxonomy.columns["hexcode"].tolist()) if hexcode}
    paths: list[str] = []
    nodes: list[int] = []
    skipped: list[Skipped] = []
    for vendor in used:
        for group in dict.fromkeys(one.group for one in emoji):
            drawings = cache.drawings(vendor, group) or Drawings((), {})
            paths += [f"{vendor}/{hexcode}.png" for hexcode in drawings.hexcodes]
            nodes += [node_by_hexcode[hexcode] for hexcode in drawings.hexcodes]
            skipped += [Skipped(f"{vendor}/{hexcode}.png", reason) for hexcode, reason in drawings.failed.items()]
    is_test = np.array([vendor_of(path) in test for path in paths], dtype=np.bool_)
    return Dataset(
        name=name,
        taxonomy=taxonomy,
        root=cache.folder,
        paths=tuple(paths),
        nodes=np.array(nodes, dtype=np.int64),
        splits={"train": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)},
        skipped=tuple(skipped),
        source={"kind": name, "test": list(test), "exclude": list(exclude)},
        credit=f"Drawings: {'; '.join(cache.vendors[vendor].credit for vendor in used)}. Names: Unicode CLDR.",
    )


def _known(cache: DrawingCache, names: Sequence[str], option: str) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in names if name not in cache.vendors]
    if unknown:
        raise InputError(f"vendors for {option}= among {', '.join(cache.vendors)}", ", ".join(map(repr, unknown)))
    return names


def _entry(name: str, description: str, groups: int, subgroups: int, emoji: int, drawings: int) -> PublishedDataset:
    return PublishedDataset(
        name=name,
        description=f"{description}; fetched with npm",
        read=functools.partial(load_emoji, name),
        facts=Facts(
            levels={"group": groups, "subgroup": subgroups, "emoji": emoji},
            images={},  # they depend on the vendors
            licence="Apache-2.0, MIT, CC-BY-4.0 and CC-BY-SA-4.0, by vendor",
            citation="Drawings of nine vendors; names and groups of the Unicode CLDR",
            where="It is downloaded on first use as npm packages of the Iconify collections.",
            notes=(f"{drawings:,} drawings with all vendors; those of OpenMoji are the test split by default.",),
        ),
        options=("test", "exclude"),
        required=(),
    )


EMOJI = (
    _entry("emoji-food-animals", "2,064 drawings of 291 emoji (animals, food) by 9 vendors", 2, 15, 291, 2064),
    _entry(
        "emoji-objects",
        "6,332 drawings of 861 emoji (animals, food, travel, activities, objects)",
        5,
        49,
        861,
        6332,
    ),
    _entry("emoji", "12,555 drawings of all 1,914 emoji by 9 vendors", 9, 98, 1914, 12555),
)
