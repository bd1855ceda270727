"""``cladewise taxonomy``: check, show, convert and compare label trees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.cli.printing import console, tell

app = typer.Typer(no_args_is_help=True, help="Check, show, convert and compare label trees.")

File = Annotated[Path, typer.Argument(help="A table, a JSON, YAML or Newick file, a folder, or WordNet's folder.")]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", help="levels, edges, nodes, darwin-core, json, yaml, newick, folders or wordnet; else by the name."
    ),
]
ParentsOption = Annotated[
    str, typer.Option("--parents", help="Nodes with several parents: error, or keep the first or the last.")
]
RootsOption = Annotated[str, typer.Option("--roots", help="Several roots: error, or join them under a synthetic one.")]
LevelsOption = Annotated[
    str | None, typer.Option("--levels", help="Level tables: the columns that are levels, coarse to fine, by comma.")
]
IdsOption = Annotated[Path | None, typer.Option("--ids", help="WordNet: a file with the synsets wanted, one a line.")]


@app.command()
def check(
    file: File,
    format: FormatOption = None,
    parents: ParentsOption = "error",
    roots: RootsOption = "error",
    levels: LevelsOption = None,
    ids: IdsOption = None,
    warnings: Annotated[bool, typer.Option(help="Tell what is odd, too.")] = True,
) -> None:
    """List everything wrong with a taxonomy file. Exits with 1 if something is."""
    from cladewise.taxonomy import check as check_file

    found = check_file(file, **reading_options(format, parents, roots, levels, ids))
    for problem in found:
        if warnings or problem.severity == "error":
            tell(f"{file}:{problem}" if problem.line else f"{file}: {problem}")
    errors = sum(problem.severity == "error" for problem in found)
    tell(f"{file}: {_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}")
    if errors:
        raise typer.Exit(1)


@app.command()
def show(
    file: File,
    depth: Annotated[int, typer.Option(min=0, help="Steps down from the root.")] = 3,
    max_children: Annotated[int, typer.Option(min=1, help="Children of a node to show.")] = 10,
    node: Annotated[str | None, typer.Option(help="Begin at this label: a name, or a path with slashes.")] = None,
    format: FormatOption = None,
    parents: ParentsOption = "error",
    roots: RootsOption = "error",
    levels: LevelsOption = None,
    ids: IdsOption = None,
) -> None:
    """Draw the tree, and count the nodes of each level."""
    from cladewise.taxonomy import read
    from cladewise.taxonomy.drawing import draw, summarise

    tree = read(file, **reading_options(format, parents, roots, levels, ids))
    shown = console(markup=True)
    start = 0 if node is None else tree.find(node)
    shown.print(draw(tree, node=start, depth=depth, max_children=max_children))
    shown.print(summarise(tree))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="What to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="What to write; the format follows the name.")],
    format: FormatOption = None,
    to: Annotated[str | None, typer.Option("--to", help="Format to write, where the name does not say.")] = None,
    parents: ParentsOption = "error",
    roots: RootsOption = "error",
    levels: LevelsOption = None,
    ids: IdsOption = None,
) -> None:
    """Write a taxonomy in another format."""
    from cladewise.taxonomy import read, write

    tree = read(source, **reading_options(format, parents, roots, levels, ids))
    format_out: Any = to
    write(tree, target, format=format_out)
    tell(f"{target}: {tree.num_nodes} nodes, {tree.num_leaves} leaves")


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="The old taxonomy.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The new taxonomy.")],
    parents: ParentsOption = "error",
    roots: RootsOption = "error",
) -> None:
    """Tell what was added (+), removed (-), moved (>) or renamed in case or space (~). Exits with 1 if anything."""
    from cladewise.taxonomy import diff as compare
    from cladewise.taxonomy import read

    trees = [read(file, **reading_options(None, parents, roots, None, None)) for file in (first, second)]
    change = compare(*trees)
    for sign, paths in (("-", change.removed), ("+", change.added)):
        for path in paths:
            tell(f"{sign} {'/'.join(path)}")
    for sign, pairs in ((">", change.moved), ("~", change.renamed)):
        for old, new in pairs:
            tell(f"{sign} {'/'.join(old)} -> {'/'.join(new)}")
    if change:
        raise typer.Exit(1)
    tell("no difference")


def reading_options(
    format: str | None, parents: str, roots: str, levels: str | None, ids: Path | None
) -> dict[str, Any]:
    """What the options of a command that reads a taxonomy mean to the reader."""
    return {
        "format": format,
        "parents": parents,
        "roots": roots,
        "levels": None if levels is None else [name.strip() for name in levels.split(",")],
        "ids": ids,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
