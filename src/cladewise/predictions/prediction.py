"""The one currency of the library: what a head returns and every rule takes."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

Kind = TypeVar("Kind", bound="Prediction")


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


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction(ABC):
    """Log-probabilities over the nodes of a taxonomy for a batch of images, computed as they are asked for.

    Subclasses are frozen dataclasses whose tensor fields have the batch first; everything else follows from
    them, so a prediction can be sliced, moved and saved by its fields alone.
    """

    taxonomy: Taxonomy

    @property
    @abstractmethod
    def coherence(self) -> Coherence:
        """What :attr:`log_prob` promises about parents and children."""

    @property
    @abstractmethod
    def logits(self) -> Float[Tensor, "*batch out"]:
        """Raw scores as the head gave them, what a loss takes."""

    @property
    @abstractmethod
    def scored_nodes(self) -> Int[Tensor, " out"]:
        """Node of each of the :attr:`logits`; a node may have several where levels repeat it."""

    @cached_property
    @abstractmethod
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        """Log-probability, in nats, that the image lies at or under each node; 0 at the root."""

    # ---------------------------------------------------------------- what follows from those

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        r"""Log-probability that the image lies at the node itself and not below it; -inf where that cannot be.

        Where the head does not say, what the children leave: :math:`\log \max(0, p_v - \sum_{c \in C(v)} p_c)`. These
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

    def log_prob_of(self, nodes: Int[Tensor, "*batch k"]) -> Float[Tensor, "*batch k"]:
        """Log-probability at or under a few nodes of each image, without more work than that needs."""
        return self.log_prob.gather(-1, nodes)

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
        """Log-probabilities over the extended level ``level``, before any rule makes levels agree."""
        nodes = torch.tensor(self.taxonomy.level_nodes(level), device=self.device)
        return LevelLogProb(nodes, self.log_prob.index_select(-1, nodes))

    def ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` best labels of each image, best first: the leaves, or all nodes where all nodes compete."""
        leaves = ops.tree_index(self.taxonomy, self.device).leaf_nodes
        return best_nodes(self.log_prob[..., leaves], leaves, k)

    # ---------------------------------------------------------------- as a batch

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

    def __getitem__(self: Kind, images: Any) -> Kind:
        return self.map(lambda value: value[images])

    def detach(self: Kind) -> Kind:
        """Without the graph."""
        return self.map(Tensor.detach)

    def to(self: Kind, *args: Any, **kwargs: Any) -> Kind:
        """On another device or in another precision."""
        return self.map(lambda value: value.to(*args, **kwargs))


def best_nodes(scores: Float[Tensor, "*batch k"], nodes: Int[Tensor, " k"], k: int) -> Int[Tensor, "*batch rank"]:
    """The ``k`` nodes that score highest, best first; the best of equals is the first."""
    k = min(k, scores.shape[-1])
    if k == 1:  # argmax takes the first of equals, topk does not promise to
        return nodes[scores.argmax(-1, keepdim=True)]
    return nodes[scores.topk(k, dim=-1).indices]


def check_width(logits: Tensor, expected: int, what: str) -> None:
    """One score each, or an :class:`InputError`."""
    if logits.ndim == 0 or logits.shape[-1] != expected:
        raise InputError(f"logits [*batch, {expected}], one per {what}", f"shape {list(logits.shape)}")
