"""Methods that embed labels and images in one space: order embeddings, Euclidean cones and hyperbolic cones."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor

from cladewise.decisions import Decision, Levels
from cladewise.embeddings import EuclideanCones, Geometry, HyperbolicCones, LabelSpace, Order
from cladewise.errors import InputError
from cladewise.heads import EnergyHead, Head, ImageMap, label_vectors_of
from cladewise.losses import Loss, MaxMarginEnergyLoss
from cladewise.methods.method import Citation, IntArray, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.objectives import CountedEdgesObjective, Objective
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointEmbeddingMethod(Method):
    """Base class of methods whose labels and images are vectors of one space; the label of least energy wins."""

    citation: ClassVar[Citation] = ENTAILMENT_CONES
    uses_further_parents: ClassVar[bool] = True

    dim: int = option(100, "dimensions of the space", grid=(10, 100, 1000))
    margin: float = option(1.0, "least energy of a false edge, >= 0", grid=(0.01, 0.05, 1.0))
    negatives: Literal["pick-per-level", "uniform"] = option(
        "pick-per-level", "sampling of false edges: uniform over levels, or over all labels"
    )
    num_negatives: int = option(50, "false edges for every true one, >= 1", grid=(10, 50))
    hardness: float = option(
        0.0, "weight exp(-hardness E) of a false edge of an image among those of its level, >= 0; 0: all weigh the same"
    )
    margin_power: float = option(
        0.0, "q >= 0: the margin of an image's false edges to a level of n labels is margin (n_1 / n)^q"
    )
    push_power: float = option(0.0, "p >= 0: an image has num_negatives (n / n_1)^p false edges to a level of n labels")
    image_share: float = option(0.5, "share of the false edges with an image at one end; the rest connect labels")
    labels: Literal["label-only", "random"] = option(
        "label-only", "initial label vectors: an embedding of the tree alone, or random"
    )
    label_epochs: int = option(20, "epochs of the embedding of the tree alone")
    label_weight: float = option(
        1.0, "weight of edges between labels relative to images; 0: labels learn from images alone"
    )
    count_edges: bool = option(
        False, "weigh edges between labels by their number next to edges to images, times label_weight"
    )
    label_rate: float = option(
        0.3, "learning rate of the labels relative to that of the image map, > 0", grid=(0.1, 0.3, 1.0)
    )
    rsgd: bool = option(False, "update labels by Riemannian SGD instead of the run's optimiser")
    image_map: Literal["linear", "layers", "plain"] = option(
        "linear", "map of the features: one linear layer without a bias, four layers, or W x without scaling"
    )

    temperature: float = option(0.1, "temperature of the energies; does not change the answer at a level")

    def __post_init__(self) -> None:
        if not 0 <= self.image_share <= 1:
            raise InputError("a share from 0 to 1", self.image_share, at="image_share")
        for name in ("dim", "num_negatives"):
            if getattr(self, name) < 1:
                raise InputError("at least 1", getattr(self, name), at=name)
        for name in ("hardness", "margin_power", "push_power"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError("at least 0", getattr(self, name), at=name)
        if not self.label_rate > 0:
            raise InputError("a rate above 0", self.label_rate, at="label_rate")

    @abstractmethod
    def geometry(self) -> Geometry:
        """The geometry whose energies define the order."""

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return EnergyHead(
            taxonomy,
            self.geometry(),
            ImageMap(self.image_map, num_features, self.dim),
            self.dim,
            negatives=self.negatives,
            num_negatives=(1 - self.image_share) * self.num_negatives,
            margin=self.margin,
            weight=0.0 if self.count_edges else self.label_weight,
            rate=self.label_rate,
            rsgd=self.rsgd,
            temperature=self.temperature,
            label_epochs=self.label_epochs if self.labels == "label-only" else 0,
        )

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective | None:
        if not self.count_edges:
            return None
        return CountedEdgesObjective(
            self.loss(taxonomy),
            nodes,
            num_negatives=(1 - self.image_share) * self.num_negatives,
            weight=self.label_weight,
        )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MaxMarginEnergyLoss(
            taxonomy,
            margin=self.margin,
            num_negatives=self.image_share * self.num_negatives,
            negatives=self.negatives,
            temperature=self.temperature,
            hardness=self.hardness,
            margin_power=self.margin_power,
            push_power=self.push_power,
        )

    def decision(self) -> Decision:
        return Levels()

    def label_space(self, taxonomy: Taxonomy, weight: Callable[[str], Tensor]) -> LabelSpace:
        geometry = self.geometry()
        vectors = label_vectors_of(weight("points"), geometry, rate=self.label_rate, rsgd=self.rsgd)
        return LabelSpace(taxonomy, vectors, geometry)

    def training(self) -> Mapping[str, Any]:
        return {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrderEmbeddingMethod(JointEmbeddingMethod):
    """Labels as orthants that contain the labels and images below them."""

    name: ClassVar[str] = "order-embedding"
    title: ClassVar[str] = "Order embeddings of labels and images (OE)"

    temperature: float = option(1.0, "temperature of the energies; does not change the answer at a level")

    def geometry(self) -> Geometry:
        return Order()


@dataclasses.dataclass(frozen=True, kw_only=True)
class EuclideanConesMethod(JointEmbeddingMethod):
    """Labels as cones of Euclidean space that contain the labels and images below them."""

    name: ClassVar[str] = "euclidean-cones"
    title: ClassVar[str] = "Euclidean cones of labels and images (EC)"

    aperture: float = option(0.1, "K: a cone at norm r opens by an angle of sine K / r")

    def geometry(self) -> Geometry:
        return EuclideanCones(aperture=self.aperture)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HyperbolicConesMethod(JointEmbeddingMethod):
    """Labels as cones of the Poincaré ball that contain the labels and images below them."""

    name: ClassVar[str] = "hyperbolic-cones"
    title: ClassVar[str] = "Hyperbolic cones of labels and images (HC)"

    aperture: float = option(0.1, "K: a cone at norm r opens by an angle of sine K (1 - r^2) / r")

    def geometry(self) -> Geometry:
        return HyperbolicCones(aperture=self.aperture)
