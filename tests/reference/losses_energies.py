"""A slow, obvious twin of the max-margin loss of energies, for one image, straight from the formula."""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import trees
from reference.trees import Array


def max_margin(
    taxonomy: Taxonomy, energy: Array, target: int, *, margin: float, num_negatives: float, by_level: bool
) -> float:
    """Energies of the path, and what the others lack to the margin, meant over labels or over levels of labels."""
    path = [v for v in trees.path(taxonomy, target) if v]
    others: dict[int, list[float]] = {}
    for node in range(1, taxonomy.num_nodes):
        if node not in path and target not in trees.path(taxonomy, node):
            level = int(taxonomy.level[node]) if by_level else 0
            others.setdefault(level, []).append(max(0.0, margin - energy[node - 1]))
    false = float(np.mean([np.mean(lacking) for lacking in others.values()])) if others else 0.0
    return sum(float(energy[v - 1]) for v in path) + num_negatives * len(path) * false
