"""An image's descent through a label space: its energies under the labels on its path."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise import geometry
from cladewise.embeddings import LabelSpace

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
STEPS = 61
"""Points on the way from the origin to an image."""


@dataclasses.dataclass(frozen=True, eq=False)
class Descent:
    """Energies of one image.

    Args:
        path: Labels of its path below the root, coarse to fine.
        levels: Their levels.
        own: Its energy under each.
        rival: Of the other labels of each label's level, the one that holds it best; the label itself where there are
            none.
        rivals: The energy under that; NaN where there are none.
        way: Energies under each label of the path of points on the way from the origin out to the image, at equal
            shares of it, ``[label, step]``.
    """

    path: IntArray
    levels: tuple[int, ...]
    own: FloatArray
    rival: IntArray
    rivals: FloatArray
    way: FloatArray

    def lost(self, threshold: float) -> int | None:
        """The first place of the path at which the label does not hold the image; none where all do.

        Example:
            >>> two = np.array([1, 2])
            >>> Descent(two, (1, 2), np.array([0.0, 0.4]), two, np.ones(2), np.zeros((2, 0))).lost(0.3)
            1
        """
        outside = np.flatnonzero(self.own > threshold)
        return int(outside[0]) if outside.size else None


def descents(
    space: LabelSpace, points: Float[Tensor, "image dim"], nodes: Int[Tensor, " image"], *, steps: int = STEPS
) -> list[Descent]:
    """Energies along the way of each image from the origin.

    Args:
        space: The labels.
        points: Vectors of the images, a handful.
        nodes: Their labels.
        steps: Points of the way out.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("moth",)])
        >>> labels = LabelSpace(t, torch.tensor([[0.0, 0.5], [0.0, 0.9], [0.5, 0.0]]), make("hyperbolic"))
        >>> (found,) = descents(labels, torch.tensor([[0.0, 0.95]]), torch.tensor([2]), steps=3)
        >>> found.path.tolist(), found.own.round(3).tolist(), found.rival.tolist(), found.way[:, 0].round(1).tolist()
        ([1, 2], [0.0, 0.0], [3, 3], [3.0, 3.1])
    """
    taxonomy, order = space.taxonomy, space.geometry
    with torch.inference_mode():
        energies = space.energies(points).double().numpy()
        time = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
        found: list[Descent] = []
        for energy, point, node in zip(energies, points.double(), nodes.tolist(), strict=True):
            path = np.array(taxonomy.path(node)[1:], dtype=np.int64)
            rival, rivals = path.copy(), np.full(path.size, np.nan)
            for place, label in enumerate(path.tolist()):
                level = taxonomy.level_nodes(int(taxonomy.level[label]))
                others = level[level != label]
                if others.size:
                    rival[place] = others[energy[others - 1].argmin()]
                    rivals[place] = energy[rival[place] - 1]
            ray = geometry.exp_origin(time * geometry.log_origin(point)) if order.curvature > 0 else time * point
            way = order.pairwise_energy(space.vectors[path - 1].double(), ray).numpy()
            levels = tuple(taxonomy.level[path].tolist())
            found.append(Descent(path, levels, energy[path - 1], rival, rivals, way))
    return found
