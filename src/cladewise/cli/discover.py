"""``cladewise discover``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.checking import check_runs
from cladewise.cli.printing import tell


def discover(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    split: Annotated[str, typer.Option(help="Split whose images are clustered; join several with +.")] = "train",
    level: Annotated[
        str | None,
        typer.Option(help="Level of the coarse classes. Default: the level of the labels that the run was trained on."),
    ] = None,
    clusters: Annotated[
        str | None,
        typer.Option(
            help="Clusters per coarse class: a multiple of its true number of fine classes, a number, or auto.",
            show_default="2x; auto with --new-from",
        ),
    ] = None,
    new_from: Annotated[
        Path | None,
        typer.Option(
            help="Table of predictions with a column new, as predict --decision new-class writes it: discover classes "
            "among the images that are called new, under the nodes that they are answered with."
        ),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Number of example images per cluster on the page.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the clustering.")] = 0,
) -> None:
    """Propose classes under the coarse ones: a page of example images and a refined taxonomy. Needs the extra clusters.

    cladewise discover runs/hcm --split train+val --clusters auto

    cladewise discover runs/hace --new-from answers.csv
    """
    check_runs([run])

    from cladewise import discovery

    found = discovery.discover(
        run, split=split, level=level, clusters=clusters, examples=examples, new_from=new_from, seed=seed
    )
    for what, agreed in (("inside coarse classes", found.inside), ("over all images", found.overall)):
        if agreed is not None:
            tell(
                f"agreement {what}: ARI {agreed.adjusted_rand:.3f}, NMI {agreed.mutual_information:.3f}, "
                f"purity {agreed.purity:.3f}"
            )
    for name in ("page.html", "taxonomy.csv", "images.csv"):
        tell(f"{found.folder / name}")
