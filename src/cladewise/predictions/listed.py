"""A few nodes per image with the mass of each; where the rest is, is not known."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.leaf_weights import LeafWeights
from cladewise.predictions.pools import Pooling
from cladewise.predictions.prediction import BestLeaf, Coherence, FewNodes, Prediction, best_nodes
from cladewise.taxonomy.alteration import Alteration

SMALL = 4096
"""Values per image up to which rules always work with the listed nodes and their ancestors alone."""
LEAST = -80.0
"""Least raw score, near the smallest probability in single precision."""


@dataclasses.dataclass(frozen=True, eq=False)
class ListedNodes(Prediction):
    r"""The probabilities of a few nodes per image, such as the five best classes of a classifier.

    .. math:: \log p_v = \log \sum_{u \in De(v)} m_u, \qquad m_{root} = 1 - \sum_{u \ne root} m_u

    with the listed masses :math:`m_u`, is a lower bound of the probability at or under a node: what the list leaves out
    is somewhere in the tree, or outside of it, and remains at the root. :attr:`upper_log_prob` is the other bound, at
    which all of it is under the node.

    Masses that together exceed 1 by rounding are scaled to 1. A class at an inner node has mass of its own, apart from
    that of the classes below it.

    Args:
        taxonomy: The label tree.
        nodes: The listed nodes, all different in one image; -1 for a blank in a shorter list.
        log_mass: Log of the probability of each listed node itself; -inf at blanks.
        at_inner_nodes: Whether the classifier has classes at inner nodes. Otherwise all that is left out is at leaves,
            and a node with all its leaves in the list has nothing more under it.
        in_full: Whether the mass of a listed node is all that it has. Of a mean of lists it is not, since some may not
            list the node, nor of a weighted list, since it is not known what the weights leave of the rest.

    Raises:
        InputError: The fields differ in shape, or the nodes are no indices.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> listed = ListedNodes(t, torch.tensor([[2, 4]]), torch.tensor([[0.5, 0.25]]).log())
        >>> listed.log_prob.exp()
        tensor([[1.0000, 0.5000, 0.5000, 0.0000, 0.2500]])
        >>> listed.upper_log_prob.exp()
        tensor([[1.0000, 0.7500, 0.5000, 0.2500, 0.2500]])
    """

    nodes: Int[Tensor, "*batch k"]
    log_mass: Float[Tensor, "*batch k"]
    at_inner_nodes: bool = False
    in_full: bool = True

    def __post_init__(self) -> None:
        if self.nodes.shape != self.log_mass.shape or self.nodes.dtype != torch.int64 or not self.nodes.ndim:
            got = f"{self.nodes.dtype} {list(self.nodes.shape)} and {list(self.log_mass.shape)}"
            raise InputError("int64 nodes [*batch, k] and log-masses of the same shape", got)

    @property
    def coherence(self) -> Coherence:
        return Coherence.SUPERADDITIVE

    @property
    def batch_shape(self) -> torch.Size:
        return self.log_mass.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.log_mass.device

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        """Log of the mass of every node; -inf where it is not listed."""
        return self.own_log_prob

    @property
    def scored_nodes(self) -> Int[Tensor, " out"]:
        return torch.arange(self.taxonomy.num_nodes, device=self.device)

    @cached_property
    def elsewhere(self) -> Float[Tensor, "*batch"]:
        """Log of the probability that is not listed, together with what is listed at the root."""
        away = self._shares.masked_fill(self.nodes <= 0, -torch.inf)
        return (1 - away.exp().sum(-1)).clamp_min(0).log()

    @cached_property
    def _shares(self) -> Float[Tensor, "*batch k"]:
        """Log of the masses, scaled where they exceed 1."""
        log_mass = ops.at_least_float(self.log_mass)
        if not log_mass.shape[-1]:
            return log_mass
        return log_mass - log_mass.logsumexp(-1, keepdim=True).clamp_min(0)

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        """Log of the mass of every node; the root has all that is not listed."""
        full = self._shares.new_full((*self.batch_shape, self.taxonomy.num_nodes + 1), -torch.inf)
        full = full.scatter(-1, self.nodes + 1, self._shares)[..., 1:]  # blanks come before the root
        return torch.cat([self.elsewhere[..., None], full[..., 1:]], dim=-1)

    @cached_property
    def scores(self) -> Float[Tensor, "*batch node"]:
        r"""Log-probabilities if the mass of each node were spread evenly over the leaves under it, at least -80.

        .. math:: \log \sum_{l \in B(v)} \sum_{a \in A(l)} m_a / |B(a)|

        Rules that compare raw scores of all nodes need some for those that are not listed.
        """
        index = ops.tree_index(self.taxonomy, self.device)
        share = self.own_log_prob.exp() / index.num_leaves_under
        leaves = ops.path_sum(share, self.taxonomy).index_select(-1, index.leaf_nodes)
        return ops.leaf_subtree_sum(leaves, self.taxonomy).log().clamp_min(LEAST)

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        below = ops.subtree_logsumexp(self.own_log_prob, self.taxonomy)
        return torch.cat([torch.zeros_like(below[..., :1]), below[..., 1:].clamp_max(0)], dim=-1)

    @cached_property
    def upper_log_prob(self) -> Float[Tensor, "*batch node"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The bound at which all that is not listed is at or under the node, if anything can be."""
        rest = (1 - self._shares.exp().sum(-1)).clamp_min(0).log()
        open_bound = torch.logaddexp(self.log_prob, rest[..., None]).clamp_max(0)
        return torch.where(self._is_known, self.log_prob, open_bound)

    @property
    def _is_known(self) -> Bool[Tensor, "*batch node"]:
        """Whether nothing unlisted can be at or under a node."""
        index = ops.tree_index(self.taxonomy, self.device)
        listed = torch.zeros(*self.batch_shape, self.taxonomy.num_nodes + 1, device=self.device)
        listed = listed.scatter(-1, self.nodes + 1, 1.0)[..., 1:]
        if self.at_inner_nodes:
            size = index.end - torch.arange(self.taxonomy.num_nodes, device=self.device)
        else:
            listed, size = listed * (index.height == 0), index.num_leaves_under
        known = ops.subtree_sum(listed, self.taxonomy) == size
        known = known & self.in_full
        known[..., 0] = True
        return known

    # ---------------------------------------------------------------- used by rules

    # Only the listed nodes and their ancestors have a probability. Rules that ask for a few nodes are answered from
    # these, without a value for every node of the tree, as long as they are fewer.

    @property
    def _num_few(self) -> int:
        """Number of values per image by which a few nodes are found: a list for each ancestor of each listed node."""
        return max(1, self.nodes.shape[-1] ** 2 * ops.tree_index(self.taxonomy, self.device).max_depth)

    @property
    def _is_short(self) -> bool:
        """Whether the nodes with a probability are few compared with the tree."""
        return self.taxonomy.num_nodes > 1 and self._num_few <= max(SMALL, self.taxonomy.num_nodes)

    @property
    def values_per_image(self) -> int:
        return self._num_few if self._is_short else super().values_per_image

    def before_slicing(self) -> None:
        if not self._is_short:
            super().before_slicing()

    @cached_property
    def _ancestry(self) -> tuple[Int[Tensor, "image k step"], Float[Tensor, "image k step"]]:
        """The listed nodes and their ancestors below the root, step by step, with log-probabilities.

        A node above several listed ones counts for the first of them; for the others, and at the root, the value is
        -inf.
        """
        index, now = ops.tree_index(self.taxonomy, self.device), self.nodes.clamp_min(0)
        place = torch.arange(now.shape[-1], device=self.device)
        steps: list[Tensor] = []
        values: list[Tensor] = []
        while bool((now > 0).any()):
            under = self._are_under(now)
            is_first = under.byte().argmax(-1) == place
            log_prob = self._sum_where(under).masked_fill(~(is_first & (now > 0)), -torch.inf)
            steps.append(now)
            values.append(log_prob)
            now = index.parents[now].clamp_min(0)
        if not steps:
            return now[..., None], self._shares.new_full((*now.shape, 1), -torch.inf)
        return torch.stack(steps, -1), torch.stack(values, -1)

    def _are_under(self, nodes: Int[Tensor, "*batch q"]) -> Bool[Tensor, "*batch q k"]:
        """Whether each listed node is at or under each of some nodes of the same image."""
        end = ops.tree_index(self.taxonomy, self.device).end[nodes]
        return (self.nodes[..., None, :] >= nodes[..., None]) & (self.nodes[..., None, :] < end[..., None])

    def _sum_where(self, under: Bool[Tensor, "*batch q k"]) -> Float[Tensor, "*batch q"]:
        """Log of the sum of the masses of some of the listed nodes."""
        return self._shares[..., None, :].masked_fill(~under, -torch.inf).logsumexp(-1).clamp_max(0)

    @property
    def precision(self) -> torch.dtype:
        return self._shares.dtype

    def log_prob_of(self, nodes: Int[Tensor, "*batch k"]) -> Float[Tensor, "*batch k"]:
        if not self._is_short:
            return super().log_prob_of(nodes)
        return self._sum_where(self._are_under(nodes)).masked_fill(nodes == 0, 0.0)

    def log_prob_at(self, image: Int[Tensor, " pair"], node: Int[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        if not self._is_short:
            return super().log_prob_at(image, node)
        return self[image].log_prob_of(node[:, None]).squeeze(-1)

    def prob_outside(self, image: Int[Tensor, " pair"], node: Int[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        if not self._is_short:
            return super().prob_outside(image, node)
        here = self[image]
        listed = (here.nodes > 0) & ~here._are_under(node[:, None]).squeeze(1)
        away = here._shares.double().masked_fill(~listed, -torch.inf)
        away = torch.cat([away, here.elsewhere.double().masked_fill(node == 0, -torch.inf)[:, None]], -1)
        return away.exp().sum(-1)

    def best_among(self, eligible: Bool[Tensor, " node"]) -> Float[Tensor, " image"]:
        if not self._is_short:
            return super().best_among(eligible)
        nodes, log_prob = self._ancestry
        best = log_prob.masked_fill(~eligible[nodes], -torch.inf).flatten(1)
        return pad(best, (1, 0), value=0.0 if bool(eligible[0]) else -torch.inf).amax(-1)

    def nodes_above(self, eligible: Bool[Tensor, " node"], bar: Float[Tensor, " image"]) -> FewNodes:
        if not self._is_short:
            return super().nodes_above(eligible, bar)
        nodes, log_prob = self._ancestry
        image, place, step = torch.nonzero((log_prob > bar[:, None, None]) & eligible[nodes]).unbind(1)
        root = torch.nonzero((bar < 0) & eligible[0]).squeeze(1)
        node = torch.cat([nodes[image, place, step], torch.zeros_like(root)])
        values = torch.cat([log_prob[image, place, step], log_prob.new_zeros(len(root))])
        image = torch.cat([image, root])
        order = (image * self.taxonomy.num_nodes + node).argsort()
        return FewNodes(image[order], node[order], values[order])

    def best_leaf(self) -> BestLeaf:
        """The most probable of the listed leaves; the first leaf of the tree if none is listed."""
        if not self._is_short:
            return super().best_leaf()
        index = ops.tree_index(self.taxonomy, self.device)
        values = self._shares.masked_fill((self.nodes <= 0) | (index.height[self.nodes] > 0), -torch.inf)
        values = pad(values, (0, 1), value=-torch.inf)
        nodes = pad(self.nodes, (0, 1), value=int(index.leaf_nodes[0]))
        best = values.amax(-1, keepdim=True)
        is_best = (values == best) & ((values > -torch.inf) | (nodes == index.leaf_nodes[0]))
        first = nodes.masked_fill(~is_best, self.taxonomy.num_nodes).amin(-1)
        return BestLeaf(first, best.squeeze(-1))

    def best_leaf_and_rivals(
        self, nodes: Int[Tensor, " k"]
    ) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch k"]]:
        if not self._is_short:
            return super().best_leaf_and_rivals(nodes)
        index, best = ops.tree_index(self.taxonomy, self.device), self.best_leaf()
        above, log_prob = (values.flatten(-2) for values in self._ancestry)
        column = nodes.new_full((self.taxonomy.num_nodes,), len(nodes))
        column[nodes] = torch.arange(len(nodes), device=self.device)
        rivals = log_prob.new_full((*self.batch_shape, len(nodes) + 1), -torch.inf)
        rivals = rivals.scatter_reduce(-1, column[above], log_prob, "amax")[..., :-1]
        return index.leaf_start[best.node], best.log_prob, rivals.masked_fill(nodes == 0, 0.0)

    def ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        """The nodes with the most mass of their own, the root aside."""
        if self.taxonomy.num_nodes == 1:
            return super().ranking(k)
        if self._is_short:
            return self._ranked(self.nodes > 0, torch.arange(1, self.taxonomy.num_nodes, device=self.device), k)
        return best_nodes(self.own_log_prob[..., 1:], self.scored_nodes[1:], k)

    def leaf_ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        if not self._is_short:
            return super().leaf_ranking(k)
        index = ops.tree_index(self.taxonomy, self.device)
        return self._ranked((self.nodes > 0) & (index.height[self.nodes] == 0), index.leaf_nodes, k)

    def _ranked(
        self, are_ranked: Bool[Tensor, "*batch k"], nodes: Int[Tensor, " node"], k: int
    ) -> Int[Tensor, "*batch rank"]:
        """The best of some nodes: those that are listed by their mass, then the first others."""
        k = min(k, len(nodes))
        others, none = nodes[: k + self.nodes.shape[-1]], self.taxonomy.num_nodes
        again = (others[:, None] == self.nodes[..., None, :]).any(-1)
        listed = self.nodes.masked_fill(~are_ranked, none)
        every = torch.cat([listed, others.expand_as(again).masked_fill(again, none)], -1)
        masses = self._shares.masked_fill(~are_ranked, -torch.inf)
        values = torch.cat([masses, masses.new_full(again.shape, -torch.inf)], -1)
        order = every.argsort(dim=-1, stable=True)
        order = order.gather(-1, values.gather(-1, order).argsort(dim=-1, descending=True, stable=True))
        return every.gather(-1, order)[..., :k]

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        """The :attr:`scores` of the leaves: one that is not listed has a share of the mass above it."""
        return self.scores.index_select(-1, ops.tree_index(self.taxonomy, self.device).leaf_nodes)

    def weighted(self, weights: LeafWeights) -> Self:
        """The list with its nodes weighted, scaled to what is left; the unlisted rest stays at the root.

        Both bounds remain bounds. The rest gets the largest weight of all, since it may be at any leaf or, if that is
        ruled out, nowhere. A listed inner node gets the smallest weight of the leaves below that are not ruled out;
        what it may have more of joins the rest.

        Raises:
            InputError: Everything in some image was listed and is ruled out.
        """
        kept = self._shares + self._at_listed(weights.smallest_below)
        more = self._shares + self._at_listed(weights.largest_below)
        rest = (more.exp() - kept.exp()).clamp_min(0).masked_fill(self.nodes <= 0, 0.0).sum(-1).log()
        rest = torch.logaddexp(rest, self.elsewhere + weights.largest_below[..., 0])
        kept = kept.masked_fill(self.nodes <= 0, -torch.inf)
        left = torch.logaddexp(kept.logsumexp(-1), rest)
        if bool((left == -torch.inf).any()):
            raise InputError("an allowed leaf that earlier rules left", "none")
        return dataclasses.replace(self, log_mass=kept - left[..., None], in_full=False)

    def _at_listed(self, by_node: Float[Tensor, "*image node"]) -> Float[Tensor, "*batch k"]:
        """Values of the listed nodes; -inf at blanks."""
        padded = pad(by_node, (1, 0), value=-torch.inf)
        return padded.expand(*self.batch_shape, -1).gather(-1, self.nodes + 1)

    def pooled_by(self, pooling: Pooling) -> ListedNodes:
        """All nodes that an image of the group lists; the mean of lower bounds is one of the mean.

        Raises:
            InputError: Products and maxima need the probabilities that are not listed.
        """
        if pooling.pool != "mean":
            advice = 'Pool by the mean: pool="mean".'
            raise InputError("probabilities of all labels to pool by", "lists of the best nodes", advice=advice)
        mass = pooling(self.own_log_prob)[..., 1:]
        width = int((mass > -torch.inf).sum(-1).max()) if len(mass) else 0
        log_mass, place = mass.topk(width, dim=-1)
        nodes = torch.where(log_mass > -torch.inf, place + 1, -1)
        return dataclasses.replace(self, nodes=nodes, log_mass=log_mass, in_full=False)

    def carried_over(self, change: Alteration, levels: tuple[int, ...]) -> ListedNodes:
        """The same list with the nodes of the true tree."""
        origin = torch.as_tensor(change.origin, device=self.device)
        nodes = torch.where(self.nodes < 0, self.nodes, origin[self.nodes.clamp_min(0)])
        return dataclasses.replace(self, taxonomy=change.true, nodes=nodes)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The prediction on another device, or its masses in another precision."""
        log_mass = self.log_mass.to(*args, **kwargs)
        return dataclasses.replace(self, nodes=self.nodes.to(log_mass.device), log_mass=log_mass)
