"""Right answers at every caution of a rule, and the least caution at which a promise is proven."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.decisions.caution import MOST_CAUTIOUS, Steps
from cladewise.ops import at_levels, is_ancestor, tree_index
from cladewise.statistics import fixed_sequence
from cladewise.taxonomy import Taxonomy


def right_by(
    node: Int[Tensor, " answer"], label: Int[Tensor, " answer"], taxonomy: Taxonomy, levels: Sequence[int]
) -> Bool[Tensor, "promise answer"]:
    """Whether labels lie at or under the answered nodes, and at or under those answers cut off at some levels.

    An answer cut off at a level is the deepest ancestor or self that is not finer than the level.

    Args:
        node: The answers.
        label: The true nodes.
        taxonomy: The label tree.
        levels: Levels of the further rows, from 1 on.
    """
    cut = at_levels(node, taxonomy) if levels else node[:, None]
    answers = torch.stack([node, *(cut[:, level - 1] for level in levels)])
    return is_ancestor(answers, label, taxonomy)


@dataclasses.dataclass(frozen=True, eq=False)
class Walk:
    """Numbers of right answers of a rule on some labelled images, at every caution, from the root down.

    ``right[:, 0]`` are those at the greatest caution, where every answer is the root; ``right[:, k]`` those at
    cautions just below ``caution[k - 1]``, the k-th at which any image's answer changes. One row per promise.
    """

    num_images: int
    caution: NDArray[np.float64]
    right: NDArray[np.int64]
    bits: NDArray[np.float64]
    """Sum of the information of the answers, as ``right``."""

    @classmethod
    def of(cls, steps: Steps, labels: Int[Tensor, " image"], taxonomy: Taxonomy, levels: Sequence[int] = ()) -> Walk:
        """The walk of all images that have labels; those whose label is negative are left out."""
        steps = steps.where(labels[steps.image] >= 0)
        before, label = steps.node_before(), labels[steps.image]
        num_images = int((labels >= 0).sum())
        now, then = (right_by(node, label, taxonomy, levels).long() for node in (steps.node, before))
        bits = tree_index(taxonomy, labels.device).information_bits
        order = steps.caution.argsort(descending=True)
        changes = torch.cat([(now - then).double(), (bits[steps.node] - bits[before])[None]])[:, order].cumsum(1)
        caution, total = steps.caution[order].cpu().numpy(), changes.cpu().numpy()
        last = np.append(caution[1:] != caution[:-1], True)[: len(caution)]  # images that change together
        start = np.zeros((len(total), 1))
        total = np.concatenate([start, total[:, last]], axis=1)
        return cls(num_images, caution[last], num_images + np.rint(total[:-1]).astype(np.int64), total[-1])

    def proven(self, shares: Sequence[float], confidence: float) -> int:
        """Number of places of the walk, from its beginning, at which all promises are proven.

        These are tests at *every* caution, from the greatest down, of the hypothesis that some promise is broken
        (:func:`cladewise.statistics.fixed_sequence`): the counts are constant between the places of the walk, and
        neither the family of rules nor its order depends on the images. For a continuum of rules the argument is that
        of a sequence, in the limit. Let c be the supremum of the cautions at which a promise is broken. A broken rule
        is used only if all rules above some broken one were proven, that one included; towards c these events grow,
        and each is at most as probable as that its one broken rule is proven.
        """
        return fixed_sequence(self.right, self.num_images, shares, confidence=confidence)

    def caution_at(self, places: int) -> float:
        """The least caution at which the first so many places of the walk are what is answered."""
        if places == 0:
            return MOST_CAUTIOUS
        return float(self.caution[places - 1]) if places <= len(self.caution) else -MOST_CAUTIOUS
