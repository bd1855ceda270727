"""The nearest pairs, across groups or all, and the farthest within a group: exact, one block of images at a time."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.progress import track

IntArray = NDArray[np.int64]
BLOCK = 1 << 24
"""Similarities that are in memory at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of vectors, the most striking first.

    Args:
        first: Index of one vector of each pair, ``[pair]``.
        second: Index of the other.
        distance: How far apart they are: 1 - cosine, 0 to 2.
    """

    first: IntArray
    second: IntArray
    distance: NDArray[np.float64]


def extreme_pairs(
    vectors: Float[Tensor, "image dim"],
    groups: Int[Tensor, " image"],
    number: int,
    *,
    within: bool,
    progress: bool = True,
) -> Pairs:
    """Pairs taken one after another, each the nearest of different groups, or the farthest within one, that is left.

    A vector is in one pair at most. What is kept of each vector are its ``2 number - 1`` best partners: pairs chosen
    before have no more vectors than that less one, so the best that is free is among them. Costs a product of all with
    all, or of each group with itself, and memory of ``number`` times the vectors in addition to one block.

    Args:
        vectors: The points; only their directions count.
        groups: A number each, not negative.
        number: Maximum number of pairs.
        within: The farthest within a group, or else the nearest of different groups.
        progress: Show a progress bar.

    Example:
        >>> vectors = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
        >>> found = extreme_pairs(vectors, torch.tensor([0, 1, 0, 1]), 2, within=False)
        >>> found.first.tolist(), found.second.tolist(), found.distance.round(3).tolist()
        ([0, 2], [1, 3], [0.005, 0.005])
        >>> extreme_pairs(vectors, torch.tensor([0, 1, 0, 1]), 1, within=True).distance.round(3).tolist()
        [1.0]
    """
    order = groups.argsort(stable=True)
    unit, group = F.normalize(vectors.float(), dim=-1)[order], groups[order]
    kept = min(2 * number - 1, max(1, len(unit) - 1))
    starts, ends = torch.searchsorted(group, group), torch.searchsorted(group, group, right=True)
    worth: list[Tensor] = []
    partner: list[Tensor] = []
    rows = max(1, BLOCK // max(1, len(unit)))
    text = "farthest of one class" if within else "nearest of different classes"
    for begin in track(range(0, len(unit), rows), text, shown=progress):
        end = min(begin + rows, len(unit))
        low, high = (int(starts[begin]), int(ends[end - 1])) if within else (0, len(unit))
        score = unit[begin:end] @ unit[low:high].mT
        score = -score if within else score
        same = group[begin:end, None] == group[low:high]
        score.masked_fill_(~same if within else same, -torch.inf)
        if within:
            score[torch.arange(end - begin), torch.arange(begin - low, end - low)] = -torch.inf
        value, place = score.topk(min(kept, high - low), dim=1)
        some = value.isfinite()
        worth.append(value[some])
        here = torch.arange(begin, end)[:, None].expand_as(place)
        partner.append(torch.stack([here[some], place[some] + low]))
    values = torch.cat(worth) if worth else torch.zeros(0)
    both = torch.cat(partner, 1) if partner else torch.zeros(2, 0, dtype=torch.int64)
    chosen = _greedy(values.numpy(), order[both].numpy(), number)
    ends_of = F.normalize(vectors[torch.from_numpy(chosen)].double(), dim=-1)
    apart = (ends_of[0] - ends_of[1]).square().sum(-1) / 2  # 1 - cosine, exact where that is near 0
    return Pairs(chosen[0], chosen[1], apart.numpy())


def close_pairs(
    vectors: Float[Tensor, "image dim"], farthest: float, *, most: int = 32, progress: bool = True
) -> Pairs:
    """All pairs of vectors that are near each other, the nearest first; the search is exact.

    Costs a product of all with all, and the memory of one block of it.

    Args:
        vectors: The points; only their directions count.
        farthest: Largest distance of a pair, 1 - cosine.
        most: Nearest partners that are kept of each vector. Pairs are missing only where a vector has more partners
            than that.
        progress: Show a progress bar.

    Example:
        >>> found = close_pairs(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.0, -1.0]]), 0.01)
        >>> found.first.tolist(), found.second.tolist(), found.distance.round(3).tolist()
        ([0], [2], [0.005])
    """
    unit = F.normalize(vectors.float(), dim=-1)
    rows, kept = max(1, BLOCK // max(1, len(unit))), min(most, max(0, len(unit) - 1))
    found = [torch.zeros(2, 0, dtype=torch.int64)]
    for begin in track(range(0, len(unit), rows), "near-duplicates", shown=progress):
        score = unit[begin : begin + rows] @ unit.mT
        here = torch.arange(len(score))
        score[here, here + begin] = -torch.inf
        value, place = score.topk(kept, dim=1)
        near = value >= 1 - farthest - 1e-6
        found.append(torch.stack([(here[:, None] + begin).expand_as(place)[near], place[near]]))
    low, high = torch.unique(torch.cat(found, 1).sort(0).values, dim=1)
    parts = [_apart(unit, low[at : at + rows], high[at : at + rows]) for at in range(0, len(low), rows)]
    apart = np.concatenate([np.zeros(0), *parts])
    order = np.lexsort((high.numpy(), low.numpy(), apart))
    order = order[apart[order] <= farthest]
    return Pairs(low.numpy()[order], high.numpy()[order], apart[order])


def _apart(unit: Tensor, first: Tensor, second: Tensor) -> NDArray[np.float64]:
    """1 - cosine of pairs of unit vectors, exact where that is near 0."""
    one, other = (F.normalize(unit[ends].double(), dim=-1) for ends in (first, second))
    return ((one - other).square().sum(-1) / 2).numpy()


def _greedy(worth: NDArray[np.float32], pairs: IntArray, number: int) -> IntArray:
    """The worthiest pairs ``[2, pair]`` of which none shares a vector with a worthier one; ties by place."""
    low, high = pairs.min(0, initial=np.iinfo(np.int64).max), pairs.max(0, initial=-1)
    ranked = np.lexsort((high, low, -worth))
    taken: set[int] = set()
    found: list[tuple[int, int]] = []
    for place in ranked:
        if len(found) == number:
            break
        pair = int(low[place]), int(high[place])
        if taken.isdisjoint(pair):
            taken.update(pair)
            found.append(pair)
    return np.array(found, dtype=np.int64).reshape(-1, 2).T
