"""Names beside points: none on another, none cut off, the first ones first."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from cladewise.drawing.name_placing import place_names


@pytest.mark.parametrize("centred", [True, False])
def test_names_do_not_overlap_and_the_first_have_room(centred):
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    points = np.random.default_rng(0).uniform(0, 1, (60, 2))
    points[0] = 0.5
    points[1] = -3.0
    names = [f"name {place}" for place in range(60)]
    count = place_names(axes, points, names, [{"fontsize": 9}] * 60, centred=centred)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert 5 < count == len(boxes) < 60
    assert axes.texts[0].get_text() == "name 0"
    assert "name 1" not in [text.get_text() for text in axes.texts], "outside of the picture"
    assert not any(first.overlaps(second) for first, second in itertools.combinations(boxes, 2))
    inside = axes.get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 for box in boxes)
