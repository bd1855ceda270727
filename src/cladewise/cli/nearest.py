"""``cladewise index`` and ``cladewise nearest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.catalogue import check_name
from cladewise.cli.printing import tell
from cladewise.cli.tables import FORMAT_HELP, OUT_HELP, table_format, write_frame


def index(
    features: Annotated[Path, typer.Argument(help="Table of features that cladewise embed images wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the index.")] = Path("index"),
    metric: Annotated[str, typer.Option(help="cosine or euclidean.")] = "cosine",
    kind: Annotated[
        str, typer.Option(help="exact; hnsw, approximate, for many images; or auto, exact up to 50,000 images.")
    ] = "auto",
    encoder: Annotated[
        str | None,
        typer.Option(help="Run folder, if it has moved since its features were computed.", show_default=False),
    ] = None,
) -> None:
    """Make an index of features, for the nearest images.

    cladewise index features.parquet --out index
    """
    check_name(("cosine", "euclidean"), "metric", metric)
    check_name(("auto", "exact", "hnsw"), "kind", kind)

    from cladewise.features import index_features

    chosen: Any = {"metric": metric, "kind": kind}
    made = index_features(features, out, encoder=encoder, **chosen)
    tell(f"{out}: {made.num_images:,} images by {made.metric} distance, {made.kind}")


def nearest(
    index: Annotated[Path, typer.Argument(help="Folder of an index.")],
    images: Annotated[
        list[str],
        typer.Argument(help="Image files, folders, patterns or tables, or a table of their features."),
    ],
    k: Annotated[int, typer.Option("--k", min=1, help="Number of images to list for each.")] = 10,
    encoder: Annotated[
        str | None, typer.Option(help="Run folder or encoder, if it has moved.", show_default=False)
    ] = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMAT_HELP, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
) -> None:
    """List the nearest images of an index to each image, with their distances and labels.

    cladewise nearest index photo.jpg --k 5
    """
    format_ = table_format(format_, out)

    from cladewise import features

    write_frame(features.nearest(index, images, k=k, encoder=encoder), format_, out)
