"""Base class of predictions: log-probabilities over nodes, and what inference, decisions and metrics ask for."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.leaf_weights import LeafWeights
from cladewise.predictions.pools import Pooling
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration
from cladewise.tracing import is_traced

Kind = TypeVar("Kind", bound="Prediction")

TransitionOrder = Literal["f2c", "c2f"]
"""Direction of transitions between levels: fine to coarse or coarse to fine."""


class Coherence(Enum):
    """How the probability of a node relates to its children's."""

    EXACT = "exact"
    """A parent is the sum of its children."""
    SUPERADDITIVE = "superadditive"
    """A parent is at least the sum of its children: nodes may own mass."""
    MONOTONE = "monotone"
    """A parent is at least each of its children."""
    NONE = "none"
    """No promise."""


class LevelLogProb(NamedTuple):
    """Log-probabilities of the nodes of one extended level, as the head gave them."""

    nodes: Int[Tensor, " level_node"]
    log_prob: Float[Tensor, "*batch level_node"]


class BestLeaf(NamedTuple):
    """The most probable leaf of each image and its log-probability."""

    node: Int[Tensor, "*batch"]
    log_prob: Float[Tensor, "*batch"]


class FewNodes(NamedTuple):
    """Some nodes of each image, sorted by image and node."""

    image: Int[Tensor, " pair"]
    node: Int[Tensor, " pair"]
    log_prob: Float[Tensor, " pair"]


class SiblingScores(NamedTuple):
    """Values by which siblings are compared with each other."""

    values: Float[Tensor, "*batch node"]
    are_logits: bool
    """Whether a child's share of its parent is the softmax of the siblings' values. Otherwise the values are
    log-probabilities, and the log of the share is the child's value minus its parent's."""


