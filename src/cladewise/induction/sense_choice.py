"""Choice of a sense for every class, by agreement with the senses of the other classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.induction.wordnet_words import Sense, WordNetNouns

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]

WEIGHT = 3.0
"""Weight of the agreement, chosen on lists of 30 to 1,000 words of ImageNet-22k that are not in ImageNet-1k."""
ROUNDS = 30
SETTLED = 1e-6


@dataclasses.dataclass(frozen=True)
class ChosenSense:
    """The sense chosen for a class.

    Args:
        sense: The sense, or ``None`` if no word of the name was found.
        certainty: Its probability, in (0, 1]; 0 without a sense.
        others: The other senses with their probabilities, the most probable first.
    """

    sense: Sense | None
    certainty: float = 0.0
    others: tuple[tuple[Sense, float], ...] = ()


def choose_senses(wordnet: WordNetNouns, names: Sequence[str], *, agree: bool = True) -> list[ChosenSense]:
    r"""Choose the senses of class names so that the classes of one list agree.

    The probability of a sense starts at :math:`1 / (1 + r)`, with r its rank by frequency, and is updated by the
    information that it shares with the senses of the other classes:

    .. math::
        p_c(s) \propto \frac{1}{1 + r_s} \exp \Big( w \sum_{a \succeq s} (I_a - I_{pa(a)}) \log(1 + m_a - m_a^c) \Big)

    The sum is over the synsets at or above s, :math:`I_a` is the information of a synset, :math:`m_a` the expected
    number of classes at or under it and :math:`m_a^c` the share of class c in it. One list of animals thus takes
    *crane* for a bird, one of machines for a machine.

    Args:
        wordnet: WordNet's nouns.
        names: Class names.
        agree: Whether classes influence each other; otherwise every class takes its most frequent sense.
    """
    found = [wordnet.senses(name) for name in names]
    senses = [sense for row in found for sense in row]
    owner = np.repeat(np.arange(len(found)), [len(row) for row in found])
    prior = np.array([1 / (1 + sense.rank) for sense in senses])
    p = _normalised(prior, owner, len(found))
    if agree and senses:
        p = _agreed(wordnet, np.array([sense.node for sense in senses]), owner, prior, len(found))
    chosen: list[ChosenSense] = []
    start = 0
    for row in found:
        share = p[start : start + len(row)].tolist()
        start += len(row)
        order = sorted(range(len(row)), key=lambda i: (-round(share[i], 9), row[i].rank, row[i].node))
        ranked = [(row[i], share[i]) for i in order]
        chosen.append(ChosenSense(ranked[0][0], ranked[0][1], tuple(ranked[1:])) if ranked else ChosenSense(None))
    return chosen


def _agreed(wordnet: WordNetNouns, nodes: IntArray, owner: IntArray, prior: FloatArray, num_classes: int) -> FloatArray:
    tree, information = wordnet.tree, wordnet.information()
    gain = information.copy()
    gain[1:] -= information[tree.parents[1:]]
    chains = _chains(tree.parents, nodes)  # [sense, step], -1 beyond the root
    first, second = _pairs(owner)
    p = _normalised(prior, owner, num_classes)
    for _ in range(ROUNDS):
        held = np.zeros(tree.num_nodes + 1)
        np.add.at(held, nodes + 1, p)
        held = np.cumsum(held)
        mass = held[tree.end] - held[:-1]  # [node], expected classes at or under each
        own = np.zeros(chains.shape)
        above = chains[first]
        inside = (above >= 0) & (above <= nodes[second, None]) & (nodes[second, None] < tree.end[above])
        np.add.at(own, first, inside * p[second, None])
        others = np.maximum(mass[chains] - own, 0)
        agreement = (np.where(chains >= 0, gain[chains], 0) * np.log1p(others)).sum(1)
        new = _normalised(prior * np.exp(WEIGHT * (agreement - agreement.max())), owner, num_classes)
        settled = np.abs(new - p).max() < SETTLED
        p = (new + p) / 2
        if settled:
            break
    return p


def _normalised(values: FloatArray, owner: IntArray, num_classes: int) -> FloatArray:
    totals = np.bincount(owner, weights=values, minlength=num_classes)
    return values / np.maximum(totals[owner], 1e-300)


def _chains(parents: IntArray, nodes: IntArray) -> IntArray:
    """Every node at or above each of some nodes, from itself to the root, then -1."""
    steps = [nodes]
    while (steps[-1] > 0).any():
        last = steps[-1]
        steps.append(np.where(last > 0, parents[last], -1))
    return np.stack(steps, axis=1)


def _pairs(owner: IntArray) -> tuple[IntArray, IntArray]:
    """All pairs of senses of one class, each with itself included."""
    counts = np.bincount(owner)
    starts = np.cumsum(counts) - counts
    first = np.repeat(np.arange(owner.size), counts[owner])
    within = np.arange(first.size) - np.repeat(np.cumsum(counts[owner]) - counts[owner], counts[owner])
    return first, starts[owner[first]] + within
