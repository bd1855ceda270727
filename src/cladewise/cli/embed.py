"""``cladewise embed``: vectors for labels and images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.catalogue import check_name
from cladewise.cli.checking import check_runtime
from cladewise.cli.reading_options import with_reading
from cladewise.cli.settings import PRECISION_HELP, PRECISIONS, RUNTIME_HELP, with_settings
from cladewise.cli.taxonomy import File
from cladewise.errors import InputError
from cladewise.records import EmbeddingConfig
from cladewise.taxonomy.formats.options import ReadOptions

LISTED = 20
"""Largest number of unreadable images that are named on standard error; the table has all of them."""

app = typer.Typer(no_args_is_help=True, help="Embed labels, or images, as vectors.")


@app.callback()
def options() -> None:
    """Embed labels, or images, as vectors."""


@app.command()
def images(
    encoder: Annotated[str, typer.Argument(help="Run folder, or the name of an encoder.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, folders, patterns, tables, archives, videos or URIs, as for predict."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Instead: a split of the run's data, or all, with its labels.", show_default=False),
    ] = None,
    out: Annotated[
        str, typer.Option(help="File that ends in .parquet, or a folder or URI for a file per some thousand rows.")
    ] = "features.parquet",
    space: Annotated[
        str, typer.Option(help="encoder: its features; own: the vectors from which the run's head computes scores.")
    ] = "encoder",
    column: Annotated[
        str | None, typer.Option(help="Column of a table with paths, URLs or image bytes.", show_default=False)
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(help="Folder or URI that relative paths in a table start from. Default: that of the table."),
    ] = None,
    input_format: Annotated[
        str | None, typer.Option(help="Format of the input, if its name does not say.", show_default=False)
    ] = None,
    storage_option: Annotated[
        list[str] | None,
        typer.Option(help="Option of the storage as key=value. May be repeated.", show_default=False),
    ] = None,
    runtime: Annotated[str | None, typer.Option(help=RUNTIME_HELP, show_default="auto")] = None,
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = "fp32",
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Threads that read and decode images.", show_default="one per processor"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Write features of images as Parquet, for any other tool. The same command resumes after an interruption.

    One row per image: path, further columns of the input, features (a list of float32 of one length) and error. The
    exit code is 2 if no image can be read.

    cladewise embed images efficientnet_lite0 photos/ --out features.parquet

    cladewise embed images runs/hace --split train --out train.parquet
    """
    check_runtime(runtime)
    check_name(PRECISIONS, "precision", precision)
    if not sources and split is None:
        raise InputError("images to embed, or --split", "neither")

    from cladewise.cli.printing import say, tell
    from cladewise.features import embed_images
    from cladewise.sources import open_source, storage_options

    given = ()
    if sources:
        options = storage_options(storage_option or [])
        given = open_source(sources, column=column, root=root, format=input_format, storage_options=options)
        for note in given.notes:
            say(f"cladewise: {note}")
    chosen: Any = {"space": space, "precision": precision}
    table = embed_images(
        encoder, given, out, split=split, runtime=runtime, threads=workers, progress=not quiet, **chosen
    )
    if not table.files:
        return
    frame = table.frame
    failed = frame.filter(frame["error"].is_not_null())
    for path, reason in failed.select("path", "error").head(LISTED).rows():
        say(f"cladewise: {path} left out: {reason}")
    tell(f"{out}: {frame.height - failed.height:,} of {frame.height:,} images, {table.num_features} features each")
    if frame.height and failed.height == frame.height:
        raise typer.Exit(2)


@app.command()
@with_settings(EmbeddingConfig)
@with_reading()
def taxonomy(
    file: File,
    reading: ReadOptions,
    out: Annotated[Path, typer.Option(help="Folder of the embedding.")] = Path("runs/labels"),
    **chosen: Any,
) -> None:
    """Embed the labels of a taxonomy. Repeating the command resumes an interrupted embedding.

    cladewise embed taxonomy classes.csv --geometry hyperbolic --dim 10 --out runs/labels
    """
    from rich.table import Table

    from cladewise.cli.printing import print_table, tell
    from cladewise.drawing.label_space import embedding_drawing
    from cladewise.drawing.paper import save_figure
    from cladewise.embeddings import embed, picture
    from cladewise.records import EmbeddingFolder, read_results
    from cladewise.taxonomy.formats.reading import read_with

    tree = read_with(file, reading)
    space = embed(tree, out=out, **chosen)
    files = EmbeddingFolder(out)
    save_figure(embedding_drawing(picture(space), tree), files.picture)
    table = Table("pairs", "F1", "precision", "recall", "TNR", "threshold", box=None, header_style="bold")
    for name, scores in read_results(files).items():
        numbers = (scores[key] for key in ("f1", "precision", "recall", "tnr"))
        table.add_row(name, *(f"{number:.3f}" for number in numbers), f"{scores['threshold']:.3g}")
    print_table(table)
    tell(f"{out}: embedded. The picture is {files.picture}.png")
