"""Figures of kind ``t-sne``: the feature spaces of several methods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cladewise.drawing.paper import save_figure
from cladewise.drawing.tables import write_csv
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.explanations import manifold_grid
from cladewise.explanations.class_choice import MOST_LEVELS
from cladewise.suites.entries import FigureEntry
from cladewise.suites.suite import Suite


def check_manifolds(suite: Suite, figure: FigureEntry) -> None:
    """Check a figure of feature spaces, as far as that is possible without the data.

    Raises:
        InputError: A number is out of range, or a method was trained in an altered tree.
    """
    if figure.images < 4 or any(number < 1 for number in figure.most) or len(figure.most) > MOST_LEVELS:
        expected = f"images of 4 or more, and most with at most {MOST_LEVELS} numbers of 1 or more"
        raise InputError(expected, f"images = {figure.images}, most = {list(figure.most)}")
    for label in suite.methods_of(figure):
        if suite.variant(label).ablation:
            raise InputError("methods trained in the true tree", f"{label}, with an ablation")


def draw_manifolds(
    folder: Path, suite: Suite, figure: FigureEntry, runs: Mapping[str, Sequence[Run]]
) -> tuple[list[Path], list[str]]:
    """Draw the first run of each method as ``<name>.png`` and ``<name>.svg``, with the points in ``<name>.csv``."""
    (data,) = suite.data
    try:
        made = manifold_grid(
            {label: runs[label][0] for label in suite.methods_of(figure)},
            split=data.test,
            levels=figure.levels,
            classes=figure.classes,
            most=figure.most,
            images=figure.images,
            texts=figure.texts,
            progress=False,
        )
    except InputError as error:  # too few images in the classes chosen, or no such level in this data
        return [], [str(error)]
    drawn = save_figure(made.figure, folder / figure.name)
    return [*drawn, write_csv(made.points, folder / f"{figure.name}.csv")], []
