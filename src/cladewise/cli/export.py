"""``cladewise export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.checking import check_rules, check_runs
from cladewise.cli.printing import say, tell

RULES = "Rules"
CHECK = "Check"


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.", metavar="RUN")],
    to: Annotated[str, typer.Option(help="Format of the file.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="File to write.", show_default="model with the format's ending, in the run")
    ] = None,
    inference: Annotated[
        str | None, typer.Option(help="Inference; none for none.", show_default="the method's", rich_help_panel=RULES)
    ] = None,
    decision: Annotated[
        str | None, typer.Option(help="Decision.", show_default="the method's", rich_help_panel=RULES)
    ] = None,
    allowed: Annotated[
        str | None,
        typer.Option(
            help="Labels that are possible unless the input says otherwise: joined by commas, or a file with one per "
            "line.",
            rich_help_panel=RULES,
        ),
    ] = None,
    fit_split: Annotated[
        str | None, typer.Option(help="Split to fit rules on.", show_default="the rule's own", rich_help_panel=RULES)
    ] = None,
    log_probs: Annotated[
        bool, typer.Option("--log-probs", help="Add the log-probabilities of all nodes to the outputs.")
    ] = False,
    start: Annotated[
        str, typer.Option("--from", help="Input: images (decoded, uint8), pixels (normalised), or features.")
    ] = "images",
    precision: Annotated[
        str, typer.Option(help="Precision of the encoder: fp32, fp16, or int8 (onnx), whose loss is measured.")
    ] = "fp32",
    reader: Annotated[
        bool,
        typer.Option("--reader", help="Write reader.py next to it, which needs numpy, Pillow and onnxruntime alone."),
    ] = False,
    images: Annotated[
        int, typer.Option(min=0, help="Images of the run's data to check the file on.", rich_help_panel=CHECK)
    ] = 256,
    split: Annotated[
        str | None, typer.Option(help="Their split.", show_default="test, else validation", rich_help_panel=CHECK)
    ] = None,
    least_equal: Annotated[
        float,
        typer.Option(help="Share of images that fp16 and int8 have to answer as fp32 does.", rich_help_panel=CHECK),
    ] = 0.8,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Export a run to one file that takes decoded images and returns answers.

    Preprocessing, encoder, head, inference and decision are in the file. It is kept only if it answers as the run does
    in torch, or in a lower precision with the loss that was measured.

    cladewise export runs/hace --out hace.onnx --reader

    cladewise export runs/hace --decision hedging:guarantee=0.95 --log-probs

    cladewise export runs/hace --precision int8
    """
    check_runs([run])
    check_rules(decisions=[] if decision is None else [decision], inferences=[] if inference is None else [inference])

    from cladewise.exporting import export as export_run

    done = export_run(
        run,
        to=to,
        out=out,
        inference=inference,
        decision=decision,
        allowed=allowed,
        fit_split=fit_split,
        log_probs=log_probs,
        start=start,  # type: ignore[arg-type]
        precision=precision,  # type: ignore[arg-type]
        least_equal=least_equal,
        images=images,
        split=split,
        reader=reader,
        progress=not quiet,
    )
    for text in done.warnings:
        tell(f"cladewise: warning: {text}")
    tell(str(done.loss or done.checked))
    taken = [f"{1000 * value:.0f} ms" for value in (done.checked.seconds, done.checked.torch_seconds)]
    tell(f"{taken[0]} per image by the file, {taken[1]} in torch")
    say(f"{done.file}: {done.megabytes:.1f} MB")
    if done.reader is not None:
        say(str(done.reader))
