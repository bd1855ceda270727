"""A softmax over the leaves whose weights are label vectors of a space that also holds the tree."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor

from cladewise.decisions import Decision, Levels
from cladewise.embeddings import Geometry, LabelSpace, make
from cladewise.errors import InputError
from cladewise.heads import Head, ImageMap, JointSoftmaxHead, label_vectors_of
from cladewise.losses import Loss, MarginalSoftmaxLoss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointSoftmaxMethod(Method):
    r"""Images are classified by a softmax, and the softmax' weights entail one another like cones.

    .. math:: \ell = \sum_k -\log \sum_{l \in B(t_k)} p_l + w \Big(\operatorname{mean}_{(u, v)} E(u, v)
        + m \operatorname{mean}_{(u', v')} \max(0, \gamma - E(u', v'))\Big)

    where p is the softmax of the scaled similarities of an image's vector to the label vectors of the leaves, and the
    second term is that of the joint embeddings: the edges of the tree's closure, with negative edges. So the label
    vectors, and those of internal labels, reconstruct the tree as in ``hyperbolic-cones``, while images compete for the
    leaves as in ``mc``, whose loss and decision these are. The energies of images are not trained.

    The composition is not published. The space and the edges' loss are those of the cited paper; a softmax of
    similarities beside an entailment loss is what MERU trains on images and texts (Desai et al., ICML 2023).
    """

    name: ClassVar[str] = "joint-softmax"
    title: ClassVar[str] = "Softmax over label vectors that entail one another (joint softmax)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES
    uses_further_parents: ClassVar[bool] = True

    geometry: Literal["hyperbolic", "euclidean", "order"] = option("hyperbolic", "geometry of the label vectors")
    aperture: float = option(
        0.3, "K of cones: at norm r they open by an angle of sine K / r; in the ball times 1 - r^2"
    )
    dim: int = option(100, "dimensions of the space")
    similarity: Literal["cosine", "energy"] = option(
        "cosine", "what the softmax is of: cosines of the label and image vectors, or minus the energies"
    )
    scale: float = option(10.0, "initial scale of the similarities, in (0, 100]")
    label_weight: float = option(0.1, "weight of the loss of edges between labels, >= 0")
    margin: float = option(1.0, "least energy of a false edge, >= 0")
    num_negatives: float = option(25.0, "false edges for every edge between labels, >= 0")
    negatives: Literal["pick-per-level", "uniform"] = option(
        "pick-per-level", "sampling of false edges: uniform over levels, or over all labels"
    )
    label_rate: float = option(0.3, "learning rate of the labels relative to that of the image map, > 0")
    label_epochs: int = option(0, "epochs of an initial embedding of the tree alone; 0: random initial vectors")

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise InputError("at least 1", self.dim, at="dim")
        if not self.label_rate > 0:
            raise InputError("a rate above 0", self.label_rate, at="label_rate")
        for name in ("label_weight", "margin", "num_negatives", "label_epochs"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError("at least 0", getattr(self, name), at=name)

    def _geometry(self) -> Geometry:
        return make(self.geometry) if self.geometry == "order" else make(self.geometry, aperture=self.aperture)

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return JointSoftmaxHead(
            taxonomy,
            self._geometry(),
            ImageMap("linear", num_features, self.dim),
            self.dim,
            similarity=self.similarity,
            scale=self.scale,
            negatives=self.negatives,
            num_negatives=self.num_negatives,
            margin=self.margin,
            weight=self.label_weight,
            rate=self.label_rate,
            label_epochs=self.label_epochs,
        )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MarginalSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()

    def label_space(self, taxonomy: Taxonomy, weight: Callable[[str], Tensor]) -> LabelSpace:
        geometry = self._geometry()
        vectors = label_vectors_of(weight("points"), geometry, rate=self.label_rate, rsgd=False)
        return LabelSpace(taxonomy, vectors, geometry)

    def training(self) -> Mapping[str, Any]:
        return {"optimizer": "adam", "lr": 0.003, "weight_decay": 0.0}
