"""``cladewise taxonomy``: check, show, convert, compare and propose label trees."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.cli.induce import induce
from cladewise.cli.match import match
from cladewise.cli.printing import console, tell
from cladewise.cli.reading_options import with_reading
from cladewise.cli.settings import NAMES_HELP
from cladewise.cli.wording import Wording
from cladewise.taxonomy.formats.options import ReadOptions

app = typer.Typer(no_args_is_help=True, help="Check, show, convert, compare, match and propose label trees.")
app.command()(induce)
app.command()(match)

File = Annotated[Path, typer.Argument(help="A table, a JSON, YAML or Newick file, a folder, or WordNet's folder.")]


@app.command()
@with_reading()
def check(
    context: typer.Context,
    file: File,
    reading: ReadOptions,
    warnings: Annotated[bool, typer.Option(help="Also report warnings.")] = True,
) -> None:
    """List everything that is wrong with a taxonomy file, and count its nodes. Exits with 1 if there is an error."""
    from cladewise.taxonomy.formats.checking import examine
    from cladewise.taxonomy.outline import size_line

    found = examine(file, reading)
    worded = Wording(context.command)
    for problem in found.problems:
        problem = dataclasses.replace(problem, advice=worded(problem.advice))
        if warnings or problem.severity == "error":
            tell(f"{file}:{problem}" if problem.line else f"{file}: {problem}")
    if found.taxonomy is not None:
        tell(f"{file}: {size_line(found.taxonomy)}")
    errors = found.num_errors
    tell(f"{file}: {_count(errors, 'error')}, {_count(len(found.problems) - errors, 'warning')}")
    if errors:
        raise typer.Exit(1)


@app.command()
@with_reading()
def show(
    file: File,
    reading: ReadOptions,
    depth: Annotated[int, typer.Option(min=0, help="Depth to show, in edges from the root.")] = 3,
    max_children: Annotated[int, typer.Option(min=1, help="Maximum number of children to show per node.")] = 10,
    node: Annotated[
        str | None,
        typer.Option(help="Start at this label: a name in any language, id, or path with slashes."),
    ] = None,
    names: Annotated[str | None, typer.Option(help=NAMES_HELP, show_default=False)] = None,
) -> None:
    """Print the tree and the number of nodes per level."""
    from cladewise.taxonomy.formats.reading import read_with
    from cladewise.taxonomy.outline import draw_tree, summarise

    tree = read_with(file, reading)
    shown = console(markup=True)
    called = tree.names_in(names) if names else None
    start = 0 if node is None else tree.find(node)
    shown.print(draw_tree(tree, node=start, depth=depth, max_children=max_children, names=called))
    shown.print(summarise(tree))


@app.command()
@with_reading()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file or folder to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; its name decides the format.")],
    reading: ReadOptions,
    to: Annotated[str | None, typer.Option("--to", help="Format to write, if the name does not determine it.")] = None,
) -> None:
    """Write a taxonomy in another format."""
    from cladewise.taxonomy import write
    from cladewise.taxonomy.formats.reading import read_with

    tree = read_with(source, reading)
    format_out: Any = to
    write(tree, target, format=format_out)
    tell(f"{target}: {tree.num_nodes} nodes, {tree.num_leaves} leaves")


@app.command()
@with_reading()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="The old taxonomy.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The new taxonomy.")],
    reading: ReadOptions,
) -> None:
    """List nodes that were added (+), removed (-), moved (>) or changed in case or space (~). Exits with 1 if any.

    A further parent that a node has gained or lost is listed as "+ node under parent" or "- node under parent". Reading
    options apply to both files.
    """
    from cladewise.taxonomy import diff as compare
    from cladewise.taxonomy.formats.reading import read_with
    from cladewise.taxonomy.names.paths import path_text

    trees = [read_with(file, reading) for file in (first, second)]
    change = compare(*trees)
    for sign, paths in (("-", change.removed), ("+", change.added)):
        for path in paths:
            tell(f"{sign} {path_text(path)}")
    for sign, pairs in ((">", change.moved), ("~", change.renamed)):
        for old, new in pairs:
            tell(f"{sign} {path_text(old)} -> {path_text(new)}")
    for sign, pairs in (("-", change.parents_removed), ("+", change.parents_added)):
        for node, parent in pairs:
            tell(f"{sign} {path_text(node)} under {path_text(parent)}")
    if change:
        raise typer.Exit(1)
    tell("no difference")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
