"""``cladewise taxonomy match``."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.cli.printing import tell
from cladewise.cli.reading_options import with_reading
from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy.formats.options import ReadOptions


@with_reading()
@with_reading(beside="new", into="reading_new")
def match(
    old: Annotated[Path, typer.Argument(help="The old taxonomy.")],
    new: Annotated[Path, typer.Argument(help="The new taxonomy.")],
    reading: ReadOptions,
    reading_new: ReadOptions,
    out: Annotated[Path, typer.Option(help="Table to write; its name ends in .csv, .tsv or .parquet.")] = Path(
        "matched.csv"
    ),
    page: Annotated[
        Path | None, typer.Option(help="HTML page to write, on which questions are decided and rows edited.")
    ] = None,
    edited: Annotated[
        Path | None, typer.Option(help="An edited table to take the rows from, instead of matching anew.")
    ] = None,
    without: Annotated[
        str, typer.Option(help="Evidence to ignore: ids, names, synonyms, languages, texts, spelling; with commas.")
    ] = "",
) -> None:
    """Propose how the nodes of two versions of a taxonomy correspond, as a table and a page to edit.

    Reading options apply to both files; those that begin with --new- to the new one alone.

    cladewise taxonomy match birds-2023.csv birds-2024.csv --out matched.csv --page matched.html
    """
    from cladewise.taxonomy import match as propose
    from cladewise.taxonomy.correspondence import read_matched, write_matched
    from cladewise.taxonomy.formats.reading import read_with

    options_new = dataclasses.replace(reading, **reading_new.given())
    trees = read_with(old, reading), read_with(new, options_new)
    kinds: Any = [kind.strip() for kind in without.split(",") if kind.strip()]
    if edited is not None and kinds:
        raise InputError("either --edited or --without", "both", advice="An edited table is not matched anew.")
    note = ""
    if edited is not None:
        found = read_matched(edited, *trees, undecided="keep")
    else:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = propose(*trees, without=kinds)
        for warning in caught:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        note = " ".join(str(warning.message) for warning in caught if isinstance(warning.message, InputWarning))
    write_matched(found, out)
    counts = ", ".join(f"{number:,} {change}" for change, number in found.counts().items())
    tell(f"{out}: {len(found):,} rows: {counts}" if counts else f"{out}: no rows")
    if page is not None:
        from cladewise.report.matched_page import write_matched_page

        title = f"{old.name} → {new.name}"
        tell(write_matched_page(found, page, title=title, old_name=str(old), new_name=str(new), note=note))
    if asked := int(found.ask.sum()):
        rows = "1 row" if asked == 1 else f"{asked:,} rows"
        where = f"on {page}" if page is not None else f"those with yes in the column ask of {out}"
        tell(f"{rows} to decide, {where}")
