"""The scores that are diffused: raw scores of the chosen levels, after the shift."""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions import Prediction, best_nodes
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy.level_choice import chosen_levels
from cladewise.tracing import is_traced

Shift = Literal["none", "level-min"]


@dataclasses.dataclass(frozen=True, eq=False)
class Sources:
    """The nodes whose scores are diffused, by the level at which they compete.

    A leaf competes at the finest chosen level, which repeats it however high in the tree it is. A head with a softmax
    per level scores such a leaf several times; its score at that level is used, the one trained against the others
    there. Every other node competes at its own level.
    """

    nodes: Int[Tensor, " input"]
    """Nodes, level by level."""
    levels: tuple[slice, ...]
    """Slice of the nodes of each level."""
    finest: int
    """The finest chosen level."""
    complete: bool
    """Whether all nodes below the root are among them."""

    @classmethod
    def of(cls, prediction: Prediction, choice: str = "all") -> Sources:
        """The nodes of the chosen levels that a head scores; never the root.

        Raises:
            InputError: The head scores no node of those levels.
        """
        if not is_traced():
            return cls._of(prediction, choice)
        # which nodes have a score is a fact about the kind, but an exporter sees it as a value
        key = ("sources", type(prediction), tuple(prediction.settings().items()), choice, prediction.device)
        return cached_for(prediction.taxonomy, key, lambda: cls._of(prediction, choice))

    @classmethod
    def _of(cls, prediction: Prediction, choice: str) -> Sources:
        taxonomy = prediction.taxonomy
        levels = chosen_levels(choice, taxonomy)
        index = ops.tree_index(taxonomy, prediction.device)
        finest = max(levels, default=0)
        at = torch.where(index.height == 0, finest, index.level)
        taken = prediction.has_score & torch.isin(index.level, torch.tensor(levels, device=prediction.device))
        taken |= prediction.has_score & (index.height == 0) & (index.level <= finest)
        taken[0] = False
        nodes = taken.nonzero().squeeze(1)
        if taxonomy.num_nodes > 1 and not len(nodes):
            raise InputError(f"a head with scores at levels {choice}", type(prediction).__name__)
        order = at[nodes].argsort(stable=True)
        stops = torch.bincount(at[nodes], minlength=taxonomy.num_levels + 1).cumsum(0).tolist()
        slices = tuple(slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False) if stop > start)
        return cls(nodes[order], slices, finest, len(nodes) == taxonomy.num_nodes - 1)

    def truncates(self, top: int) -> bool:
        """Whether keeping the ``top`` best nodes per level leaves any out; 0 keeps all."""
        return top > 0 and any(part.stop - part.start > top for part in self.levels)

    def shift(self, wanted: Shift, top: int, absent: Bool[Tensor, "*batch input"]) -> Shift:
        """The shift that is used: left-out scores count as 0, which means "worst" only after a shift."""
        missing = not self.complete or self.truncates(top)
        return "level-min" if missing or wanted == "level-min" or bool(absent.any()) else "none"

    def raw(self, prediction: Prediction) -> Float[Tensor, "*batch input"]:
        """Scores of the nodes as the head gave them; -inf where an earlier rule has ruled a node out."""
        scores = prediction.scores_up_to(self.finest)
        return ops.at_least_float(scores.index_select(-1, self.nodes))

    def prepared(
        self, raw: Float[Tensor, "*batch input"], wanted: Shift, top: int = 0
    ) -> Float[Tensor, "*batch input"]:
        """The scores as they are diffused: after :meth:`shift` and :meth:`footed`.

        Raises:
            InputError: An exporter traces it, with some scores per level only.
        """
        absent = raw == -torch.inf
        if not is_traced():
            return self.footed(raw, self.shift(wanted, top, absent), top)
        if self.truncates(top):
            advice = "The best scores of a level need a sort without ties, which graphs do not have."
            raise InputError("a diffusion of all scores (top=0) in a graph", f"top={top}", advice=advice)
        footed = self.footed(raw, "level-min")
        if wanted == "level-min" or not self.complete:
            return footed
        return torch.where(absent.any(), footed, raw)

    def footed(self, raw: Float[Tensor, "*batch input"], shift: Shift, top: int = 0) -> Float[Tensor, "*batch input"]:
        """Scores after the shift, with the best ``top`` of each level kept and all others 0."""
        if shift == "none":
            return raw
        parts: list[Tensor] = []
        for where in self.levels:
            part = raw[..., where]
            absent = part == -torch.inf
            lowest = part.masked_fill(absent, torch.inf).amin(-1, keepdim=True)
            lowest = lowest.masked_fill(lowest == torch.inf, 0.0)
            part = (part.masked_fill(absent, 0.0) - lowest).masked_fill(absent, 0.0)
            if 0 < top < part.shape[-1]:
                best = best_nodes(part, torch.arange(part.shape[-1], device=part.device), top)  # the first of equals
                part = torch.zeros_like(part).scatter(-1, best, part.gather(-1, best))
            parts.append(part)
        return torch.cat(parts, dim=-1) if parts else raw
