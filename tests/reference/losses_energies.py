"""A slow, obvious twin of the max-margin loss of energies, for one image, straight from the formula."""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import trees
from reference.trees import Array


def max_margin(
    taxonomy: Taxonomy,
    energy: Array,
    target: int,
    *,
    margin: float,
    num_negatives: float,
    by_level: bool,
    hardness: float = 0.0,
    margin_power: float = 0.0,
    push_power: float = 0.0,
) -> float:
    """Energies of the path, and what the others lack to the margin, meant over labels or over levels of labels."""
    levels = taxonomy.level[1:].tolist()
    growth = {level: levels.count(level) / levels.count(min(levels)) for level in levels}
    path = [v for v in trees.path(taxonomy, target) if v]
    others: dict[int, list[tuple[float, float]]] = {}
    for node in range(1, taxonomy.num_nodes):
        if node not in path and target not in trees.path(taxonomy, node):
            level, own = int(taxonomy.level[node]), float(energy[node - 1])
            factor = growth[level] ** push_power if by_level else 1.0
            lacks = factor * max(0.0, margin * growth[level] ** -margin_power - own)
            others.setdefault(level if by_level else 0, []).append((lacks, np.exp(-hardness * own)))
    means = [np.average(np.transpose(pairs)[0], weights=np.transpose(pairs)[1]) for pairs in others.values()]
    false = float(np.mean(means)) if means else 0.0
    return sum(float(energy[v - 1]) for v in path) + num_negatives * len(path) * false
