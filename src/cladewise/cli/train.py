"""``cladewise train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cladewise.cli.reading import with_reading
from cladewise.cli.settings import parse_pairs, with_settings
from cladewise.errors import InputError
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig
from cladewise.taxonomy.formats.options import ReadOptions

LARGEST_SEED = 2**32 - 1


@with_settings(BackboneConfig, TrainingConfig, AblationConfig, but=("name",))
@with_reading(beside="taxonomy")
def train(
    reading: ReadOptions,
    data: Annotated[
        str | None, typer.Argument(help="A folder of images, a manifest (CSV or Parquet), or a data set's name.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.", rich_help_panel="Run")] = Path("runs/run"),
    taxonomy: Annotated[
        Path | None, typer.Option(help="The label tree; the data's own folders or labels where none is given.")
    ] = None,
    method: Annotated[str, typer.Option(help="See: cladewise list methods.")] = "hace",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A hyper-parameter of the method: --set dilution=0.7.")
    ] = None,
    data_option: Annotated[
        list[str] | None,
        typer.Option("--data-option", help="An option of a data set: --data-option split_folders=false."),
    ] = None,
    backbone: Annotated[str, typer.Option(help="See: cladewise list backbones.")] = "efficientnet_lite0",
    split_seed: Annotated[
        int, typer.Option(help="Seed of the splits, where the data has none of its own.", min=0, max=LARGEST_SEED)
    ] = 0,
    seed: Annotated[
        int, typer.Option(help="Seed of everything else random.", min=0, max=LARGEST_SEED, rich_help_panel="Run")
    ] = 0,
    name: Annotated[str, typer.Option(help="Name of the run in reports.", rich_help_panel="Run")] = "",
    config: Annotated[
        Path | None, typer.Option(help="Rerun this config.toml; no other option but --out counts then.")
    ] = None,
    **chosen: Any,
) -> None:
    """Train a method on images; given again after an interruption, it goes on where it stopped.

    cladewise train photos/ --taxonomy classes.csv --method hace --backbone resnet50 --out runs/hace
    """
    from cladewise import engine
    from cladewise.engine.data import find_data

    if config is not None:
        run = engine.rerun(config, out)
    elif data is None:
        raise InputError("images to train on", "none", advice="Give a folder, a manifest or a data set's name.")
    else:
        dataset = find_data(
            data, taxonomy, reading=reading, seed=split_seed, **parse_pairs(data_option or [], "--data-option")
        )
        options = parse_pairs(set_ or [], "--set")
        run = engine.train(
            dataset, method=method, options=options, backbone=backbone, out=out, seed=seed, name=name, **chosen
        )
    if engine.is_first_process():
        typer.echo(f"{run.path}: trained. Next: cladewise evaluate {run.path}")