class HasTransitions(Protocol):
    """Levels that follow from each other by a matrix of transition probabilities per image."""

    @property
    def order(self) -> TransitionOrder:
        """``"f2c"`` where finer levels lead to coarser ones, ``"c2f"`` the other way round."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that take part, ascending."""
        ...

    def transition_sum(self, level: int) -> Float[Tensor, "coarse fine"]:
        """Sum over the images of the transition matrices between a level and the next finer one that takes part."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction(ABC):
    """Log-probabilities over the nodes of a taxonomy for a batch of images, computed on first use.

    Subclasses are frozen dataclasses whose tensor fields have the batch dimensions first. All other values follow from
    the fields, so a prediction can be sliced, moved and saved by its fields alone. Every subclass is registered under
    its class name, by which stored scores name it, so names must be unique.

    Rules never ask for the class of a prediction. A kind that differs from the defaults below overrides
    :meth:`leaf_scores`, :meth:`best_leaf`, :meth:`sibling_scores`, :meth:`scores_up_to`, :meth:`weighted` and the rest.
    """

    taxonomy: Taxonomy

    registered: ClassVar[dict[str, type[Prediction]]] = {}
    """All subclasses by class name, abstract ones included."""
    is_stored: ClassVar[bool] = True
    """Whether scores of this kind can be stored; false for a view of another prediction."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        other = Prediction.registered.get(cls.__name__)
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise InputError(
                "a class name of its own for each kind of prediction",
                f"{cls.__module__}.{cls.__qualname__}, a second {cls.__name__} after {other.__module__}",
                advice="Stored scores name their kind by its class name.",
            )
        Prediction.registered[cls.__name__] = cls

    @property
    @abstractmethod
    def coherence(self) -> Coherence:
        """How :attr:`log_prob` of a parent relates to that of its children."""

    @property
    @abstractmethod
    def logits(self) -> Float[Tensor, "*batch out"]:
        """Raw scores from the head, the input of a loss."""

    @property
    @abstractmethod
    def scored_nodes(self) -> Int[Tensor, " score"]:
        """Node that each of the :attr:`logits` of the :meth:`settled` prediction scores; a node may have several."""

    @cached_property
    @abstractmethod
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        """Log-probability, in nats, that the image belongs at or under each node; 0 at the root."""

    # ---------------------------------------------------------------- derived from these

    @property
    def upper_log_prob(self) -> Float[Tensor, "*batch node"]:
        """Upper bound of :attr:`log_prob`, which is a lower bound for lists of the best nodes; elsewhere its equal."""
        return self.log_prob

    def settled(self) -> Prediction:
        """The same prediction without what only losses need: the form that is stored and that rules work on."""
        return self

    @property
    def logit_nodes(self) -> Int[Tensor, "out role"]:
        """Node or nodes that each of the :attr:`logits` refers to, one column per role; -1 for none.

        The order among logits of the same nodes does not depend on the order of siblings.
        """
        return self.scored_nodes[:, None]

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        r"""Log-probability that the image belongs at the node itself and not below it; -inf if impossible.

        By default the mass that the children leave: :math:`\log \max(0, p_v - \sum_{c \in C(v)} p_c)`. These
        sum to 1 only for coherent heads.
        """
        p = self.log_prob.exp()
        parents = ops.tree_index(self.taxonomy, self.device).parents[1:]
        return (p - torch.zeros_like(p).index_add(-1, parents, p[..., 1:])).clamp_min(0.0).log()

    @property
    def batch_shape(self) -> torch.Size:
        """Shape of the batch."""
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        """Device that the scores live on."""
        return self.logits.device

    @property
    def precision(self) -> torch.dtype:
        """Precision of the log-probabilities."""
        return self.log_prob.dtype

    @property
    def values_per_image(self) -> int:
        """Values per image that rules hold in memory when they ask for a few nodes: one per node, fewer for lists."""
        return self.taxonomy.num_nodes

    def before_slicing(self) -> None:
        """Compute what slices share, so that it is not computed again for each of them: the log-probabilities."""
        _ = self.log_prob

    def log_prob_of(self, nodes: Int[Tensor, "*batch k"]) -> Float[Tensor, "*batch k"]:
        """Log-probability at or under a few nodes of each image."""
        return self.log_prob.gather(-1, nodes)

    def log_prob_at(self, image: Int[Tensor, " pair"], node: Int[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        """Log-probability at or under a node of an image, for some pairs; the prediction has a single batch axis."""
        return self.log_prob[image, node]

    def best_among(self, eligible: Bool[Tensor, " node"]) -> Float[Tensor, " image"]:
        """Largest log-probability of an eligible node per image; the prediction has a single batch axis."""
        closed = self.log_prob.new_zeros(len(eligible)).masked_fill_(~eligible, -torch.inf)
        return (self.log_prob + closed).amax(-1)

    def nodes_above(self, eligible: Bool[Tensor, " node"], bar: Float[Tensor, " image"]) -> FewNodes:
        """The eligible nodes of each image with a log-probability above its bar; in a single batch axis.

        Args:
            eligible: Which nodes count.
            bar: Log-probability that is to be exceeded, in nats, for each image.
        """
        log_prob = self.log_prob
        if len(log_prob) == 0:
            none = torch.zeros(0, dtype=torch.int64, device=self.device)
            return FewNodes(none, none, bar)
        # most nodes are below the bar for all images: they are dropped before single values are compared
        somewhere = torch.nonzero((log_prob.amax(0) > bar.min()) & eligible).squeeze(1)
        values = log_prob.index_select(1, somewhere)
        kept = values > bar[:, None]
        image, column = torch.nonzero(kept).unbind(1)
        return FewNodes(image, somewhere[column], values[kept])

    def prob_outside(self, image: Int[Tensor, " pair"], node: Int[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        r"""Probability that an image does *not* belong at or under a node, in double precision, for some pairs.

        Where it is tiny, one minus a probability is rounding noise, and exactly 0 once that rounds to 1. The mass of a
        coherent prediction is therefore summed outside the node, over the leaves or, if nodes own mass, over the
        nodes, so that even probabilities that all round to 1 can be told apart:

        .. math:: q_v = \sum_{l \notin B(v)} p_l \quad \text{or} \quad q_v = \sum_{u \notin De(v)} m_u

        Other kinds have :math:`q_v = -\operatorname{expm1}(\log p_v)`, as precise as their log-probabilities near 0.

        Args:
            image: Positions in the prediction, which has a single batch axis.
            node: A node for each.

        Example:
            >>> from cladewise.predictions import LeafSoftmax
            >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
            >>> sure = LeafSoftmax(t, torch.tensor([[0.0, -50.0, -100.0]]))
            >>> sure.log_prob.exp()[0, :3].tolist()
            [1.0, 1.0, 1.0]
            >>> [f"{q:.0e}" for q in sure.prob_outside(torch.tensor([0, 0, 0]), torch.tensor([0, 1, 2]))]
            ['0e+00', '4e-44', '2e-22']
        """
        if self.coherence not in (Coherence.EXACT, Coherence.SUPERADDITIVE):
            return -torch.expm1(self.log_prob[image, node].double().clamp(max=0.0))
        index = ops.tree_index(self.taxonomy, self.device)
        rows, row = image.unique(return_inverse=True)
        if self.coherence is Coherence.EXACT:
            masses = self.log_prob.index_select(0, rows).index_select(1, index.leaf_nodes)
            return ops.sum_outside(masses.double().exp_(), row, index.leaf_start[node], index.leaf_end[node])
        masses = self.own_log_prob.index_select(0, rows)
        return ops.sum_outside(masses.double().exp(), row, node, index.end[node])

    def all_outside(self) -> Float[Tensor, "image node"]:
        """:meth:`prob_outside` of all nodes of all images; the prediction has a single batch axis."""
        index = ops.tree_index(self.taxonomy, self.device)
        if self.coherence is Coherence.EXACT:
            masses = self.log_prob.index_select(1, index.leaf_nodes).double().exp()
            return ops.sums_outside(masses, index.leaf_start, index.leaf_end)
        if self.coherence is Coherence.SUPERADDITIVE:
            nodes = torch.arange(self.taxonomy.num_nodes, device=self.device)
            return ops.sums_outside(self.own_log_prob.double().exp(), nodes, index.end)
        return -ops.expm1(self.log_prob.double().clamp(max=0.0))

    def best_leaf_and_rivals(
        self, nodes: Int[Tensor, " k"]
    ) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch k"]]:
        """Position and log-probability of the most probable leaf (the first of equals), and log-probabilities of nodes.

        For nodes less probable than the best leaf, the value is only guaranteed to be below it as well, which saves
        heads of leaves most of the work. Equal predictions give equal values, whatever was computed before.
        """
        leaves = ops.tree_index(self.taxonomy, self.device).leaf_nodes
        best, place = first_largest(self.log_prob.index_select(-1, leaves))
        return place, best, self.log_prob.index_select(-1, nodes)

    @cached_property
    def scores(self) -> Float[Tensor, "*batch node"]:
        """Raw scores at every node, before any softmax; -inf where :attr:`has_score` is false."""
        full = self.logits.new_full((*self.batch_shape, self.taxonomy.num_nodes), -torch.inf)
        full[..., self.scored_nodes] = self.logits
        return full

    @cached_property
    def has_score(self) -> Bool[Tensor, " node"]:
        """Which nodes have a raw score."""
        mask = torch.zeros(self.taxonomy.num_nodes, dtype=torch.bool, device=self.device)
        mask[self.scored_nodes] = True
        return mask

    def level_log_prob(self, level: int) -> LevelLogProb:
        """Log-probabilities over the extended level ``level``, before any rule makes levels agree.

        A node with some children that skip the level has the probability of those alone there, so that the level sums
        to 1 for a coherent prediction.
        """
        nodes = torch.tensor(self.taxonomy.level_nodes(level), device=self.device)
        log_prob = self.log_prob.index_select(-1, nodes)
        if len(self.taxonomy.skipping(level)):
            _, held = held_by_skipping(self.log_prob, self.taxonomy, level)
            parents = np.unique(self.taxonomy.parents[self.taxonomy.skipping(level)])
            place = np.searchsorted(self.taxonomy.level_nodes(level), parents)
            log_prob = log_prob.index_copy(-1, torch.tensor(place, device=self.device), held)
        return LevelLogProb(nodes, log_prob)

    # ---------------------------------------------------------------- used by rules

    def ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` best labels of each image, best first: the leaves, or all nodes where all nodes compete."""
        return self.leaf_ranking(k)

    def leaf_ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` most probable leaves of each image, best first."""
        leaves = ops.tree_index(self.taxonomy, self.device).leaf_nodes
        return best_nodes(self.leaf_order(), leaves, k)

    def leaf_order(self) -> Float[Tensor, "*batch leaf"]:
        """Values by which the leaves are ranked, of equals the first: their log-probabilities, or what orders alike."""
        return self.log_prob[..., ops.tree_index(self.taxonomy, self.device).leaf_nodes]

    def best_leaf(self) -> BestLeaf:
        """The most probable leaf of each image, the first of equals."""
        leaves = ops.tree_index(self.taxonomy, self.device).leaf_nodes
        log_prob = self.log_prob[..., leaves]
        best = log_prob.argmax(-1, keepdim=True)
        return BestLeaf(leaves[best.squeeze(-1)], log_prob.gather(-1, best).squeeze(-1))

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        """Logits by which each leaf competes with all other leaves; see :class:`~cladewise.inference.BottomUp`.

        By default the log-probability of the leaf if the prediction is coherent, otherwise its raw score.

        Raises:
            InputError: The head has no score for some leaf.
        """
        leaves = ops.tree_index(self.taxonomy, self.device).leaf_nodes
        if self.taxonomy.num_nodes == 1:
            return ops.at_least_float(self.logits).new_zeros(*self.batch_shape, 1)
        if self.coherence is Coherence.EXACT:
            return self.log_prob[..., leaves]
        if not is_traced() and not bool(self.has_score[leaves].all()):
            raise InputError("a head that scores every leaf", type(self).__name__)
        return self.scores[..., leaves]

    def raw_leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        """:meth:`leaf_scores` before any softmax, so that their size tells how well an image fits the leaves at all.

        Raises:
            InputError: The head has no score for some leaf.
        """
        return self.leaf_scores()

    def sibling_scores(self) -> SiblingScores:
        """The values by which the children of a node compete: by default their log-probabilities."""
        return SiblingScores(self.log_prob, are_logits=False)

    @property
    def own_levels(self) -> tuple[int, ...]:
        """Levels at which :meth:`level_log_prob` is the head's own output; by default all of them."""
        return tuple(range(1, self.taxonomy.num_levels + 1))

    def scores_up_to(self, level: int) -> Float[Tensor, "*batch node"]:
        """Raw scores of every node; a leaf scored at several levels has its score from the finest up to ``level``."""
        return self.scores

    def weighted(self, weights: LeafWeights) -> Prediction | None:
        """The prediction with the leaves weighted; ``None`` for kinds of which only the leaves can be.

        See :class:`~cladewise.predictions.LeafWeights`.

        Raises:
            InputError: No leaf is left in some image.
        """
        return None

    def pooled_by(self, pooling: Pooling) -> Prediction | None:
        """The predictions of groups of images; ``None`` for kinds of which only the leaves can be pooled.

        Args:
            pooling: A function from log-probabilities per image to log-probabilities per group, up to a constant per
                group. See :func:`~cladewise.predictions.pooled`.

        Raises:
            InputError: Predictions of this kind cannot be pooled in this way.
        """
        return None

    def tempered_by_level(self, temperature: Float[Tensor, " level"]) -> Prediction | None:
        """The prediction at a temperature per level; ``None`` for kinds without scores that a level has for itself.

        Args:
            temperature: Divisor of the scores of each level, above 0.
        """
        return None

    def carried_over(self, change: Alteration, levels: tuple[int, ...]) -> Prediction | None:
        """The prediction over the true tree, given that all kept nodes stand for the same leaves in both trees.

        ``None`` for kinds whose form does not survive the removal of nodes.

        Args:
            change: The altered tree, which this prediction is over, and the true one.
            levels: The true tree's level for each level of the altered one; empty where their nodes differ.
        """
        return None

    @property
    def transitions(self) -> HasTransitions | None:
        """The matrices that lead from level to level; ``None`` for kinds that have none."""
        return None

    @property
    def image_vectors(self) -> Float[Tensor, "*batch dim"] | None:
        """Vectors by which a training objective compares images; ``None`` for kinds that have none."""
        return None

    # ---------------------------------------------------------------- batch operations

    def tensors(self) -> dict[str, Tensor]:
        """The tensor fields, batch first."""
        return {f.name: v for f in dataclasses.fields(self) if isinstance(v := getattr(self, f.name), Tensor)}

    def settings(self) -> dict[str, Any]:
        """The fields that are neither tensors nor the taxonomy."""
        return {
            f.name: v
            for f in dataclasses.fields(self)
            if f.name != "taxonomy" and not isinstance(v := getattr(self, f.name), Tensor)
        }

    def map(self: Kind, function: Any) -> Kind:
        """The same prediction with a function applied to every tensor field (``detach``, ``to``, slicing)."""
        return dataclasses.replace(self, **{name: function(value) for name, value in self.tensors().items()})

    def _rearranged(self: Kind, function: Any) -> Kind:
        """The same images rearranged; log-probabilities that were already computed are rearranged too."""
        other = self.map(function)
        if "log_prob" in vars(self):
            vars(other)["log_prob"] = function(self.log_prob)
        return other

    def __getitem__(self: Kind, images: Any) -> Kind:
        return self._rearranged(lambda value: value[images])

    def flat(self: Kind) -> Kind:
        """The prediction with a single batch axis."""
        dims = len(self.batch_shape)
        return self if dims == 1 else self._rearranged(lambda v: v.flatten(0, dims - 1) if dims else v.unsqueeze(0))

    def detach(self: Kind) -> Kind:
        """The prediction detached from the autograd graph."""
        return self.map(Tensor.detach)

    def to(self: Kind, *args: Any, **kwargs: Any) -> Kind:
        """The prediction on another device or in another precision."""
        return self.map(lambda value: value.to(*args, **kwargs))


def best_nodes(scores: Float[Tensor, "*batch k"], nodes: Int[Tensor, " k"], k: int) -> Int[Tensor, "*batch rank"]:
    """The ``k`` nodes with the highest scores, best first; of equal scores the first wins.

    Example:
        >>> best_nodes(torch.tensor([1.0, 2.0, 1.0, 2.0]), torch.arange(4), 3)
        tensor([1, 3, 0])
    """
    width = scores.shape[-1]
    k = min(k, width)
    if k == 1:  # argmax takes the first of equals, topk does not promise to
        return nodes[scores.argmax(-1, keepdim=True)]
    values, place = scores.topk(min(k + 1, width), dim=-1)  # one more tells whether there are equals on the edge
    place = place[..., :k].contiguous()
    tied = (values[..., 1:] == values[..., :-1]).any(-1)
    if tied.any():
        place[tied] = _first_of_equals(scores[tied], k)
    return nodes[place]


BLOCK = 128
"""Values per block in :func:`first_largest`."""


def first_largest(rows: Float[Tensor, "*batch k"]) -> tuple[Float[Tensor, "*batch"], Int[Tensor, "*batch"]]:
    """Largest value of every row and the first position that has it.

    The maximum of whole blocks comes first, then the position within the best block: a plain maximum is many times
    faster than one with its position.

    Example:
        >>> first_largest(torch.tensor([1.0, 3.0, 3.0]))
        (tensor(3.), tensor(1))
    """
    width = rows.shape[-1]
    size = min(BLOCK, width)
    whole = width - width % size
    blocks = rows[..., :whole].unflatten(-1, (-1, size)).amax(-1)
    rest = [rows[..., whole:].amax(-1, keepdim=True)] if whole < width else []
    best, block = torch.cat([blocks, *rest], -1).max(-1, keepdim=True)
    within = (block * size).clamp_max(width - size) + torch.arange(size, device=rows.device)
    first = (rows.gather(-1, within) == best).byte().argmax(-1, keepdim=True)
    return best.squeeze(-1), within.gather(-1, first).squeeze(-1)


def _first_of_equals(rows: Float[Tensor, "row k"], k: int) -> Int[Tensor, "row rank"]:
    """Places of the ``k`` largest values of each row, largest first, then by place."""
    rows = rows.nan_to_num(torch.inf, torch.inf, -torch.inf)  # largest of all, as topk has it
    least = rows.topk(k, dim=-1).values[:, -1:]
    above, equal = rows > least, rows == least
    room = k - above.sum(-1, keepdim=True)
    place = (above | (equal & (equal.cumsum(-1) <= room))).nonzero()[:, 1].view(-1, k)
    order = rows.gather(1, place).sort(dim=-1, descending=True, stable=True).indices
    return place.gather(1, order)


def held_by_skipping(
    log_prob: Float[Tensor, "*batch node"], taxonomy: Taxonomy, level: int
) -> tuple[Int[Tensor, " parent"], Float[Tensor, "*batch parent"]]:
    """Parents of the children that skip a level, ascending, and the log-probability of those children together.

    It is the sum of the children's and at most the parent's. See :meth:`cladewise.taxonomy.Taxonomy.skipping`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b", "c"), ("a", "", "d"), ("a", "", "e")])
        >>> parents, held = held_by_skipping(torch.tensor([1.0, 1.0, 0.5, 0.5, 0.25, 0.25]).log(), t, 2)
        >>> parents, held.exp()
        (tensor([1]), tensor([0.5000]))
    """
    children = taxonomy.skipping(level)
    distinct, group = np.unique(taxonomy.parents[children], return_inverse=True)
    parents, place = (torch.as_tensor(array, device=log_prob.device) for array in (distinct, group.reshape(-1)))
    values = log_prob.index_select(-1, torch.as_tensor(children.copy(), device=log_prob.device))
    held = ops.grouped_logsumexp(values, place, len(parents))
    return parents, torch.minimum(held, log_prob.index_select(-1, parents))


def check_width(logits: Tensor, expected: int, what: str) -> None:
    """Check that there is one score for each node.

    Raises:
        InputError: There is not.
    """
    if logits.ndim == 0 or logits.shape[-1] != expected:
        raise InputError(f"logits [*batch, {expected}], one per {what}", f"shape {list(logits.shape)}")


def check_a_leaf(prediction: Kind) -> Kind:
    """The prediction, if every image has a leaf whose logit is not -inf.

    Raises:
        InputError: Some image has none.
    """
    if prediction.taxonomy.num_nodes > 1 and not is_traced():
        is_leaf = ops.tree_index(prediction.taxonomy, prediction.device).height[prediction.scored_nodes] == 0
        if bool((prediction.logits[..., is_leaf] == -torch.inf).all(-1).any()):
            raise InputError("an allowed leaf that earlier rules left", "none")
    return prediction
