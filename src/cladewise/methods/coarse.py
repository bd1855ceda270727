"""Methods that learn fine structure from coarse labels: cross-entropy, MoCo, ANCOR and HCM."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np
from torch import nn

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, LevelClasses, PoincareClasses, ProjectionHead, coarse_head
from cladewise.losses import FlatSoftmaxLoss, Loss
from cladewise.methods.method import Citation, IntArray, Method, option
from cladewise.methods.papers import ANCOR
from cladewise.objectives import CosineMarginObjective, MomentumContrastObjective, Objective, Queue
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoarseMethod(Method):
    """Base class of methods that classify one level, on a trained embedding of the features.

    Nothing distinguishes the leaves of a class, so they share its probability equally. With the finest level and fine
    labels, such a method is the upper bound that methods trained on coarse labels are compared with.
    """

    level: str | int = option("", "level whose classes the network is trained on, by name or number; empty: the finest")
    embedding: int = option(
        600, "width of the trained layer after the encoder, from which new classes are learnt; 0: none"
    )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return FlatSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Leaf()


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoarseCrossEntropyMethod(CoarseMethod):
    """Cross-entropy over the classes of one level: the baseline for learning fine classes from coarse labels."""

    name: ClassVar[str] = "coarse-cross-entropy"
    title: ClassVar[str] = "Coarse cross-entropy"
    citation: ClassVar[Citation] = ANCOR

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return coarse_head(taxonomy, num_features, self.level, self.embedding)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MomentumContrastMethod(CoarseMethod):
    """Base class of methods that contrast views of an image with keys of other images from a momentum encoder."""

    projection: int = option(128, "length of the vectors that are compared")
    temperature: float = option(0.2, "temperature of the comparison, > 0")
    queue: int = option(65536, "keys that are kept, of all images or of each class; at most one per image")
    copy_momentum: float = option(0.999, "share of itself that the momentum encoder keeps in every step, in (0, 1)")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        classes = LevelClasses(taxonomy, self.level)
        scorer = nn.Sequential(nn.ReLU(), nn.Linear(self.projection, classes.num_classes))
        return ProjectionHead(
            taxonomy, num_features, classes, scorer, embedding=self.embedding, projection=self.projection
        )

    def views(self) -> int:
        return 2

    def momentum(self) -> float:
        return self.copy_momentum

    def queued(
        self, taxonomy: Taxonomy, nodes: IntArray, *, by_class: bool, angular: bool, supervised: bool
    ) -> MomentumContrastObjective:
        """The objective for training images with the given labels.

        Args:
            taxonomy: The label tree.
            nodes: Label of every image of the dataset; -1 for images that are not trained on.
            by_class: Whether each class has a queue of its own, so that images are contrasted within their class.
            angular: Whether directions are compared relative to the class weight.
            supervised: Whether the cross-entropy trains the whole network.
        """
        classes = LevelClasses(taxonomy, self.level)
        of_image = classes.class_of_node.numpy()[nodes[nodes >= 0]]
        sizes = np.bincount(of_image[of_image >= 0], minlength=classes.num_classes) if by_class else [of_image.size]
        queue = Queue(np.minimum(np.asarray(sizes, dtype=np.int64), self.queue), self.projection)
        return MomentumContrastObjective(
            self.loss(taxonomy),
            classes.class_of_node,
            queue,
            temperature=self.temperature,
            angular=angular,
            supervised=supervised,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoCoMethod(MomentumContrastMethod):
    """Momentum contrast (v2), which uses no labels.

    A classifier of the labels is trained alongside, on vectors that it does not influence, so that the run can be
    evaluated like any other.
    """

    name: ClassVar[str] = "moco"
    title: ClassVar[str] = "Momentum contrast (MoCo v2)"
    citation: ClassVar[Citation] = Citation(
        "Chen, Fan, Girshick, He",
        "Improved baselines with momentum contrastive learning",
        "arXiv",
        2020,
        "https://arxiv.org/abs/2003.04297",
    )

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        return self.queued(taxonomy, nodes, by_class=False, angular=False, supervised=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoarseMoCoMethod(MomentumContrastMethod):
    """Coarse cross-entropy plus momentum contrast with all other images: ANCOR without angles and class queues."""

    name: ClassVar[str] = "coarse-moco"
    title: ClassVar[str] = "Coarse cross-entropy and MoCo"
    citation: ClassVar[Citation] = ANCOR

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        return self.queued(taxonomy, nodes, by_class=False, angular=False, supervised=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ANCORMethod(MomentumContrastMethod):
    r"""Coarse cross-entropy plus momentum contrast with images of the same coarse class only.

    .. math:: \ell = \ell_{CE} + \operatorname{InfoNCE}\bigl(A(q), A(k)\bigr), \qquad
        A(v) = \operatorname{norm}(\operatorname{norm}(v) - \operatorname{norm}(w_y))

    Cross-entropy draws the images of a class to its weight vector; contrasting directions relative to that vector
    spreads them around it, so that the two terms do not conflict.
    """

    name: ClassVar[str] = "ancor"
    title: ClassVar[str] = "Angular contrastive learning with coarse labels (ANCOR)"
    citation: ClassVar[Citation] = ANCOR

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        return self.queued(taxonomy, nodes, by_class=True, angular=True, supervised=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HCMMethod(CoarseMethod):
    r"""Classes as hyperplanes of the Poincaré ball, and distances between images set by how they are related.

    .. math:: \ell = \ell_{\text{MLR}} + \alpha \operatorname{KL}\bigl(\operatorname{softmax}(-\Delta/\tau) \,\big\|\,
        \operatorname{softmax}(-D/\tau)\bigr), \qquad D_{ij} = 1 - \cos(v_i, v_j)

    Two views of an image should be d0 apart, images of one pseudo-fine class d1, images of one coarse class d2, and
    others d3, with d0 < d1 < d2 < d3. Pseudo-fine classes are clusters of the representations within a class. All
    margins but the first and the last follow the distances observed in training.

    The exponential map at the origin preserves directions, so the cosine is that of the vectors before the map: the
    ball affects only the classes. Only a summary of the paper could be consulted. It states the map and the classes of
    the ball, the four relations and the order of their margins, the KL divergence, that d1 and d2 are updated with
    momentum by mean distances of the batch, k-means inside coarse classes, and twice as many clusters as true
    subclasses. The row-wise distributions and all other option values are our choice.
    """

    name: ClassVar[str] = "hcm"
    title: ClassVar[str] = "Hierarchical cosine margins (HCM)"
    citation: ClassVar[Citation] = Citation(
        "Xu, Sun, Zhang, Xu, Wei, Yang",
        "Hyperbolic space with hierarchical margin boosts fine-grained learning from coarse labels",
        "NeurIPS",
        2023,
        "https://arxiv.org/abs/2311.11019",
    )

    projection: int = option(128, "length of the vectors that are compared and classified")
    geometry: Literal["poincare", "euclidean"] = option(
        "poincare", "classes as hyperplanes of the Poincaré ball, or of Euclidean space (a linear layer)"
    )
    curvature: float = option(0.1, "c of the ball, > 0")
    radius: float = option(2.3, "norm at which vectors are clipped before they are mapped to the ball, > 0")
    weight: float = option(1.0, "weight alpha of the margins, >= 0; 0: classes of the ball alone")
    margins: Literal["adaptive", "fixed", "by-class"] = option(
        "adaptive",
        "whether the margins between the first and the last follow mean distances of the batch, stay fixed, or follow "
        "them for each class separately, for classes of very different breadth",
    )
    targets: str = option(
        "", "initial margins, ascending in [0, 2], like 0,0.2,0.5,1; empty: 0, 0.2, and even steps from 0.5 to 1"
    )
    margin_momentum: float = option(0.99, "share of its value that a margin keeps in every step, in [0, 1]")
    temperature: float = option(0.2, "temperature of the distributions over other images, > 0")
    clusters: str | int = option(
        "2x", "pseudo-fine classes per class: a factor of its true number like 2x, a number, auto, or 0 for none"
    )
    warmup: int = option(10, "epochs before margins and clusters begin")
    refresh: int = option(1, "epochs between two clusterings of the images")
    coarse_levels: str | int = option(
        "", "levels with a margin each, by name or number, or all down to level; empty: level alone"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        classes = LevelClasses(taxonomy, self.level)
        scorer: nn.Module = (
            PoincareClasses(self.projection, classes.num_classes, curvature=self.curvature, radius=self.radius)
            if self.geometry == "poincare"
            else nn.Linear(self.projection, classes.num_classes)
        )
        return ProjectionHead(
            taxonomy, num_features, classes, scorer, embedding=self.embedding, projection=self.projection
        )

    def views(self) -> int:
        return 2 if self.weight else 1

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective | None:
        if not self.weight:
            return None
        return CosineMarginObjective(
            taxonomy,
            nodes,
            self.loss(taxonomy),
            LevelClasses(taxonomy, self.level),
            weight=self.weight,
            margins=self.margins,
            targets=self.targets,
            margin_momentum=self.margin_momentum,
            temperature=self.temperature,
            clusters=self.clusters,
            warmup=self.warmup,
            refresh=self.refresh,
            coarse_levels=self.coarse_levels,
        )
