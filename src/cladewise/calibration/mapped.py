"""Probabilities of nodes mapped level by level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.predictions import CappedSigmoid, Prediction


def mapped(
    prediction: Prediction,
    parameters: Float[Tensor, "map parameter"] | Float[Tensor, "map 2 corner"],
    log_odds: Callable[[Tensor, Tensor], Tensor],
) -> CappedSigmoid:
    """Probabilities mapped by the map of each node's level, or by one for all; none exceeds its parent's.

    What an earlier rule excluded stays excluded.

    Args:
        prediction: Of any kind.
        parameters: Those of one map or of one per level, map first.
        log_odds: New log-odds from log-probabilities ``[*batch, k]`` and the parameters of one map.
    """
    prediction, taxonomy = prediction.settled(), prediction.taxonomy
    old = prediction.log_prob[..., 1:]
    if len(parameters) == 1:
        new = log_odds(old, parameters[0])
    else:
        new = torch.zeros_like(old)
        for k, given in enumerate(parameters):
            nodes = torch.as_tensor(np.flatnonzero(taxonomy.level[1:] == k + 1), device=old.device)
            new = new.index_copy(-1, nodes, log_odds(old.index_select(-1, nodes), given))
    return CappedSigmoid(taxonomy, new.masked_fill(old == -torch.inf, -torch.inf))
