"""``cladewise retrieve`` and ``cladewise entails``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.printing import say, tell
from cladewise.cli.tables import FORMAT_HELP, OUT_HELP
from cladewise.errors import InputError

if TYPE_CHECKING:
    from cladewise.engine.spaces import PlacedImages, RunSpace

RunArgument = Annotated[Path, typer.Argument(help="Folder of a run of a method whose labels are vectors.")]
ThresholdOption = Annotated[
    float | None,
    typer.Option(help="Energy up to which a label holds an image; by default that of best F1 on the validation split."),
]
NewOption = Annotated[str | None, typer.Option("--new", help="Name of a label to add first, without training again.")]
ParentOption = Annotated[str | None, typer.Option(help="Its parent, a name or a path; the root where none is given.")]
ExamplesOption = Annotated[list[str] | None, typer.Option(help="Images that it is to hold. May be repeated.")]


def retrieve(
    run: RunArgument,
    images: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, folders, or patterns; images of the split where none are given."),
    ] = None,
    under: Annotated[
        str | None,
        typer.Option(help="List the images under this label (name, id or path); without it, the labels of each image."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data to take images from.")] = "test",
    limit: Annotated[int, typer.Option(help="Images to list, at most.", min=1)] = 20,
    threshold: ThresholdOption = None,
    new: NewOption = None,
    parent: ParentOption = None,
    examples: ExamplesOption = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMAT_HELP, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
) -> None:
    """List images under a label, or the labels that hold each image, without choosing a level.

    cladewise retrieve runs/cones --under Fruit --split test --limit 10

    cladewise retrieve runs/cones new/ --new Quince --parent Fruit --examples quinces/
    """
    import polars as pl

    from cladewise.cli.predict import find_images
    from cladewise.cli.tables import table_format, write_frame
    from cladewise.engine.prediction_table import node_path, printable

    format_ = table_format(format_, out)
    space = _opened(run, threshold, new, parent, examples)
    placed = space.place(find_images(images) if images else split)
    taxonomy = space.labels.taxonomy
    if under is not None:
        found = space.retrieve(under, placed, limit=limit)
        columns = {
            "path": [printable(placed.paths[i]) for i in found.image.tolist()],
            "energy": found.energy.double().tolist(),
        }
        frame = pl.DataFrame(columns, schema={"path": pl.String, "energy": pl.Float64})
    else:
        shown = slice(0, limit)
        holding, nearest = space.holding(placed)[shown], space.nearest(placed)[shown].tolist()
        frame = pl.DataFrame(
            {
                "path": [printable(path) for path in placed.paths[shown]],
                "nearest": [node_path(taxonomy, v) for v in nearest],
                "held_by": [[node_path(taxonomy, v) for v in nodes.tolist()] for nodes in holding],
            },
            schema={"path": pl.String, "nearest": pl.String, "held_by": pl.List(pl.String)},
        )
    write_frame(frame, format_, out)
    _tell(placed)


def entails(
    run: RunArgument,
    general: Annotated[str, typer.Argument(help="A label: a name, id or path.")],
    special: Annotated[str, typer.Argument(help="Another label, or an image file.")],
    threshold: ThresholdOption = None,
    new: NewOption = None,
    parent: ParentOption = None,
    examples: ExamplesOption = None,
) -> None:
    """Tell whether one label holds another, or an image, by their vectors: yes or no, the energy and its threshold.

    cladewise entails runs/cones Fruit Apple
    """
    space = _opened(run, threshold, new, parent, examples)
    if Path(special).is_file():
        placed = space.place([special])
        if not placed.paths:
            _tell(placed)
            raise typer.Exit(2)
        labels = space.labels
        energy, bar = float(labels.geometry.energy(labels.vector(general), placed.vectors[0])), space.threshold
    else:
        energy, bar = space.labels.energy(general, special), space.labels.threshold
    tell(f"{'yes' if energy <= bar else 'no'} (energy {energy:.4g}, threshold {bar:.4g})")


def _opened(
    run: Path, threshold: float | None, new: str | None, parent: str | None, examples: list[str] | None
) -> RunSpace:
    from cladewise.cli.predict import find_images
    from cladewise.engine import Run
    from cladewise.engine.spaces import RunSpace

    if new is None and (parent is not None or examples):
        raise InputError("--new NAME with --parent and --examples", "none", advice="Name the label to add.")
    space = RunSpace.of(Run.open(run), threshold=threshold)
    if new is None:
        return space
    return space.with_label(new, parent, examples=space.place(find_images(examples)) if examples else None)


def _tell(placed: PlacedImages) -> None:
    for skipped in placed.skipped:
        say(f"cladewise: {skipped.path} left out: {skipped.reason}")
