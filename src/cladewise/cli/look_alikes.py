"""``cladewise look-alikes``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.checking import check_runs
from cladewise.cli.printing import tell


def look_alikes(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    split: Annotated[str, typer.Option(help="Split of the data to take images from.")] = "test",
    level: Annotated[
        str,
        typer.Option(help="Level at which look-alikes differ, by number or name. Default: the one above the finest."),
    ] = "",
    within: Annotated[
        str, typer.Option(help="Level at which dissimilar pairs have the same class. Default: the same level.")
    ] = "",
    pairs: Annotated[int, typer.Option(help="Maximum number of pairs of each kind.", min=1)] = 12,
) -> None:
    """Draw the most similar pairs of images of different classes, and the least similar pairs of one class.

    The pictures go into the run folder, and cladewise compare shows them.

    cladewise look-alikes runs/hace --level genus --within species
    """
    check_runs([run])

    from cladewise import explanations
    from cladewise.engine import Run

    opened = Run.open(run)
    explanations.look_alikes(opened, split=split, level=level, within=within, pairs=pairs)
    tell(opened.folder.plates("look-alikes", split))
