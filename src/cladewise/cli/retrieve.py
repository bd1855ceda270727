"""``cladewise retrieve`` and ``cladewise entails``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.checking import check_runs
from cladewise.cli.printing import say, tell
from cladewise.cli.tables import FORMAT_HELP, OUT_HELP, table_format, write_frame

if TYPE_CHECKING:
    from cladewise.datasets import Skipped

RunArgument = Annotated[Path, typer.Argument(help="Run folder; its method must embed labels as vectors.")]
ThresholdOption = Annotated[
    float | None,
    typer.Option(help="Largest energy at which a label contains an image. Default: best F1 on the validation split."),
]
NewOption = Annotated[str | None, typer.Option("--new", help="Name of a label to add first, without retraining.")]
ParentOption = Annotated[str | None, typer.Option(help="Parent of the new label, by name or path. Default: the root.")]
ExamplesOption = Annotated[list[str] | None, typer.Option(help="Example images of the new label. May be repeated.")]


def retrieve(
    run: RunArgument,
    images: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, folders or patterns. Default: the images of the split."),
    ] = None,
    under: Annotated[
        str | None,
        typer.Option(help="List the images under this label (name, id or path) instead of the labels of each image."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data to take images from.")] = "test",
    limit: Annotated[int, typer.Option(help="Maximum number of images to list.", min=1)] = 20,
    threshold: ThresholdOption = None,
    new: NewOption = None,
    parent: ParentOption = None,
    examples: ExamplesOption = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMAT_HELP, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
) -> None:
    """List the images under a label, or the labels that contain each image.

    cladewise retrieve runs/cones --under Fruit --split test --limit 10

    cladewise retrieve runs/cones new/ --new Quince --parent Fruit --examples quinces/
    """
    check_runs([run])

    from cladewise import engine
    from cladewise.cli.naming_images import find_images

    format_ = table_format(format_, out)
    found = engine.retrieve(
        run,
        find_images(images or ()),
        under=under,
        split=split,
        limit=limit,
        threshold=threshold,
        new=new,
        parent=parent,
        examples=find_images(examples or ()),
    )
    write_frame(found.frame, format_, out)
    _tell(found.skipped)


def entails(
    run: RunArgument,
    general: Annotated[str, typer.Argument(help="A label: a name, id or path.")],
    special: Annotated[str, typer.Argument(help="Another label, or an image file.")],
    threshold: ThresholdOption = None,
    new: NewOption = None,
    parent: ParentOption = None,
    examples: ExamplesOption = None,
) -> None:
    """Tell whether a label contains another label or an image: yes or no, with the energy and the threshold.

    cladewise entails runs/cones Fruit Apple
    """
    check_runs([run])

    from cladewise import engine
    from cladewise.cli.naming_images import find_images

    found = engine.entails(
        run, general, special, threshold=threshold, new=new, parent=parent, examples=find_images(examples or ())
    )
    tell(f"{'yes' if found else 'no'} (energy {found.energy:.4g}, threshold {found.threshold:.4g})")


def _tell(skipped: Sequence[Skipped]) -> None:
    for image in skipped:
        say(f"cladewise: {image.path} left out: {image.reason}")
