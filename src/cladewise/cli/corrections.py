"""``cladewise corrections``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cladewise.cli.printing import say, tell
from cladewise.errors import InputError
from cladewise.hub_access import is_on_hub
from cladewise.records import RunFolder, local_run_folder

if TYPE_CHECKING:
    from cladewise.datasets import Dataset
    from cladewise.taxonomy import Taxonomy

LISTED = 20
"""Largest number of images without a label that are named."""


def corrections(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Exports of Label Studio or FiftyOne, or tables with the columns path and label; later ones count "
            "where they label the same image."
        ),
    ],
    taxonomy: Annotated[
        Path, typer.Option(help="Run whose predictions were corrected, or the file of its label tree.")
    ],
    out: Annotated[Path, typer.Option(help="Manifest to write, a .csv file: the input of cladewise train.")],
    format_: Annotated[
        str | None,
        typer.Option("--from", help="Format: label-studio, fiftyone, manifest or another export. Default: detected."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder that relative paths start from. Default: that of each file.")
    ] = None,
    with_data: Annotated[
        bool,
        typer.Option(
            "--with-data",
            help="Also write the images of the run's data, with their splits and, unless corrected, their labels.",
        ),
    ] = False,
    several: Annotated[
        str,
        typer.Option(help="Images with several labels: skip them, or label them with the node they have in common."),
    ] = "skip",
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="Option of the format as key=value, as in annotators=majority or field=checked. May be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a manifest of labels that people corrected in Label Studio, in FiftyOne or on cladewise's own pages.

    A path that is not in the tree is refused. Images that were skipped or left empty are listed.

    cladewise predict runs/birds new/ --format label-studio --out tasks.json

    cladewise corrections export.json --taxonomy runs/birds --root new --with-data --out corrected.csv

    cladewise train corrected.csv --taxonomy runs/birds/taxonomy.csv --method hace --out runs/birds-2
    """
    from cladewise.interchange.corrected_labels import read_corrected_labels, tell_missing

    tree, data = _tree(taxonomy, with_data=with_data)
    chosen: Any = several
    found = read_corrected_labels(files, tree, format=format_, root=root, several=chosen, **_options(option or []))
    tell_missing(found, str(files[0]))
    found.write(out, data)
    for skip in found.skipped[:LISTED]:
        say(f"cladewise: {skip.path} left out: {skip.reason}")
    if len(found.skipped) > LISTED:
        say(f"cladewise: {len(found.skipped) - LISTED} more left out")
    for note in found.notes:
        say(f"cladewise: {note}")
    if found.replaced:
        say(f"cladewise: {found.replaced} labelled differently by a later file, which counts")
    tell(out)
    tell(f"{len(found.paths):,} images with a label, {len(found.skipped):,} without")


def _tree(place: Path, *, with_data: bool) -> tuple[Taxonomy, Dataset | None]:
    """The label tree, and the data of the run if it is wanted."""
    from cladewise.taxonomy import read

    folder = local_run_folder(place)
    is_run = is_on_hub(place) or RunFolder(folder).config.is_file()
    if with_data:
        if not is_run:
            raise InputError("a run as --taxonomy with --with-data", str(place))
        from cladewise.engine import Run

        run = Run.open(folder)
        return run.taxonomy, run.dataset
    return read(RunFolder(folder).tree() if is_run else folder), None


def _options(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise InputError("--option key=value", repr(word))
        found[name] = value
    return found
