"""HC: labels as cones of the Poincaré ball, and images in them."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.embeddings import Geometry, HyperbolicCones
from cladewise.methods.joint_embedding import JointEmbeddingMethod
from cladewise.methods.method import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class HyperbolicConesMethod(JointEmbeddingMethod):
    """Labels as cones of the ball that hold the labels and the images under them; the least energy at every level."""

    name: ClassVar[str] = "hyperbolic-cones"
    title: ClassVar[str] = "Hyperbolic cones of labels and images (HC)"

    aperture: float = option(0.1, "K: a cone at norm r opens by an angle of sine K (1 - r^2) / r")

    def geometry(self) -> Geometry:
        return HyperbolicCones(aperture=self.aperture)
