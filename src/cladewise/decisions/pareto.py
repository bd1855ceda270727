"""Operating points of each image: the nodes that no other beats in both probability and information."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.candidates import says_something
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.dense import most_informative_of
from cladewise.decisions.parts import in_parts
from cladewise.errors import InputError
from cladewise.ops import TreeIndex, tree_index
from cladewise.predictions import Prediction

CELLS_AT_ONCE = 1 << 21
"""Approximate number of (image, node) cells processed at a time, 8 MB in single precision."""


@dataclasses.dataclass(frozen=True, eq=False)
class ParetoSequence:
    """The operating points of a batch of images, image by image.

    Within an image the probability falls and the information rises strictly from each point to the next.
    """

    node: Int[Tensor, " point"]
    log_prob: Float[Tensor, " point"]
    """Log-probability at or under the node, in single precision and at most 0."""
    offsets: Int[Tensor, " image_and_end"]
    """The points of image ``i`` are ``offsets[i]`` to ``offsets[i + 1]``; every image has at least one."""

    @property
    def num_images(self) -> int:
        """Number of images."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int[Tensor, " image"]:
        """Number of points of each image."""
        return self.offsets.diff()

    @property
    def image(self) -> Int[Tensor, " point"]:
        """Image of each point."""
        images = torch.arange(self.num_images, device=self.node.device)
        return images.repeat_interleave(self.lengths, output_size=len(self.node))

    def __getitem__(self, images: slice) -> ParetoSequence:
        """The operating points of some images one after another."""
        start, stop, _ = images.indices(self.num_images)
        offsets = self.offsets[start : max(start, stop) + 1]
        points = slice(int(offsets[0]), int(offsets[-1]))
        return ParetoSequence(self.node[points], self.log_prob[points], offsets - offsets[0])

    def compact(self) -> ParetoSequence:
        """The same with nodes in 32 bits, for many images at a time."""
        return dataclasses.replace(self, node=self.node.int())

    def at_threshold(self, threshold: float) -> Nodes:
        r"""The most informative point of each image that is at least as probable as a threshold.

        The root if none is. The comparison allows for the rounding of sums over the tree: a few units in the last place
        below :math:`\tau` still count as :math:`\tau`.
        """
        bar = (math.log(threshold) if threshold > 0 else -math.inf) - 8 * torch.finfo(self.log_prob.dtype).eps
        reached = _ends((self.log_prob >= bar).long())
        count = reached[self.offsets[1:]] - reached[self.offsets[:-1]]
        last = self.offsets[:-1] + count.clamp_min(1) - 1
        none = count == 0
        return Nodes(self.node[last].masked_fill(none, 0), self.log_prob[last].masked_fill(none, 0.0))

    @classmethod
    def cat(cls, parts: Sequence[ParetoSequence]) -> ParetoSequence:
        """The images of several sequences, one after another."""
        lengths = torch.cat([part.lengths for part in parts])
        return cls(
            torch.cat([part.node for part in parts]), torch.cat([part.log_prob for part in parts]), _ends(lengths)
        )


def pareto_sequence(prediction: Prediction, min_prob: float = 0.0) -> ParetoSequence:
    r"""The nodes of each image that are more informative than every node that is at least as probable.

    Sorted by probability from above, then by information :math:`I(v) = \log_2 (L / |B(v)|)` from above, then by
    number, a node is kept if it is the first or exceeds the information of all before it. A node with exactly one child
    is skipped. The last point is the most probable leaf.

    Probabilities are compared in single precision, so that what differs by rounding only is a tie.

    Args:
        prediction: Of any kind; where it promises no coherence, the points need not lie on one path. They need not for
            a coherent one either, below a probability of one half.
        min_prob: Probability that a node has to exceed; 0 for no minimum. An image without such a node has the root.

    Raises:
        InputError: The minimum is not in [0, 1).

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> sequence = pareto_sequence(LeafSoftmax(t, torch.tensor([[0.6, 0.2, 0.2], [0.1, 0.2, 0.7]]).log()))
        >>> sequence.node.tolist(), sequence.offsets.tolist()
        ([0, 1, 2, 0, 4], [0, 3, 5])

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929. Its released
        code sorts all nodes of each image; here only those more probable than the best leaf are looked at.
    """
    if not 0 <= min_prob < 1:
        raise InputError("a minimum probability in [0, 1)", min_prob)
    index = tree_index(prediction.taxonomy, prediction.device)
    branching = _branching(index)
    sequences, pending = list[ParetoSequence](), list[_Candidates]()
    for part in in_parts(prediction, CELLS_AT_ONCE):
        pending.append(_candidates(part, branching, index, min_prob))
        if sum(len(part.node) for part in pending) > CELLS_AT_ONCE:
            sequences.append(_Candidates.cat(pending).undominated(index))
            pending.clear()
    if pending:
        sequences.append(_Candidates.cat(pending).undominated(index))
    return ParetoSequence.cat(sequences)


