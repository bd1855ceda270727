"""``cladewise zero-shot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.catalogue import nearest
from cladewise.cli.printing import tell
from cladewise.cli.reading_options import with_reading
from cladewise.cli.settings import parse_pairs
from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import ReadOptions

CHOICES = {
    "ensemble": ("none", "simple", "imagenet"),
    "over": ("leaves", "levels", "siblings", "nodes", "independent"),
    "precision": ("float32", "float16"),
    "resize": ("shorter-side", "square"),
}
"""As the types of the library's arguments, without loading torch."""


@with_reading()
def zero_shot(
    reading: ReadOptions,
    taxonomy: Annotated[Path | None, typer.Argument(help="The label tree. Default: that of --data.")] = None,
    model: Annotated[
        str,
        typer.Option(
            help="An open_clip model: open_clip:MODEL/WEIGHTS, open_clip:hf-hub:USER/NAME, or a folder in its format."
        ),
    ] = "",
    out: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/zero-shot"),
    data: Annotated[
        str | None,
        typer.Option(
            help="Images with labels in the tree, to evaluate on and to fit rules on: a folder, a manifest, or the "
            "name of a dataset."
        ),
    ] = None,
    data_option: Annotated[
        list[str] | None,
        typer.Option("--data-option", help="Option of the dataset, as in --data-option path=photos; repeatable."),
    ] = None,
    texts: Annotated[
        str,
        typer.Option(
            help="Templates of the texts, such as 'a photo of a {name}', with vertical bars between several; or clip, "
            "bioclip or bioclip-common."
        ),
    ] = "clip",
    ensemble: Annotated[
        str, typer.Option(help="Phrasings around every template: none, simple (7) or imagenet (80).")
    ] = "none",
    over: Annotated[
        str,
        typer.Option(
            help="What competes: leaves, which are summed up the tree; or the nodes' own texts: levels, siblings, "
            "nodes, or independent."
        ),
    ] = "leaves",
    precision: Annotated[
        str, typer.Option(help="Precision in which vectors of texts are kept: float32 or float16.")
    ] = "float32",
    resize: Annotated[
        str | None,
        typer.Option(help="How images are resized: shorter-side or square.", show_default="as the model says"),
    ] = None,
    chunk: Annotated[int, typer.Option(help="Number of texts encoded at once.", min=1)] = 256,
    name: Annotated[str, typer.Option(help="Name of the run in reports.")] = "zero-shot",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run that is in the folder; other files stay.")
    ] = False,
) -> None:
    """Make a classifier over a label tree from an open_clip model and the texts of the nodes, without training.

    Repeating the command resumes an interrupted one.

    cladewise zero-shot birds.csv --model open_clip:hf-hub:imageomics/bioclip-2 --texts bioclip --out runs/zero
    """
    chosen: dict[str, Any] = {"ensemble": ensemble, "over": over, "precision": precision, "resize": resize}
    for option, value in chosen.items():
        if value is not None and value not in CHOICES[option]:
            choices = CHOICES[option]
            raise InputError(f"--{option} {' or '.join(choices)}", repr(value), advice=nearest(value, choices))
    if not model:
        raise InputError("--model", "none", advice="Give open_clip:MODEL/WEIGHTS, or a folder in open_clip's format.")
    if taxonomy is None and data is None:
        raise InputError("a label tree, or --data that has one", "neither")
    given: dict[str, Any] = parse_pairs(data_option or [], "--data-option")
    if data is None and given:
        raise InputError("--data with --data-option", "--data-option alone")

    from cladewise import engine
    from cladewise.datasets.finding import find_data
    from cladewise.taxonomy.formats.reading import read_with

    dataset = None if data is None else find_data(data, taxonomy, reading=reading, **given)
    if dataset is not None:
        tree = dataset.taxonomy
    else:
        assert taxonomy is not None
        tree = read_with(taxonomy, reading)
    run = engine.zero_shot(
        tree, model=model, out=out, data=dataset, texts=texts, chunk=chunk, name=name, overwrite=overwrite, **chosen
    )
    step = "evaluate" if dataset is not None else "predict"
    more = "" if dataset is not None else " IMAGES"
    tell(f"{run.path}: {tree}, by {model}. Next: cladewise {step} {run.path}{more}")
