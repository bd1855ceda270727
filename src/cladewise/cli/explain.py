"""``cladewise explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.checking import check_runs
from cladewise.cli.printing import say, tell
from cladewise.errors import InputError

DEFAULT_IMAGES = 12


def explain(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, folders or patterns such as 'new/**/*.jpg'. Default: images of the split."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data to take images from.")] = "test",
    images: Annotated[
        int | None, typer.Option(help="Number of images, spread over the labels.", show_default=str(DEFAULT_IMAGES))
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option(help="Name or number of a level, 1 being the coarsest. Default: every level. May be repeated."),
    ] = None,
    target: Annotated[
        str, typer.Option(help="Node whose map is drawn at each level: predicted or true.")
    ] = "predicted",
) -> None:
    """Draw where a model looks at each level (Grad-CAM), for the report of cladewise compare. Needs the extra explain.

    cladewise explain runs/hace --images 8

    cladewise explain runs/hace new/ --level family --level species
    """
    check_runs([run])

    from cladewise import explanations
    from cladewise.cli.naming_images import find_images
    from cladewise.engine import Run
    from cladewise.records.explanations import OF_FILES

    if files and images is not None:
        raise InputError("either files or --images", "both", advice="Leave one of them out.")
    opened = Run.open(run)
    made = explanations.explain(
        opened,
        split=split,
        images=DEFAULT_IMAGES if images is None else images,
        files=find_images(files) if files else (),
        levels=level or (),
        target=target,
    )
    for path, reason in made.skipped:
        say(f"cladewise: {path} left out: {reason}")
    tell(opened.folder.explanations(OF_FILES if files else split))
    if made.skipped and not made.images:
        raise typer.Exit(2)