@dataclasses.dataclass(frozen=True)
class OperatingPoint(Decision):
    r"""The most informative node that is at least as probable as a threshold.

    .. math:: \hat{v} = \operatorname{lexmax}_{v:\ p_v \ge \tau,\ |C(v)| \ne 1} (I(v), p_v)

    It is the last point with :math:`p \ge \tau` of the image's :func:`pareto_sequence`, so a threshold read off an
    operating curve gives that curve's recall and precision. Where no node is that probable the answer is the root.

    Args:
        threshold: Probability :math:`\tau` that a node has to reach, in [0, 1].

    Raises:
        InputError: The threshold is not in [0, 1].

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.5, 0.3, 0.2]]).log())
        >>> [int(OperatingPoint(x)(p).node) for x in (0.5, 0.8, 0.95)]
        [2, 1, 0]

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """

    name: ClassVar[str] = "operating-point"

    threshold: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError("a threshold in [0, 1]", self.threshold, advice="Read one off the operating curve.")

    def __call__(self, prediction: Prediction) -> Nodes:
        answer = pareto_sequence(prediction).at_threshold(self.threshold)
        return Nodes(answer.node.view(prediction.batch_shape), answer.log_prob.view(prediction.batch_shape))

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The threshold, a probability."""
        return {"threshold": torch.tensor(self.threshold, dtype=torch.float64)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        taxonomy, log_prob = prediction.taxonomy, prediction.log_prob.float().clamp(max=0.0)
        bar = (numbers["threshold"].log() - 8 * torch.finfo(log_prob.dtype).eps).to(log_prob.dtype)
        eligible = says_something(tree_index(taxonomy, prediction.device)) & (log_prob >= bar)
        node = most_informative_of(eligible, log_prob, taxonomy)
        chosen = log_prob.gather(1, node[:, None]).squeeze(1)
        return Nodes(node, chosen.masked_fill(~eligible.any(1), 0.0))


def _ends(lengths: Tensor) -> Tensor:
    """Offsets of consecutive segments of these lengths, including the end."""
    offsets = lengths.new_zeros(len(lengths) + 1)
    torch.cumsum(lengths, 0, out=offsets[1:])
    return offsets


def _branching(index: TreeIndex) -> Tensor:
    """Nodes with two or more children, the most informative first; of equals the lower first."""
    nodes = torch.nonzero((index.height > 0) & says_something(index)).squeeze(1)
    return nodes[index.num_leaves_under[nodes].argsort(stable=True)]


@dataclasses.dataclass(frozen=True)
class _Candidates:
    """Nodes that may be operating points, with the indices of their images."""

    image: Tensor
    node: Tensor
    log_prob: Tensor
    num_images: int

    @classmethod
    def cat(cls, parts: Sequence[_Candidates]) -> _Candidates:
        first, images = 0, list[Tensor]()
        for part in parts:
            images.append(part.image + first)
            first += part.num_images
        nodes, log_probs = [part.node for part in parts], [part.log_prob for part in parts]
        return cls(torch.cat(images), torch.cat(nodes), torch.cat(log_probs), first)

    def undominated(self, index: TreeIndex) -> ParetoSequence:
        # what is not negative sorts as the integer with the same bits; the sum with zero rids it of the sign of -0.0
        order = ((self.image << 32) | (0.0 - self.log_prob).view(torch.int32)).sort(stable=True).indices
        image, node = self.image[order], self.node[order]
        # each image's counts lie below those of the image before, so one running minimum serves all
        leaves_under = index.num_leaves_under[node] - image * (len(index.leaf_nodes) + 1)
        keep = torch.ones_like(image, dtype=torch.bool)
        keep[1:] = leaves_under[1:] < leaves_under.cummin(0).values[:-1]
        lengths = image[keep].bincount(minlength=self.num_images)
        return ParetoSequence(node[keep], self.log_prob[order[keep]], _ends(lengths))


def _candidates(prediction: Prediction, branching: Tensor, index: TreeIndex, min_prob: float) -> _Candidates:
    """The most probable leaf of each image, and the nodes more probable than it.

    Nothing is more informative than a leaf, so after the best one, and below it, nothing is kept. Equally probable
    candidates of an image come the most informative first.
    """
    place, best, inner = prediction.best_leaf_and_rivals(branching)
    leaf = index.leaf_nodes[torch.where(best == -torch.inf, 0, place)]  # the first where all leaves are impossible
    best, inner = best.float().clamp(max=0.0), inner.float().clamp(max=0.0)
    images = torch.arange(len(leaf), device=leaf.device)
    if min_prob > 0:
        least = math.log(min_prob)
        beats, above = inner > best.clamp_min(least)[:, None], best > least
        alone = ~above & ~beats.any(1)
        root = prediction.log_prob_of(torch.zeros_like(leaf)[:, None]).float().squeeze(1).clamp(max=0.0)
        leaf, best = leaf.masked_fill(alone, 0), torch.where(alone, root, best)
        kept = above | alone
        leaf, best, images = leaf[kept], best[kept], images[kept]
    else:
        beats = inner > best[:, None]
    image, column = beats.nonzero(as_tuple=True)
    return _Candidates(
        image=torch.cat([image, images]),
        node=torch.cat([branching[column], leaf]),
        log_prob=torch.cat([inner[image, column], best]),
        num_images=len(leaf),
    )
