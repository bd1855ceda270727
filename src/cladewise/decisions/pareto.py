"""The operating points of each image: the nodes that no other beats in probability and information at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.decision import Decision, Nodes
from cladewise.errors import InputError
from cladewise.ops import TreeIndex, tree_index
from cladewise.predictions import Prediction

CELLS_AT_ONCE = 1 << 22
"""Images are taken in parts of about this many (image, node) cells, 16 MB in single precision."""


@dataclasses.dataclass(frozen=True, eq=False)
class ParetoSequence:
    """The operating points of a batch of images, one image's after another's.

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

    def at_threshold(self, threshold: float) -> Nodes:
        r"""The most informative point of each image that is at least as probable as a threshold.

        Where none is, the root. The inequality holds up to the rounding of sums over the tree: a few units in the
        last place below :math:`\tau` still count as :math:`\tau`.
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
    says nothing that its child does not, so it is passed over. The last point is the most probable leaf.

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
    parts = [_sequence(by_node, branching, index, min_prob) for by_node in _node_major(prediction)]
    return ParetoSequence.cat(parts)


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


def _ends(lengths: Tensor) -> Tensor:
    """Where runs of these lengths start, and where the last one ends."""
    offsets = lengths.new_zeros(len(lengths) + 1)
    torch.cumsum(lengths, 0, out=offsets[1:])
    return offsets


def _branching(index: TreeIndex) -> Tensor:
    """Nodes with two children or more, the most informative first, the lower of equals first."""
    one_child = torch.zeros_like(index.parents, dtype=torch.bool)
    one_child[:-1] = (index.parents[1:] == torch.arange(len(index.parents) - 1, device=index.device)) & (
        index.end[1:] == index.end[:-1]
    )
    nodes = torch.nonzero((index.height > 0) & ~one_child).squeeze(1)
    return nodes[(index.leaf_end - index.leaf_start)[nodes].argsort(stable=True)]


def _node_major(prediction: Prediction) -> Iterator[Tensor]:
    """Log-probabilities ``[node, image]``, some images at a time; one value of the whole is used if it is there."""
    at_once = max(1, CELLS_AT_ONCE // prediction.taxonomy.num_nodes)
    if "log_prob" in vars(prediction) or len(prediction.batch_shape) != 1:
        log_prob = prediction.log_prob.reshape(-1, prediction.taxonomy.num_nodes)
        for start in range(0, max(len(log_prob), 1), at_once):
            yield log_prob[start : start + at_once].t()
        return
    for start in range(0, max(prediction.batch_shape[0], 1), at_once):
        yield prediction[start : start + at_once].log_prob.t()


def _sequence(by_node: Tensor, branching: Tensor, index: TreeIndex, min_prob: float) -> ParetoSequence:
    """Nothing is more informative than a leaf, so after the best one, and below it, nothing is kept: the candidates are
    that leaf and the nodes more probable than it."""
    best, place = by_node.index_select(0, index.leaf_nodes).float().clamp_(max=0.0).max(0)
    inner = by_node.index_select(0, branching).float().clamp_(max=0.0)
    images = torch.arange(len(best), device=best.device)
    bar, above = best, torch.ones_like(best, dtype=torch.bool)
    if min_prob > 0:
        bar, above = best.clamp_min(math.log(min_prob)), best > math.log(min_prob)
    beats = inner > bar
    row, column = beats.nonzero(as_tuple=True)
    lost = ~above & ~beats.any(0)
    image = torch.cat([column, images[above], images[lost]])
    node = torch.cat([branching[row], index.leaf_nodes[place[above]], torch.zeros_like(images[lost])])
    root = by_node[0, lost].float().clamp_(max=0.0)
    log_prob = torch.cat([inner[row, column], best[above], root])

    # what is not negative sorts as the integer with the same bits; the sum with zero rids it of the sign of -0.0
    order = ((image << 32) | (0.0 - log_prob).view(torch.int32)).sort(stable=True).indices
    image, node, log_prob = image[order], node[order], log_prob[order]
    # each image's counts lie below those of the image before, so one running minimum serves all
    leaves_under = (index.leaf_end - index.leaf_start)[node] - image * (len(index.leaf_nodes) + 1)
    fewest = leaves_under.cummin(0).values
    keep = torch.ones_like(image, dtype=torch.bool)
    keep[1:] = leaves_under[1:] < fewest[:-1]
    return ParetoSequence(node[keep], log_prob[keep], _ends(image[keep].bincount(minlength=len(images))))
