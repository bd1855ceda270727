"""HACE over soft labels: the target is first spread over near leaves, and then up their paths."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.losses import HACESoftLoss, Loss
from cladewise.methods.hace import HACEBase
from cladewise.methods.method import option
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACESoftMethod(HACEBase):
    """HACE whose targets forgive near misses."""

    name: ClassVar[str] = "hace-soft"
    title: ClassVar[str] = "HACE with soft labels"

    beta: float = option(10.0, "hardness of the soft labels, >= 0: 0 is uniform, large one-hot", grid=(10.0, 30.0, 1e7))
    distance: str = option(
        "hace", "distance of two leaves: hace, lca-height, or a file of distances (.npy, .csv, .tsv, .parquet)"
    )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return HACESoftLoss(taxonomy, self.dilution, self.beta, self.distance, self.domain)
