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
        """Raw scores as the head gave them; ``logits[..., i]`` belongs to node ``scored_nodes[i]``."""

    @property
    @abstractmethod
    def scored_nodes(self) -> Int[Tensor, " out"]:
        """Nodes that have a raw score of their own, ascending."""

    @cached_property
    @abstractmethod
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        """Log-probability, in nats, that the image lies at or under each node; 0 at the root."""

    @cached_property
    @abstractmethod
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        """Log-probability that the image lies at the node itself and not below it; -inf where that cannot be."""

    # ---------------------------------------------------------------- what follows from those

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
        nodes = torch.as_tensor(self.taxonomy.level_nodes(level), device=self.device)
        return LevelLogProb(nodes, self.log_prob[..., nodes])

    def ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` best scored nodes of each image, best first; equal scores by ascending node."""
        k = min(k, self.logits.shape[-1])
        if k == 1:  # argmax takes the first of equals, topk does not promise to
            return self.scored_nodes[self.logits.argmax(-1, keepdim=True)]
        return self.scored_nodes[self.logits.topk(k, dim=-1).indices]

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
