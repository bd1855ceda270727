"""``cladewise predict``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cladewise.catalogue import check_name
from cladewise.cli.checking import check_rules, check_runs, check_runtime
from cladewise.cli.context import Allowed, GroupBy, Pooling, context_of
from cladewise.cli.prediction_target import FORMATS_HELP, Target, only_writer, parts_of, telling_how_to_resume
from cladewise.cli.printing import say
from cladewise.cli.settings import NAMES_HELP, PRECISION_HELP, PRECISIONS, RUNTIME_HELP, with_threshold
from cladewise.cli.tables import SUFFIXES
from cladewise.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from cladewise.engine import Run
    from cladewise.interchange import About

INPUT, WORK, CLUSTER = "Input", "Work", "Cluster"
TREE = "Another tree"
LOCAL, RAY = "local", "ray"
LISTED = 20
"""Largest number of unreadable images that are named on standard error; the table has all of them."""


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders, patterns such as 'new/**/*.jpg', tables with a column of paths or URLs, "
            "archives, or the folder of an earlier prediction with --keep."
        ),
    ],
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
    allowed: Allowed = None,
    group_by: GroupBy = None,
    pool: Pooling = None,
    as_: Annotated[
        Path | None,
        typer.Option(
            "--as",
            help="File of an edited tree to answer in, without migrating the run. Nodes are matched as by `cladewise "
            "taxonomy match`; if some are doubtful, give --matched.",
            rich_help_panel=TREE,
        ),
    ] = None,
    matched: Annotated[
        Path | None,
        typer.Option(
            help="With --as: correspondences of the run's tree with it, with every row decided.", rich_help_panel=TREE
        ),
    ] = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMATS_HELP, show_default=False)] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help=f"File to write instead of standard output ({', '.join(SUFFIXES)}), or a folder or URI for Parquet "
            "files of some thousand rows each. The same command resumes after an interruption."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="List this many most probable nodes per image.")] = 0,
    names: Annotated[str | None, typer.Option(help=NAMES_HELP, show_default=False)] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="With a folder as --out: keep features or scores of each image as well, for a later prediction with "
            "another decision or head. May be repeated.",
            show_default=False,
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Column of a table with paths, URLs or image bytes.", rich_help_panel=INPUT),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            help="Folder or URI that relative paths in a table start from. Default: the folder of the table.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(help="Format of the input, if its name does not say.", rich_help_panel=INPUT),
    ] = None,
    crop: Annotated[
        str,
        typer.Option(
            help="Rows of a COCO or MegaDetector file: boxes, boxes-or-images (images without a box too), or images.",
            rich_help_panel=INPUT,
        ),
    ] = "boxes",
    box_threshold: Annotated[
        float, typer.Option(help="Confidence from which detections count.", rich_help_panel=INPUT)
    ] = 0.2,
    padding: Annotated[
        float,
        typer.Option(help="Margin around boxes, as a share of their width and height.", rich_help_panel=INPUT),
    ] = 0.0,
    square: Annotated[
        bool, typer.Option("--square", help="Extend the shorter side of crops to the longer.", rich_help_panel=INPUT)
    ] = False,
    fps: Annotated[float, typer.Option(help="Frames per second of videos.", rich_help_panel=INPUT)] = 1.0,
    storage_option: Annotated[
        list[str] | None,
        typer.Option(
            help="Option of the storage as key=value, as in anon=true. May be repeated.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    runtime: Annotated[str | None, typer.Option(help=RUNTIME_HELP, show_default="auto", rich_help_panel=WORK)] = None,
    precision: Annotated[str, typer.Option(help=PRECISION_HELP, rich_help_panel=WORK)] = "fp32",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Threads that read and decode images.",
            show_default="one per processor, 32 or more over a network",
            rich_help_panel=WORK,
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            help="Predict a share of the parts, as in 3/8, for array jobs that write to one folder.",
            rich_help_panel=WORK,
        ),
    ] = None,
    part_rows: Annotated[
        int | None,
        typer.Option(min=1, help="Rows per part.", show_default="2048, or fewer with scores", rich_help_panel=WORK),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="Where to predict: local, in this process, or ray, on the machines of a Ray cluster.",
            rich_help_panel=CLUSTER,
        ),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="Address of the cluster, auto or host:port.",
            show_default="RAY_ADDRESS, or the one that runs on this machine, or a new one on it",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    actors: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Largest number of Ray actors, each of which holds the run.",
            show_default="as many as there is place for",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    cpus_per_actor: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processors per actor.",
            show_default="4, fewer on small machines; with GPUs their share",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    gpus_per_actor: Annotated[
        float, typer.Option(min=0, help="GPUs per actor; 0 to predict on processors.", rich_help_panel=CLUSTER)
    ] = 0.0,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show no progress and name no unreadable images.", rich_help_panel=WORK)
    ] = False,
) -> None:
    """Predict images: write a table with one row per image.

    Columns: the label with its path and probability, the node and probability at every level, the most probable leaf,
    and an error if the image cannot be read. With --names the labels, levels and leaves are named in that language,
    while paths keep the names of the taxonomy. In CSV and TSV, text that a spreadsheet would execute as a formula is
    prefixed with an apostrophe. The exit code is 2 if no image can be read.

    cladewise predict runs/hace new/ --decision majority --out predictions.csv

    cladewise predict runs/hace inventory.parquet --column url --out s3://museum/predictions --shard 3/8

    cladewise predict runs/hace inventory.parquet --column url --out s3://museum/predictions --engine ray
    """
    target = Target.of(format_, out)
    rules = with_threshold([decision] if decision else [], threshold)
    check_runs([run])
    if matched is not None and as_ is None:
        raise InputError("--as TREE with --matched", "--matched alone")
    check_runtime(runtime)
    check_name(PRECISIONS, "precision", precision)
    check_rules(decisions=rules, inferences=[inference] if inference else [])
    chosen_engine = _engine(
        engine, address=ray_address, actors=actors, cpus_per_actor=cpus_per_actor, gpus_per_actor=gpus_per_actor
    )
    if target.folder is None and (keep or shard or chosen_engine):
        option = "--keep" if keep else "--shard" if shard else "--engine ray"
        raise InputError(f"a folder as --out with {option}", "a file" if out else "standard output")
    from cladewise.scale.shards import Shard

    own_share = Shard.parse(shard) if shard else None

    from cladewise.sources import storage_options

    options = storage_options(storage_option or [])
    source = _source(
        images,
        column=column,
        root=root,
        format=input_format,
        crop=crop,
        threshold=box_threshold,
        padding=padding,
        fps=fps,
        square=square,
        storage_options=options,
    )
    target.check(source)
    chosen: dict[str, Any] = {
        "inference": inference,
        "decision": rules[0] if rules else None,
        "top": top,
        "names": names,
        "runtime": runtime,
        "precision": precision,
        "part_rows": part_rows,
        "threads": workers,
        "progress": not quiet,
        "warned": lambda text: say(f"cladewise: {text}"),
        **context_of(allowed, group_by, pool),
    }
    told = _Told(shown=not quiet)
    opened = _in_tree(run, as_, matched)
    with telling_how_to_resume(target):
        if target.folder is not None:
            _to_folder(
                target.folder,
                opened,
                source,
                told,
                keep=keep or (),
                shard=own_share,
                engine=chosen_engine,
                storage_options=options,
                **chosen,
            )
        else:
            with only_writer(target.file), target.writer(lambda: _about(opened)) as write:
                for table in _tables(target.file, opened, source, **chosen):
                    told.add(table)
                    write(table)
    told.finish()
    if told.rows and told.rows == told.errors:
        raise typer.Exit(2)


def _about(run: Path | Run) -> About:
    """The tree and the name of a run."""
    from cladewise.engine import Run
    from cladewise.interchange import About

    return About(Run.open(run).taxonomy, model=Path(run).resolve().name)


def _in_tree(run: Path, tree: Path | None, matched: Path | None) -> Path | Run:
    """The run, answering in another tree if one is given."""
    if tree is None:
        return run
    from cladewise.migration import answering_in

    return answering_in(run, tree, matched)


def _engine(name: str, **cluster: Any) -> Any:
    """The engine of that name; ``None`` for the default."""
    from cladewise.catalogue import check_name

    check_name([LOCAL, RAY], "engine", name)
    if name == LOCAL:
        given = next((option for option, value in cluster.items() if value), None)
        if given is not None:
            option = "ray-address" if given == "address" else given.replace("_", "-")
            raise InputError(f"--engine ray with --{option}", f"--engine {name}")
        return None
    from cladewise.scale import Ray

    return Ray(**cluster)


def _source(words: list[str], **chosen: Any) -> Any:
    from cladewise.scale.folder import is_prediction_folder
    from cladewise.sources import open_source

    if kept := next(filter(is_prediction_folder, words), None):
        from cladewise.scale import read_parts
        from cladewise.sources.opening import check_fitting

        if len(words) > 1:
            other = next(word for word in words if word != kept)
            raise InputError("an earlier prediction on its own", f"{kept!r} and {other!r}")
        check_fitting("an earlier prediction", kept, chosen)
        return read_parts(kept)
    source = open_source(words, **chosen)
    for note in source.notes:
        say(f"cladewise: {note}")
    return source


def _tables(file: Path | None, run: Path | Run, source: Any, **chosen: Any) -> Iterator[pl.DataFrame]:
    from cladewise import scale

    if file is None:
        return scale.predict_tables(run, source, **chosen)
    return scale.predict_to(parts_of(file), run, source, **chosen).tables()


def _to_folder(folder: str, run: Path | Run, source: Any, told: _Told, **chosen: Any) -> None:
    from cladewise import scale

    parts = scale.predict_to(folder, run, source, **chosen)
    told.rows, told.errors = parts.counts()
    told.first = parts.first_errors(LISTED) if told.errors else []
    if not parts.is_complete:
        say(f"cladewise: {len(parts.numbers)} of {parts.job.num_parts} parts are in {folder}")


class _Told:
    """Unreadable images, named on standard error."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self.rows, self.errors = shown, 0, 0
        self.first = list[tuple[str, str]]()

    def add(self, table: pl.DataFrame) -> None:
        """Count the rows of a table."""
        failed = table.filter(table["error"].is_not_null())
        self.rows, self.errors = self.rows + table.height, self.errors + failed.height
        self.first += failed.select("path", "error").head(LISTED - len(self.first)).rows()

    def finish(self) -> None:
        """Name the first of them, and say how many more there are."""
        if not self._shown:
            return
        for path, reason in self.first:
            say(f"cladewise: {path} left out: {reason}")
        if self.errors > len(self.first):
            say(f"cladewise: {self.errors - len(self.first)} more left out, with reasons in the column error")
