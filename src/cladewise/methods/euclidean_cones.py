"""EC: labels as cones with straight sides, and images in them."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.embeddings import EuclideanCones, Geometry
from cladewise.methods.joint_embedding import JointEmbeddingMethod
from cladewise.methods.method import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class EuclideanConesMethod(JointEmbeddingMethod):
    """Labels as cones of flat space that hold the labels and the images under them; the least energy at every level."""

    name: ClassVar[str] = "euclidean-cones"
    title: ClassVar[str] = "Euclidean cones of labels and images (EC)"

    aperture: float = option(0.1, "K: a cone at norm r opens by an angle of sine K / r")

    def geometry(self) -> Geometry:
        return EuclideanCones(aperture=self.aperture)
