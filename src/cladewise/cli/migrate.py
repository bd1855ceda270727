"""``cladewise migrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.cli.checking import check_runs
from cladewise.cli.printing import say, tell
from cladewise.cli.reading_options import read_tree, with_reading
from cladewise.cli.tables import SUFFIXES, table_format, write_frame
from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import ReadOptions

TABLE = "A table"


@with_reading(beside="taxonomy")
def migrate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|TABLE", help="Run folder; or a table of labels or predictions, whose labels are translated."
        ),
    ],
    matched: Annotated[
        Path, typer.Argument(help="Correspondences that `cladewise taxonomy match` wrote, with every row decided.")
    ],
    reading: ReadOptions,
    out: Annotated[
        Path, typer.Option(help=f"Folder of the new run; for a table the file to write ({', '.join(SUFFIXES)}).")
    ],
    taxonomy: Annotated[
        Path | None,
        typer.Option(help="File of the new tree. Default: the tree that the paths in the correspondences imply."),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit", help="Fit the head again in the new tree, on cached features and translated or new labels."
        ),
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="With --refit: data labelled in the new tree, instead of translated labels.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split on which accuracy is compared.")] = "test",
    rewrite: Annotated[
        bool, typer.Option(help="Move the rows of the head to the new tree if that is exact, instead of translating.")
    ] = True,
    old: Annotated[
        Path | None,
        typer.Option(
            help="File of the old tree. Default: the tree that the paths in the correspondences imply.",
            rich_help_panel=TABLE,
        ),
    ] = None,
    column: Annotated[
        str, typer.Option(help="Column of labels, if the table is not one of predictions.", rich_help_panel=TABLE)
    ] = "label",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Carry a trained run, labels or old predictions over to an edited tree.

    The old run stays as it is. The new one answers in the new tree, exactly as before about whatever did not change.
    Prints what changed, accuracy before and after, and which classes need images.

    cladewise taxonomy match classes.csv classes-2026.csv --out matched.csv

    cladewise migrate runs/hace matched.csv --taxonomy classes-2026.csv --out runs/hace-2026

    cladewise migrate predictions.csv matched.csv --out predictions-2026.csv
    """
    if not matched.is_file():
        advice = "Make one: cladewise taxonomy match OLD NEW --out matched.csv."
        raise InputError("a table of correspondences", "no such file", at=str(matched), advice=advice)
    new = read_tree(taxonomy, reading)
    if source.is_file():
        options = {
            "--refit": refit,
            "--data": data is not None,
            "--split": split != "test",
            "--no-rewrite": not rewrite,
        }
        if given := [name for name, there in options.items() if there]:
            raise InputError(f"a run with {given[0]}", "a table, whose labels are translated", at=str(source))
        if out.exists() and out.samefile(source):
            raise InputError("another file to write than the one to read", str(out), advice="Choose another --out.")
        _translate(source, matched, old, new, column, out)
        return
    if old is not None or column != "label":
        option = "--old" if old is not None else "--column"
        raise InputError(f"a table with {option}", "a run, which has its own tree", at=str(source))
    check_runs([source])
    if data is not None and not refit:
        raise InputError("--data with --refit", "--data alone")

    from cladewise.migration import migrate as carry
    from cladewise.migration.report_text import short_lines

    labelled = None if data is None else _labelled(data, taxonomy, reading)
    done = carry(
        source,
        matched,
        out=out,
        taxonomy=new,
        refit=refit,
        data=labelled,
        split=split,
        rewrite=rewrite,
        progress=not quiet,
    )
    for line in short_lines(done.report):
        tell(line)
    tell(f"{out}: {done.run.folder.migration / 'report.md'} has the details. Next: cladewise evaluate {out}")


def _labelled(data: str, taxonomy: Path | None, reading: ReadOptions) -> Any:
    from cladewise.datasets.finding import find_data

    return find_data(data, taxonomy if Path(data).exists() else None, reading=reading if taxonomy else None)


def _translate(source: Path, matched: Path, old: Path | None, new: Any, column: str, out: Path) -> None:
    """Translate the labels of a table."""
    import polars as pl

    from cladewise.atomic import replacing
    from cladewise.cli.tables import SEPARATORS, lists, undefused
    from cladewise.migration import translate
    from cladewise.parquet import read_parquet

    kind, to = SUFFIXES.get(source.suffix.lower()), table_format(None, out)
    advice = "Convert it to CSV or Parquet."
    if kind is None:
        raise InputError(f"a table: {', '.join(SUFFIXES)}", repr(source.name), at=str(source), advice=advice)
    try:
        if kind == "parquet":
            table = read_parquet(source, advice=advice)
        elif kind == "jsonl":
            table = pl.read_ndjson(source)
        else:
            table = pl.read_csv(source, separator=SEPARATORS[kind], infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise InputError("a table", str(error).splitlines()[0], at=str(source), advice=advice) from None
    is_predicted = any(name.endswith("_path") or name == "labels" for name in table.columns)
    if is_predicted and kind in SEPARATORS:
        table = lists(undefused(table), ("labels", "top_labels"))
    found = translate(table, matched, old=old, taxonomy=new, column=column, at=str(source))
    if is_predicted or to not in SEPARATORS:
        write_frame(found, to, out)
    else:
        with replacing(out) as temporary:  # as it is, since names in it are read by programs
            found.write_csv(temporary, separator=SEPARATORS[to])
    say(f"{out}: {found.height:,} row{'' if found.height == 1 else 's'}")
