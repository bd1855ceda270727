"""The commands and where each is written."""

from __future__ import annotations

from typing import Annotated

import typer

from cladewise.cli.audit import audit
from cladewise.cli.benchmark import benchmark
from cladewise.cli.cache import cache
from cladewise.cli.choose import choose
from cladewise.cli.compare import compare
from cladewise.cli.corrections import corrections
from cladewise.cli.datasets import app as datasets
from cladewise.cli.decide import decide
from cladewise.cli.demo import demo
from cladewise.cli.discover import discover
from cladewise.cli.embed import app as embed
from cladewise.cli.evaluate import evaluate
from cladewise.cli.explain import explain
from cladewise.cli.export import export
from cladewise.cli.listing import list_parts
from cladewise.cli.look_alikes import look_alikes
from cladewise.cli.manifolds import manifolds
from cladewise.cli.migrate import migrate
from cladewise.cli.nearest import index, nearest
from cladewise.cli.predict import predict
from cladewise.cli.push import push
from cladewise.cli.retrieve import entails, retrieve
from cladewise.cli.serve import serve
from cladewise.cli.space import space
from cladewise.cli.taxonomy import app as taxonomy
from cladewise.cli.train import train
from cladewise.cli.zero_shot import zero_shot

app = typer.Typer(
    name="cladewise",
    help="Hierarchical image classification: images in, a place in a label tree out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(shown: bool) -> None:
    if shown:
        from cladewise.version import __version__

        typer.echo(f"cladewise {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Hierarchical image classification: images in, a place in a label tree out."""


app.command()(demo)
app.add_typer(taxonomy, name="taxonomy")
app.command()(train)
app.command()(zero_shot)
app.command()(evaluate)
app.command()(choose)
app.command()(predict)
app.command()(decide)
app.command()(migrate)
app.command()(export)
app.command()(corrections)
app.command()(explain)
app.command()(discover)
app.command()(audit)
app.command()(manifolds)
app.command()(look_alikes)
app.command()(compare)
app.add_typer(embed, name="embed")
app.command()(index)
app.command()(nearest)
app.command()(retrieve)
app.command()(entails)
app.command()(space)
app.command()(serve)
app.command()(push)
app.command()(benchmark)
app.command("list")(list_parts)
app.add_typer(datasets, name="datasets")
app.command()(cache)
