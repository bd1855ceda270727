"""The scores that are diffused: raw scores of the chosen levels, truncated and shifted as asked for."""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from jaxtyping import Float, Int
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
        return cls(nodes[order], slices, finest)

    def truncates(self, top: int) -> bool:
        """Whether keeping the ``top`` best nodes per level leaves any out; 0 keeps all."""
        return top > 0 and any(part.stop - part.start > top for part in self.levels)

    def raw(self, prediction: Prediction) -> Float[Tensor, "*batch input"]:
        """Scores of the nodes as the head gave them; -inf where an earlier rule has ruled a node out."""
        scores = prediction.scores_up_to(self.finest)
        return ops.at_least_float(scores.index_select(-1, self.nodes))

    def prepared(self, raw: Float[Tensor, "*batch input"], shift: Shift, top: int = 0) -> Float[Tensor, "*batch input"]:
        """The scores as they are diffused: shifted if asked for; 0 where ruled out, or not among the ``top`` best of
        their level (0 keeps all).

        Raises:
            InputError: An exporter traces it with a truncation.
        """
        if is_traced() and self.truncates(top):
            advice = "The best scores of a level need a sort without ties, which graphs do not have."
            raise InputError("a diffusion of all scores (top=0) in a graph", f"top={top}", advice=advice)
        absent = raw == -torch.inf
        if shift == "none" and not self.truncates(top):
            return raw.masked_fill(absent, 0.0)
        parts: list[Tensor] = []
        for where in self.levels:
            part, missing = raw[..., where], absent[..., where]
            kept = part.masked_fill(missing, 0.0)
            if shift == "level-min":
                lowest = part.masked_fill(missing, torch.inf).amin(-1, keepdim=True)
                kept = (kept - lowest.masked_fill(lowest == torch.inf, 0.0)).masked_fill(missing, 0.0)
            if 0 < top < part.shape[-1]:
                best = best_nodes(part, torch.arange(part.shape[-1], device=part.device), top)  # the first of equals
                kept = torch.zeros_like(kept).scatter(-1, best, kept.gather(-1, best))
            parts.append(kept)
        return torch.cat(parts, dim=-1) if parts else raw

    def about(self, prediction: Prediction, choice: str, shift: Shift) -> dict[str, str]:
        """Facts that are stored with a result: the shift, the levels, and the number of nodes with a score."""
        levels = chosen_levels(choice, prediction.taxonomy)
        return {"shift": shift, "levels": ",".join(map(str, levels)), "sources": str(len(self.nodes))}
