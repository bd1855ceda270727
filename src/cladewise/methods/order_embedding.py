"""OE: labels and images as vectors, of which a label holds what is larger everywhere."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.embeddings import Geometry, Order
from cladewise.methods.joint_embedding import JointEmbeddingMethod
from cladewise.methods.method import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrderEmbeddingMethod(JointEmbeddingMethod):
    """Labels as orthants that hold the labels and the images under them; the label of least energy at every level."""

    name: ClassVar[str] = "order-embedding"
    title: ClassVar[str] = "Order embeddings of labels and images (OE)"

    temperature: float = option(1.0, "difference of energies that counts as one; it changes no answer of a level")

    def geometry(self) -> Geometry:
        return Order()
