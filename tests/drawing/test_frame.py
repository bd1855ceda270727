"""Labels around a round picture: each in its direction, in a place of its own, of many kinds."""

from __future__ import annotations

import numpy as np
import pytest

from cladewise.drawing.frame import Frame, spread_around


def test_a_frame_holds_all_labels_and_most_images():
    random = np.random.default_rng(0)
    labels, images = random.normal(0, 1, (30, 2)), random.normal(0, 1, (1000, 2))
    images[:3] *= 1e6
    for centred in (True, False):
        frame = Frame.of(labels, images[3:], centred=centred)
        assert (np.linalg.norm(labels - frame.centre, axis=1) < frame.radius).all()
    frame = Frame.of(labels, images, centred=True)
    inside = np.linalg.norm(images, axis=1) <= frame.radius
    assert 0.9 < inside.mean() < 1
    moved = frame.within(images)
    assert np.linalg.norm(moved, axis=1).max() == pytest.approx(frame.radius)
    assert np.array_equal(moved[inside], images[inside])
    assert Frame.of(labels, images, centred=True, disk=True).radius == 1
    assert Frame.of(np.zeros((1, 2)), np.zeros((0, 2)), centred=False).radius > 0


@pytest.mark.parametrize("sectors", [1, 5, 32])
def test_every_place_is_near_the_direction_of_its_point(sectors):
    random = np.random.default_rng(1)
    points, kinds = random.normal(0, 1, (200, 2)), random.integers(0, 40, 200)
    frame = Frame(np.array([0.3, -0.2]), 1.0)
    chosen, angles = spread_around(points, kinds, frame, sectors)
    assert len(set(chosen.tolist())) == chosen.size <= sectors
    away = points[chosen] - frame.centre
    off = np.abs((np.arctan2(away[:, 1], away[:, 0]) - angles + np.pi) % (2 * np.pi) - np.pi)
    assert off.max() <= np.pi / sectors + 1e-9
    assert np.unique(angles.round(9)).size == angles.size
    assert np.unique(kinds[chosen]).size >= min(chosen.size, 20), "kinds that have no place come first"


def test_a_point_in_the_middle_has_no_direction():
    chosen, angles = spread_around(np.zeros((3, 2)), np.arange(3), Frame(np.zeros(2), 1.0), 8)
    assert chosen.size == angles.size == 0
