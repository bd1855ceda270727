"""The figures of a suite: kinds by name, each with its check and its drawing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cladewise.catalogue import nearest
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.suites.condition_figures import check_conditions, draw_conditions
from cladewise.suites.curve_drawing import draw_curve
from cladewise.suites.curves import check_curve
from cladewise.suites.entries import FigureEntry
from cladewise.suites.manifold_figures import check_manifolds, draw_manifolds
from cladewise.suites.operating_figures import check_operating, draw_operating
from cladewise.suites.suite import MANIFOLDS, Suite

Runs = Mapping[str, Sequence[Run]]
"""Runs by the label of their method or variant."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Args:
        takes: Entries of the file that only some kinds have, and this one has.
        check: Raises an ``InputError`` if a figure of a suite on one dataset cannot be drawn.
        draw: Writes a figure into a folder; returns the files, and sentences about what is missing in it.
    """

    takes: frozenset[str]
    check: Callable[[Suite, FigureEntry], None]
    draw: Callable[[Path, Suite, FigureEntry, Runs], tuple[list[Path], list[str]]]


_RULES = frozenset({"inferences", "decisions"})

KINDS: dict[str, Kind] = {
    "curve": Kind(_RULES | {"x", "scale", "columns", "headings"}, check_curve, draw_curve),
    "conditions": Kind(_RULES | {"columns", "headings"}, check_conditions, draw_conditions),
    "operating": Kind(_RULES | {"pairs"}, check_operating, draw_operating),
    MANIFOLDS: Kind(frozenset({"levels", "classes", "most", "images", "texts"}), check_manifolds, draw_manifolds),
}
"""Kinds of figures by name."""


def check_figure(suite: Suite, figure: FigureEntry) -> None:
    """Check a figure of a suite on one dataset.

    Raises:
        InputError: Its kind, axis or a panel does not exist, or it has an entry of another kind.
    """
    if figure.kind not in KINDS:
        kinds = ", ".join(KINDS)
        raise InputError(f"a kind of figure: {kinds}", repr(figure.kind), advice=nearest(figure.kind, KINDS))
    kind = KINDS[figure.kind]
    for field in dataclasses.fields(FigureEntry):
        others = [name for name, other in KINDS.items() if field.name in other.takes]
        if others and field.name not in kind.takes and getattr(figure, field.name) != field.default:
            expected = f"no {field.name}, which only figures of kind {' or '.join(others)} have"
            raise InputError(expected, f"{field.name} in a figure of kind {figure.kind}")
    kind.check(suite, figure)


def draw(folder: Path, suite: Suite, figure: FigureEntry, runs: Runs) -> tuple[list[Path], list[str]]:
    """Draw a figure of a suite on one dataset; the files, and sentences about what is missing in it."""
    return KINDS[figure.kind].draw(folder, suite, figure, runs)
