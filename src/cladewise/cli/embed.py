"""``cladewise embed``: vectors for labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.cli.settings import with_settings
from cladewise.cli.taxonomy import File, FormatOption, LevelsOption, ParentsOption, RootsOption, reading_options
from cladewise.records import EmbeddingConfig

app = typer.Typer(no_args_is_help=True, help="Embed labels so that their vectors keep the order of the tree.")


@app.callback()
def options() -> None:
    """Embed labels so that their vectors keep the order of the tree."""


@app.command()
@with_settings(EmbeddingConfig)
def taxonomy(
    file: File,
    out: Annotated[Path, typer.Option(help="Folder of the embedding.")] = Path("runs/labels"),
    format: FormatOption = None,
    parents: ParentsOption = "error",
    roots: RootsOption = "error",
    levels: LevelsOption = None,
    **chosen: Any,
) -> None:
    """Embed the labels of a taxonomy; given again after an interruption, it goes on where it stopped.

    cladewise embed taxonomy classes.csv --geometry hyperbolic --dim 10 --out runs/labels
    """
    from rich.table import Table

    from cladewise.cli.printing import print_table, tell
    from cladewise.embeddings import embed, picture
    from cladewise.records import EmbeddingFolder, read_results
    from cladewise.report.drawings import save
    from cladewise.report.embedding import embedding_drawing
    from cladewise.taxonomy import read

    tree = read(file, **reading_options(format, parents, roots, levels, None))
    space = embed(tree, out=out, **chosen)
    files = EmbeddingFolder(out)
    save(embedding_drawing(picture(space), tree), files.picture)
    table = Table("pairs", "F1", "precision", "recall", "TNR", "threshold", box=None, header_style="bold")
    for name, scores in read_results(files).items():
        numbers = (scores[key] for key in ("f1", "precision", "recall", "tnr"))
        table.add_row(name, *(f"{number:.3f}" for number in numbers), f"{scores['threshold']:.3g}")
    print_table(table)
    tell(f"{out}: embedded. The picture is {files.picture}.png")
