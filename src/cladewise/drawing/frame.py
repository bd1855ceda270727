"""The circular frame of a scatter plot: which points it clips to its edge, and which get a photograph around it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_OUTSIDE = 0.05
"""Share of the images that may be outside the frame."""
ROOM = 1.06
"""Radius of the frame relative to the farthest point that must be inside."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """The disk that a figure shows.

    Args:
        centre: Its centre, [2].
        radius: Its radius.
    """

    centre: FloatArray
    radius: float

    @classmethod
    def of(cls, labels: FloatArray, images: FloatArray, *, centred: bool, disk: bool = False) -> Frame:
        """A frame that contains all labels and nearly all images.

        Args:
            labels: Points [label, 2].
            images: Points [image, 2].
            centred: Put the origin in the centre.
            disk: Use the unit disk.

        Example:
            >>> round(Frame.of(np.array([[0.0, 2.0]]), np.zeros((0, 2)), centred=True).radius, 6)
            2.12
        """
        if disk:
            return cls(np.zeros(2), 1.0)
        both = np.concatenate([labels, images])
        centre = np.zeros(2) if centred or not len(both) else (both.min(0) + both.max(0)) / 2
        far = [np.linalg.norm(points - centre, axis=1) for points in (labels, images) if len(points)]
        bounds = [float(far[0].max())] if len(labels) else [0.0]
        if len(images):
            bounds.append(float(np.quantile(far[-1], 1 - MOST_OUTSIDE)))
        return cls(centre, ROOM * max(bounds) + 1e-9)

    def within(self, points: FloatArray) -> FloatArray:
        """The points, with those outside moved to the edge.

        Example:
            >>> Frame(np.zeros(2), 1.0).within(np.array([[0.0, 0.5], [3.0, 4.0]])).round(6).tolist()
            [[0.0, 0.5], [0.6, 0.8]]
        """
        away = points - self.centre
        far = np.linalg.norm(away, axis=1, keepdims=True)
        return self.centre + away * np.minimum(1.0, self.radius / np.maximum(far, 1e-300))

    def place(self, angle: FloatArray, times: float) -> FloatArray:
        """Points [n, 2] at angles seen from the centre, ``times`` radii away from it."""
        return self.centre + times * self.radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def spread_around(points: FloatArray, kinds: IntArray, frame: Frame, number: int) -> tuple[IntArray, FloatArray]:
    """Choose points to show around a frame, at most one in each of ``number`` equal sectors.

    In each sector it is the point closest in direction to the sector's middle, preferring a kind not chosen before.

    Args:
        points: ``[point, 2]``.
        kinds: Kind of each point, such as its label.
        frame: The frame.
        number: Number of sectors.

    Returns:
        Indices of the chosen points, and the angle of each one's sector.

    Example:
        >>> points = np.array([[1.0, 0.1], [1.0, 0.2], [-1.0, 0.1]])
        >>> chosen, angles = spread_around(points, np.array([7, 8, 7]), Frame(np.zeros(2), 1.0), 4)
        >>> chosen.tolist(), (angles / np.pi).round(2).tolist()
        ([1, 2], [0.25, 0.75])
    """
    away = points - frame.centre
    angle = np.arctan2(away[:, 1], away[:, 0]) % (2 * np.pi)
    width = 2 * np.pi / number
    sector = np.minimum((angle / width).astype(np.int64), number - 1)
    off = np.abs(angle - (sector + 0.5) * width)
    off[np.linalg.norm(away, axis=1) == 0] = np.inf  # no direction
    order = np.lexsort((np.arange(len(points)), off))
    chosen: list[int] = []
    seen: set[int] = set()
    for which in range(number):
        inside = [place for place in order.tolist() if sector[place] == which and np.isfinite(off[place])]
        if inside:
            chosen.append(next((place for place in inside if int(kinds[place]) not in seen), inside[0]))
            seen.add(int(kinds[chosen[-1]]))
    found = np.array(chosen, dtype=np.int64)
    return found, (sector[found] + 0.5) * width
