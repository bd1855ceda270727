"""``cladewise space``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.checking import check_runs
from cladewise.cli.printing import tell


def space(
    run: Annotated[Path, typer.Argument(help="Run folder; its method must embed labels as vectors.")],
    split: Annotated[str, typer.Option(help="Split of the data to take images from.")] = "test",
    images: Annotated[int, typer.Option(help="Maximum number of images drawn as dots.", min=1)] = 2000,
    photographs: Annotated[int, typer.Option(help="Maximum number of photographs around the picture.", min=0)] = 32,
    descending: Annotated[int, typer.Option(help="Images whose energies are drawn along their paths.", min=1)] = 8,
) -> None:
    """Draw the embedding space of a run: its labels, its images, and how images descend the tree.

    The pictures go into the run folder, and cladewise compare shows them.

    cladewise space runs/cones --split test
    """
    check_runs([run])

    from cladewise import explanations

    tell(explanations.space(run, split=split, images=images, photographs=photographs, descending=descending))
