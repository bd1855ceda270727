"""``cladewise manifolds``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.catalogue import read_value
from cladewise.cli.checking import check_runs


def manifolds(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    split: Annotated[str, typer.Option(help="Split of the data to take images from.")] = "test",
    levels: Annotated[
        str,
        typer.Option(help="One to three levels to colour by, by number or name. Default: the coarsest and the finest."),
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            help="Draw only images of this class and the classes below it; repeat it for several.",
            show_default=False,
        ),
    ] = None,
    most: Annotated[
        str,
        typer.Option(
            help="Numbers of classes to draw, such as 5,4: of the first level the 5 classes with the most images, of "
            "the second the 4 with the most in each of them. Default: all.",
        ),
    ] = "",
    images: Annotated[int, typer.Option(help="Maximum number of images.", min=4)] = 2000,
    neighbours: Annotated[int, typer.Option(help="Nearest neighbours whose classes are compared.", min=1)] = 10,
    by: Annotated[str, typer.Option(help="Projection to two dimensions: tsne or umap.")] = "tsne",
) -> None:
    """Draw the feature space of a run in the plane, and measure how much classes overlap at each level.

    The pictures go into the run folder, and cladewise compare shows them. Needs the extra explain.

    cladewise manifolds runs/hmcf --levels family,species

    cladewise manifolds runs/hmcf --by umap

    cladewise manifolds runs/hmcf --levels class,family,species --most 5,4
    """
    check_runs([run])
    numbers_of_classes = read_value(most, tuple[int, ...], "--most")

    from rich.table import Table

    from cladewise import explanations
    from cladewise.cli.printing import print_table, tell
    from cladewise.engine import Run

    opened = Run.open(run)
    made = explanations.manifolds(
        opened,
        split=split,
        levels=levels,
        classes=only or (),
        most=numbers_of_classes,
        images=images,
        neighbours=neighbours,
        by=by,
    )
    table = Table("level", "classes", "images", "neighbours of the class", "at random", "silhouette")
    for level in made.overlap:
        numbers = (level.purity, level.chance, level.silhouette)
        shown = ("-" if number is None else f"{number:.3f}" for number in numbers)
        table.add_row(level.level, str(level.classes), str(level.images), *shown)
    print_table(table)
    tell(opened.folder.plates("manifolds", split))
