"""What methods share that embed labels and images in one space."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from cladewise.decisions import Decision, Levels
from cladewise.embeddings import Geometry
from cladewise.errors import InputError
from cladewise.heads import Head
from cladewise.losses import Loss, MaxMarginEnergyLoss
from cladewise.methods.energy_head import EnergyHead, ImageMap
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointEmbeddingMethod(Method):
    """A method whose labels and images are vectors of one order; at each level it answers the label of least energy."""

    citation: ClassVar[Citation] = ENTAILMENT_CONES

    dim: int = option(100, "dimensions of the space", grid=(10, 100, 1000))
    margin: float = option(1.0, "least energy of a false edge, >= 0", grid=(0.01, 0.05, 1.0))
    negatives: Literal["pick-per-level", "uniform"] = option(
        "pick-per-level", "labels of false edges: each level alike, or all labels alike"
    )
    num_negatives: int = option(50, "false edges for every true one, >= 1", grid=(10, 50))
    image_share: float = option(0.5, "share of the false edges that have an image at one end; the others have labels")
    labels: Literal["label-only", "random"] = option(
        "label-only", "what labels begin from: an embedding of the tree alone, or random vectors"
    )
    label_epochs: int = option(20, "epochs of the embedding of the tree alone")
    label_weight: float = option(1.0, "weight of an edge between labels beside an image; 0: images alone teach labels")
    label_rate: float = option(
        0.3, "how much faster labels learn than the map of the images, > 0", grid=(0.1, 0.3, 1.0)
    )
    rsgd: bool = option(False, "move labels by Riemannian SGD instead of by the run's optimiser")
    image_map: Literal["linear", "layers"] = option(
        "linear", "map of the features: one linear layer without a bias, or four layers"
    )

    temperature: float = option(0.1, "difference of energies that counts as one; it changes no answer of a level")

    def __post_init__(self) -> None:
        if not 0 <= self.image_share <= 1:
            raise InputError("a share from 0 to 1", self.image_share, at="image_share")
        for name in ("dim", "num_negatives"):
            if getattr(self, name) < 1:
                raise InputError("at least 1", getattr(self, name), at=name)
        if not self.label_rate > 0:
            raise InputError("a rate above 0", self.label_rate, at="label_rate")

    @abstractmethod
    def geometry(self) -> Geometry:
        """The order."""

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return EnergyHead(
            taxonomy,
            self.geometry(),
            ImageMap(self.image_map, num_features, self.dim),
            self.dim,
            negatives=self.negatives,
            num_negatives=(1 - self.image_share) * self.num_negatives,
            margin=self.margin,
            weight=self.label_weight,
            rate=self.label_rate,
            rsgd=self.rsgd,
            temperature=self.temperature,
            label_epochs=self.label_epochs if self.labels == "label-only" else 0,
        )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MaxMarginEnergyLoss(
            taxonomy,
            margin=self.margin,
            num_negatives=self.image_share * self.num_negatives,
            negatives=self.negatives,
        )

    def decision(self) -> Decision:
        return Levels()

    def training(self) -> Mapping[str, Any]:
        return {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.0}
