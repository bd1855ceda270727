"""``cladewise train``."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cladewise.cli.checking import check_method, check_runtime
from cladewise.cli.printing import say, tell
from cladewise.cli.reading_options import with_reading
from cladewise.cli.settings import RUNTIME_HELP, parse_pairs, with_settings
from cladewise.errors import InputError
from cladewise.records import AblationConfig, BackboneConfig, RunFolder, TrainingConfig, log
from cladewise.records.loggers import check_loggers
from cladewise.records.outcome import outcome
from cladewise.taxonomy.formats.options import ReadOptions

if TYPE_CHECKING:
    from cladewise.datasets import Dataset

LARGEST_SEED = 2**32 - 1
ENDED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT
"""Exit codes after SIGTERM and after Ctrl-C."""


@with_settings(BackboneConfig, TrainingConfig, AblationConfig, but=("name",))
@with_reading(beside="taxonomy")
def train(
    context: typer.Context,
    reading: ReadOptions,
    data: Annotated[
        str | None, typer.Argument(help="A folder of images, a manifest (CSV or Parquet), or the name of a dataset.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Run folder.", rich_help_panel="Run")] = Path("runs/run"),
    taxonomy: Annotated[
        Path | None, typer.Option(help="The label tree. Default: the folders or labels of the data.")
    ] = None,
    method: Annotated[str, typer.Option(help="Method; see cladewise list methods.")] = "hace",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Hyper-parameter of the method, as in --set dilution=0.7; repeatable."),
    ] = None,
    data_option: Annotated[
        list[str] | None,
        typer.Option(
            "--data-option", help="Option of the dataset, as in --data-option split_folders=false; repeatable."
        ),
    ] = None,
    backbone: Annotated[str, typer.Option(help="Image encoder; see cladewise list backbones.")] = "efficientnet_lite0",
    split_seed: Annotated[
        int, typer.Option(help="Seed of the splits, if the data has no splits.", min=0, max=LARGEST_SEED)
    ] = 0,
    corrections: Annotated[
        list[Path] | None,
        typer.Option(
            help="Table of corrected labels to lay over the data, with the columns path, label and action, as "
            "cladewise audit makes it. May be repeated; later tables count."
        ),
    ] = None,
    hold_out: Annotated[
        str | None,
        typer.Option(
            help="Classes to hold out of training, to measure how the run answers images of unknown ones: a share of "
            "the leaves of every parent, such as 0.2, or a text file with one class per line."
        ),
    ] = None,
    hold_out_seed: Annotated[int, typer.Option(help="Seed of the leaves to hold out.", min=0, max=LARGEST_SEED)] = 0,
    imbalance: Annotated[
        float,
        typer.Option(
            help="Leave training images out so that the numbers of images of the labels fall exponentially, from the "
            "most frequent label to one with this factor fewer; 1: leave none out.",
            min=1,
        ),
    ] = 1,
    imbalance_seed: Annotated[int, typer.Option(help="Seed of the images to leave out.", min=0, max=LARGEST_SEED)] = 0,
    seed: Annotated[
        int, typer.Option(help="Seed of all other randomness.", min=0, max=LARGEST_SEED, rich_help_panel="Run")
    ] = 0,
    name: Annotated[str, typer.Option(help="Name of the run in reports.", rich_help_panel="Run")] = "",
    runtime: Annotated[
        str | None,
        typer.Option(
            help=f"With --freeze: {RUNTIME_HELP[0].lower()}{RUNTIME_HELP[1:]}",
            show_default="auto",
            rich_help_panel="Run",
        ),
    ] = None,
    logger: Annotated[
        list[str] | None,
        typer.Option(
            help="Experiment tracker to log to as well: tensorboard, wandb or mlflow; repeatable. Its files are in the "
            "run folder, unless the tracker's environment variables name a server.",
            rich_help_panel="Run",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Retrain even if the folder contains a run. The run is removed; other files stay.",
            rich_help_panel="Run",
        ),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Repeat the run with this config.toml; combines with --out, --overwrite, --runtime and --logger."
        ),
    ] = None,
    **chosen: Any,
) -> None:
    """Train a method on images. Repeating the command resumes an interrupted run.

    cladewise train photos/ --taxonomy classes.csv --method hace --backbone resnet50 --out runs/hace
    """
    if config is None and data is None:
        raise InputError("images to train on", "none", advice="Give a folder, a manifest or the name of a dataset.")
    if config is not None:
        _check_nothing_else(context)
    check_method(method)
    check_runtime(runtime)
    loggers = check_loggers(logger or [])
    with _telling_how_to_resume(RunFolder(out)):
        from cladewise import engine
        from cladewise.datasets import with_corrections, with_long_tail
        from cladewise.datasets.finding import find_data

        if config is not None:
            run = engine.rerun(config, out, overwrite=overwrite, runtime=runtime, logger=loggers)
        else:
            options = parse_pairs(data_option or [], "--data-option")
            dataset = find_data(str(data), taxonomy, reading=reading, seed=split_seed, **options)
            dataset = with_corrections(dataset, corrections) if corrections else dataset
            dataset = dataset if hold_out is None else _without_classes(dataset, hold_out, hold_out_seed)
            if imbalance != 1:
                split = chosen.get("train_split", TrainingConfig().train_split)
                dataset = with_long_tail(dataset, imbalance, split=split, seed=imbalance_seed)
            run = engine.train(
                dataset,
                method=method,
                options=parse_pairs(set_ or [], "--set"),
                backbone=backbone,
                out=out,
                seed=seed,
                name=name,
                overwrite=overwrite,
                runtime=runtime,
                logger=loggers,
                **chosen,
            )
    if engine.is_first_process():
        _tell_of_skipped(run.folder)
        tell(f"{run.path}: {outcome(run.folder, run.config.training)}. Next: cladewise evaluate {run.path}")


def _without_classes(dataset: Dataset, wanted: str, seed: int) -> Dataset:
    """The data without the classes of ``--hold-out``."""
    from cladewise.datasets import hold_out_classes

    try:
        share = float(wanted)
    except ValueError:
        path = Path(wanted)
        if not path.is_file():
            expected = "--hold-out with a share of the leaves, or a text file of classes"
            raise InputError(expected, f"{wanted!r}, which is neither") from None
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        return hold_out_classes(dataset, nodes=[line for line in lines if line])
    return hold_out_classes(dataset, share, seed=seed)


def _check_nothing_else(context: typer.Context) -> None:
    """Refuse settings that the configuration already fixes, instead of ignoring them silently."""
    with_config = ("config", "out", "overwrite", "runtime", "logger")
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if getattr(context.get_parameter_source(parameter.name or ""), "name", "") == "COMMANDLINE"
        and parameter.name not in with_config
    ]
    if given:
        raise InputError(
            "no settings with --config except --out, --overwrite, --runtime and --logger",
            ", ".join(given),
            advice="Leave them out, or change them in a copy of the file.",
        )


@contextmanager
def _telling_how_to_resume(folder: RunFolder) -> Generator[None]:
    """On Ctrl-C or SIGTERM, say what repeating the command will do."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"cladewise: interrupted. {_how_to_resume(folder)}")
        raise SystemExit(INTERRUPTED) from None
    except SystemExit as left:
        if left.code == ENDED:
            say(f"cladewise: asked to end. {_how_to_resume(folder)}")
        raise


def _how_to_resume(folder: RunFolder) -> str:
    if (folder.checkpoints / "last.ckpt").is_file():
        return f"Repeat the command to resume from the last epoch saved in {folder.checkpoints}."
    return "No epoch was saved yet; repeating the command starts over."


def _tell_of_skipped(folder: RunFolder) -> None:
    skipped = [event for event in log.read(folder.log) if event["event"] == "skipped"]
    if skipped:
        images = f"{len(skipped):,} image{'' if len(skipped) == 1 else 's'}"
        say(f"cladewise: {images} left out, listed with the reason in {folder.log}")
