"""``cladewise predict``."""

from __future__ import annotations

import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.printing import say
from cladewise.cli.settings import with_threshold
from cladewise.errors import InputError

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("csv", "jsonl", "parquet")


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    images: Annotated[list[str], typer.Argument(help="Image files, folders, or patterns such as 'new/**/*.jpg'.")],
    decision: Annotated[
        str | None,
        typer.Option(
            help="A decision, as name or name:key=value,...; see: cladewise list decisions. The method's own where "
            "none is given."
        ),
    ] = None,
    inference: Annotated[
        str | None,
        typer.Option(
            help="An inference, likewise; several in turn are joined with +, none takes the prediction as it is. See: "
            "cladewise list inferences. The method's own where none is given."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Short for the decision's option threshold, as in threshold:threshold=0.9.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
) -> None:
    """Predict for images: the label, its whole path, and the probability of every step."""
    from cladewise import engine

    if format_ not in FORMATS:
        raise InputError(f"--format {' or '.join(FORMATS)}", repr(format_))
    if format_ == "parquet" and out is None:
        raise InputError("--out FILE with --format parquet", "standard output")
    rule = next(iter(with_threshold([decision] if decision else [], threshold)), None)
    predicted = engine.Run.open(run).predict(find_images(images), inference=inference)
    write_frame(predicted.to_frame(rule), format_, out)
    for warning in predicted.warnings:
        say(f"cladewise: {warning}")
    for skipped in predicted.skipped:
        say(f"cladewise: {skipped.path} left out: {skipped.reason}")
    if predicted.skipped and not predicted.paths:
        raise typer.Exit(2)


def find_images(words: Sequence[str]) -> list[Path]:
    """Files, the images in folders, and whatever patterns match; each once, in order.

    Raises:
        InputError: A word matches nothing.
    """
    from cladewise.datasets.listing import walk

    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        if path.is_dir():
            matches = [path / name for name in walk(path)]
        elif path.exists():
            matches = [path]
        else:
            matches = sorted(Path(p) for p in glob.glob(word, recursive=True) if Path(p).is_file())
        if not matches:
            raise InputError("image files, folders or patterns that match some", repr(word))
        found.update(dict.fromkeys(matches))
    return list(found)


def write_frame(frame: pl.DataFrame, format_: str, out: Path | None) -> None:
    """Write predictions as CSV (steps of paths joined with slashes, sets with semicolons), JSON lines or Parquet."""
    import polars as pl

    from cladewise.atomic import replacing

    if format_ == "csv":
        lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
        rounded = frame.with_columns(pl.col(pl.Float64).round(6))
        frame = rounded.with_columns(
            pl.col(name)
            .list.eval(
                pl.element().cast(pl.Float64, strict=False).round(6).cast(pl.String)
                if frame.schema[name] == pl.List(pl.Float64)
                else pl.element()
            )
            .list.join("/" if name.startswith("path_") else ";")
            for name in lists
        )
    if out is None:
        text = frame.write_csv() if format_ == "csv" else frame.write_ndjson()
        sys.stdout.write(text)
        return
    with replacing(out) as temporary:
        if format_ == "csv":
            frame.write_csv(temporary)
        elif format_ == "jsonl":
            frame.write_ndjson(temporary)
        else:
            frame.write_parquet(temporary)
