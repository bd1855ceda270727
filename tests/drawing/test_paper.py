"""Figures in the house style."""

from __future__ import annotations

import pytest

from cladewise.drawing.paper import add_legend, paper


@pytest.mark.parametrize("width", [3.2, 5.0, 6.4])
def test_a_legend_of_many_names_is_no_wider_than_its_figure(width):
    with paper(width, 4.0) as figure:
        axes = figure.add_subplot()
        for number in range(8):
            axes.plot([0, 1], label=f"descendant-softmax-{number}")
        add_legend(figure, axes)
        figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width


def test_one_line_needs_no_legend():
    with paper(4, 3) as figure:
        axes = figure.add_subplot()
        axes.plot([0, 1], label="a")
        add_legend(figure, axes)
    assert figure.legends == []
