"""``cladewise embed``: vectors for labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.cli.reading_options import with_reading
from cladewise.cli.settings import with_settings
from cladewise.cli.taxonomy import File
from cladewise.records import EmbeddingConfig
from cladewise.taxonomy.formats.options import ReadOptions

app = typer.Typer(no_args_is_help=True, help="Embed labels as vectors that preserve the order of the tree.")


@app.callback()
def options() -> None:
    """Embed labels as vectors that preserve the order of the tree."""


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
