"""``cladewise datasets``: facts about published datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.printing import print_table, tell

app = typer.Typer(no_args_is_help=True, help="Facts about published datasets, and checks of copies of them.")


@app.callback()
def group() -> None:
    """Facts about published datasets, and checks of copies of them."""


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A dataset of 'cladewise list datasets'.")],
    path: Annotated[
        Path | None, typer.Option(help="A copy of it: read it, and compare its numbers with the published ones.")
    ] = None,
    data_option: Annotated[
        list[str] | None,
        typer.Option(
            "--data-option", help="Further option of the dataset for --path, as in hierarchy=DIR; repeatable."
        ),
    ] = None,
) -> None:
    """Print a published dataset's levels, splits, licence, citation, files and where to get them.

    With --path a copy is read and its numbers are printed next to the published ones; exits with 1 if they differ.

    cladewise datasets show cub-200-2011

    cladewise datasets show cub-200-2011 --path path/to/CUB_200_2011
    """
    from rich.table import Table

    from cladewise import datasets
    from cladewise.cli.settings import parse_pairs
    from cladewise.datasets.published.registry import published

    entry, facts = published(name), datasets.facts(name)
    options = parse_pairs(data_option or [], "--data-option")
    if path is not None:
        options["path"] = path
    is_checked = bool(options)
    counts = datasets.check(name, **options) if is_checked else facts.counts()
    tell(f"{name}: {entry.description}")
    tell("")
    table = Table("of", "unit", "published", *(["found"] if is_checked else []), box=None, header_style="bold")
    for count in counts:
        found = [f"{count.found:,}{'' if count.found == count.published else ' !'}"] if is_checked else []
        table.add_row(count.of, count.unit, f"{count.published:,}", *found)
    print_table(table)
    tell("")
    for note in facts.notes:
        tell(note)
    lines = {"licence": facts.licence, "citation": facts.citation, "where": facts.where}
    lines["options"] = ", ".join(entry.options) or "none"
    for title, text in lines.items():
        tell(f"{title}: {text}")
    if facts.files:
        tell("files:")
        width = max(len(file) for file in facts.files)
        for file, text in facts.files.items():
            tell(f"  {file:{width}}  {text}")
    if is_checked:
        wrong = sum(count.found != count.published for count in counts)
        tell("")
        tell(f"{path or name}: " + (f"{wrong} of {len(counts)} numbers differ" if wrong else "as published"))
        if wrong:
            raise typer.Exit(1)
