"""``cladewise predict``."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.checking import check_rules, check_runs
from cladewise.cli.printing import say
from cladewise.cli.settings import with_threshold
from cladewise.cli.tables import FORMAT_HELP, OUT_HELP, table_format, table_writer
from cladewise.errors import InputError

if TYPE_CHECKING:
    from cladewise.datasets import Skipped


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    images: Annotated[list[str], typer.Argument(help="Image files, folders, or patterns such as 'new/**/*.jpg'.")],
    decision: Annotated[
        str | None,
        typer.Option(
            help="Decision, as name or name:key=value,...; see cladewise list decisions. Default: the method's own."
        ),
    ] = None,
    inference: Annotated[
        str | None,
        typer.Option(
            help="Inference rule, likewise; chain several with +; none leaves the prediction unchanged. See "
            "cladewise list inferences. Default: the method's own."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Shorthand for the decision's option, as in threshold:threshold=0.9.")
    ] = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMAT_HELP, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
) -> None:
    """Predict images: write a table with one row per image.

    Columns: the label with its path and probability, the node and probability at every level, the most probable leaf,
    and an error if the image cannot be read. In CSV and TSV, text that a spreadsheet would execute as a formula is
    prefixed with an apostrophe. The exit code is 2 if no image can be read.

    cladewise predict runs/hace new/ --decision majority --out predictions.csv
    """
    format_ = table_format(format_, out)
    rules = with_threshold([decision] if decision else [], threshold)
    check_runs([run])
    check_rules(decisions=rules, inferences=[inference] if inference else [])
    files = find_images(images)

    from cladewise import engine

    with table_writer(format_, out) as write:
        predicted = engine.predict(run, files, inference=inference, decision=rules[0] if rules else None)
        write(predicted.to_frame())
    for warning in predicted.warnings:
        say(f"cladewise: {warning}")
    _tell(predicted.skipped)
    if len(predicted.skipped) == len(predicted.paths):
        raise typer.Exit(2)


def _tell(skipped: Sequence[Skipped]) -> None:
    for image in skipped:
        say(f"cladewise: {image.path} left out: {image.reason}")


def find_images(words: Sequence[str]) -> list[Path]:
    """Files, the images in folders, and whatever patterns match; each once, in order.

    Files in folders, and files that a pattern matches, are left out where neither their content nor their name is that
    of an image. Lines on standard error name them, and images that were named twice.

    Raises:
        InputError: A word matches nothing, or no image.
    """
    matched = [_matches(word) for word in words]
    found: dict[str, Path] = {}
    again: list[Path] = []
    for path in (path for images, _ in matched for path in images):
        if found.setdefault(os.path.abspath(path), path) is not path:
            again.append(path)
    others = [path for _, rest in matched for path in rest]
    for told, paths in (
        ("named more than once, and taken once", again),
        ("left out, since they are no images", others),
    ):
        if paths:
            shown = ", ".join(map(str, paths[:3])) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
            say(f"cladewise: {told}: {shown}")
    return list(found.values())


def _matches(word: str) -> tuple[list[Path], list[Path]]:
    """The images that a word stands for, and the other files that it matches."""
    from cladewise.datasets.files.decoding import is_meant_as_image
    from cladewise.datasets.files.walking import walk

    path = Path(word)
    if os.path.lexists(path) and not path.is_dir():  # what is named on its own is an input, whatever it is
        return [path], []
    if path.is_dir():
        files = [path / name for name in walk(path)]
    else:
        files = sorted(Path(p) for p in glob.glob(word, recursive=True) if not Path(p).is_dir())
    images: list[Path] = []
    others: list[Path] = []
    for file in files:
        (images if is_meant_as_image(file) else others).append(file)
    if not images:
        got = f"{word!r}, where no file is an image" if others else repr(word)
        raise InputError("image files, folders or patterns that match some", got)
    return images, others
