"""Drawing few-shot episodes: their classes, support images and query images, reproducibly from a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

ALL, INTRA = "all", "intra"
"""Episodes of all classes, and of fine classes below one coarse class."""
MOST_INTRA = 5
"""Largest number of classes of an intra-class episode."""


@dataclasses.dataclass(frozen=True)
class Episode:
    """A few-shot episode: one small classification problem.

    Args:
        classes: Node of each class, ``[way]``.
        support: Images to learn from, ``[way, shot]``.
        query: Images to classify, ``[query]``.
        answer: Index of the class of each query, ``[query]``.
    """

    classes: IntArray
    support: IntArray
    query: IntArray
    answer: IntArray


@dataclasses.dataclass(frozen=True)
class Pool:
    """Images by fine class, with the coarse class of each fine class.

    Args:
        classes: Node of each fine class.
        coarse: Node of the coarse class of each fine class.
        images: Images of each fine class.
        places: Place of each image of :attr:`images`; ``None`` if places do not matter.
        left_out: Classes with too few images.
    """

    classes: IntArray
    coarse: IntArray
    images: tuple[IntArray, ...]
    places: tuple[IntArray, ...] | None
    left_out: IntArray

    @property
    def families(self) -> list[IntArray]:
        """Positions of the fine classes of each coarse class that has several; the root does not count."""
        groups = [np.flatnonzero(self.coarse == node) for node in np.unique(self.coarse[self.coarse > 0])]
        return [group for group in groups if group.size > 1]


def make_pool(
    taxonomy: Taxonomy, nodes: IntArray, *, coarse: IntArray, shots: int, places: IntArray | None = None
) -> Pool:
    """Group images by leaf. Classes with too few images for an episode are left out.

    Args:
        taxonomy: The label tree.
        nodes: Label of each image. Images at internal nodes are ignored.
        coarse: The coarse class of each node.
        shots: Support images per class; one more image is needed as a query.
        places: Place of each image. If given, support and queries of a class are from different places.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> pool = make_pool(tree, np.array([2, 2, 3, 3, 4]), coarse=np.array([0, 1, 1, 1, 4]), shots=1)
        >>> pool.classes.tolist(), pool.left_out.tolist()
        ([2, 3], [4])
    """
    order = np.argsort(nodes, kind="stable")
    found, starts = np.unique(nodes[order], return_index=True)
    by_class = dict(zip(found.tolist(), np.split(order, starts[1:]), strict=True)) if found.size else {}
    leaves = [node for node in by_class if taxonomy.is_leaf[node]]
    enough = [node for node in leaves if _has_enough(by_class[node], shots, places)]
    return Pool(
        classes=np.array(enough, dtype=np.int64),
        coarse=coarse[np.array(enough, dtype=np.int64)],
        images=tuple(by_class[node] for node in enough),
        places=None if places is None else tuple(places[by_class[node]] for node in enough),
        left_out=np.array([node for node in leaves if node not in set(enough)], dtype=np.int64),
    )


def _has_enough(images: IntArray, shots: int, places: IntArray | None) -> bool:
    """Whether there are enough images for the support, and one more (from another place) as a query."""
    if places is None:
        return images.size > shots
    counts = np.sort(np.bincount(places[images]))[::-1]
    counts = counts[counts > 0]
    return counts.size > 1 and bool(counts[:-1].sum() >= shots)


def check_ways(ways: str) -> None:
    """Check a number of classes or kind of episode.

    Raises:
        InputError: It is neither.
    """
    if ways not in (ALL, INTRA) and not (ways.isdecimal() and int(ways) > 1):
        raise InputError(f"ways as a number from 2, {ALL} or {INTRA}", repr(ways))


def draw_episode(pool: Pool, ways: str, *, shots: int, queries: int, seed: int, number: int) -> Episode:
    """Draw an episode, determined by the seed and its number.

    Args:
        pool: The images.
        ways: Number of classes, drawn without replacement; ``"all"`` of them; or ``"intra"``: up to
            :data:`MOST_INTRA` of one coarse class, which is drawn among those with several.
        shots: Support images per class.
        queries: Largest number of queries per class; ``min(queries, available - shots)`` are drawn.
        seed: Seed of all episodes.
        number: Number of the episode.

    Raises:
        InputError: The pool does not have enough classes, or no coarse class with several.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> pool = make_pool(tree, np.array([2, 2, 3, 3, 4, 4]), coarse=np.array([0, 1, 1, 1, 4]), shots=1)
        >>> episode = draw_episode(pool, "intra", shots=1, queries=15, seed=0, number=0)
        >>> sorted(episode.classes.tolist()), episode.query.size
        ([2, 3], 2)

    References: the episodes of ANCOR (Bukchin et al., CVPR 2021, arXiv:2012.03515) and of the later work on coarse
        labels: 5-way, all-way, and "fine-grained" ones inside a coarse class.
    """
    random = np.random.default_rng((seed, number))
    if ways == ALL:
        chosen = np.arange(pool.classes.size)
    elif ways == INTRA:
        families = pool.families
        _enough(len(families), 1, "a coarse class with several fine classes")
        family = families[random.integers(len(families))]
        chosen = random.choice(family, size=min(MOST_INTRA, family.size), replace=False)
    else:
        _enough(pool.classes.size, int(ways), f"{ways} fine classes")
        chosen = random.choice(pool.classes.size, size=int(ways), replace=False)
    _enough(chosen.size, 2, "2 fine classes")
    parts = [_split(pool, each, shots, queries, random) for each in chosen.tolist()]
    sizes = [query.size for _, query in parts]
    return Episode(
        classes=pool.classes[chosen],
        support=np.stack([support for support, _ in parts]),
        query=np.concatenate([query for _, query in parts]),
        answer=np.repeat(np.arange(chosen.size), sizes),
    )


def _split(
    pool: Pool, position: int, shots: int, queries: int, random: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Support and query images of a class."""
    images = random.permutation(pool.images[position].size)
    if pool.places is None:
        chosen = pool.images[position][images]
        return chosen[:shots], chosen[shots : shots + queries]
    places = pool.places[position][images]
    known, counts = np.unique(places, return_counts=True)
    order = random.permutation(known.size)
    if counts[order[:-1]].sum() < shots:
        order = np.argsort(-counts, kind="stable")  # so that a place is left for queries
    needed = int(np.searchsorted(np.cumsum(counts[order]), shots)) + 1
    here = np.isin(places, known[order[:needed]])
    chosen = pool.images[position][images]
    return chosen[here][:shots], chosen[~here][:queries]


def _enough(found: int, wanted: int, what: str) -> None:
    if found < wanted:
        raise InputError(
            f"{what} with enough images of each",
            f"{found}",
            advice='Take another split, fewer ways= or shots=; or join splits: split="val+test".',
        )


def by_shape(episodes: Sequence[Episode]) -> dict[int, list[int]]:
    """Positions of the episodes by number of classes; those of one number are computed together."""
    found: dict[int, list[int]] = {}
    for position, episode in enumerate(episodes):
        found.setdefault(episode.classes.size, []).append(position)
    return found
