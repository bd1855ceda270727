"""``cladewise serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.checking import check_runs, check_runtime
from cladewise.cli.printing import say
from cladewise.cli.settings import RUNTIME_HELP
from cladewise.errors import InputError
from cladewise.serving.settings import FORMATS, Limits, Settings, named_runs

ADDRESS, LIMITS, WORK = "Address and access", "Limits", "Work"
DEFAULT = Limits()


def serve(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, served under their names.", show_default=False)
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A run under a name of its own, as name=RUN. May be repeated.", show_default=False),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder in which corrections are kept: images, and corrections.csv to train on."),
    ] = None,
    watch: Annotated[
        float, typer.Option(min=0, help="Check the run folders every so many seconds, and load runs that changed.")
    ] = 0.0,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; 0.0.0.0 for all addresses of this machine.", rich_help_panel=ADDRESS),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 for a free one.", rich_help_panel=ADDRESS)
    ] = 8000,
    key_file: Annotated[
        Path | None,
        typer.Option(help="File of API keys, one per line; each request must have one.", rich_help_panel=ADDRESS),
    ] = None,
    allow_url: Annotated[
        list[str] | None,
        typer.Option(
            help="Beginning of URLs that images may be fetched from, as in https://example.org/photos/. May be "
            "repeated.",
            show_default=False,
            rich_help_panel=ADDRESS,
        ),
    ] = None,
    accept: Annotated[
        str, typer.Option(help="Formats that are accepted, by Pillow's names.", rich_help_panel=ADDRESS)
    ] = ",".join(FORMATS),
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes per request.", rich_help_panel=LIMITS)] = DEFAULT.bytes,
    max_images: Annotated[
        int, typer.Option(min=1, help="Images per request.", rich_help_panel=LIMITS)
    ] = DEFAULT.images,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels per image.", rich_help_panel=LIMITS)] = DEFAULT.pixels,
    max_seconds: Annotated[
        float, typer.Option(min=0.1, help="Seconds per request.", rich_help_panel=LIMITS)
    ] = DEFAULT.seconds,
    max_requests: Annotated[
        int,
        typer.Option(
            min=1, help="Requests at the same time; further ones are answered with 503.", rich_help_panel=LIMITS
        ),
    ] = DEFAULT.requests,
    runtime: Annotated[str | None, typer.Option(help=RUNTIME_HELP, show_default="auto", rich_help_panel=WORK)] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads per process that decode and encode.",
            show_default="one per processor",
            rich_help_panel=WORK,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, each of which loads all models.", rich_help_panel=WORK)
    ] = 1,
    batch: Annotated[
        int, typer.Option(min=1, help="Largest number of images that are encoded together.", rich_help_panel=WORK)
    ] = 16,
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="Milliseconds that an image waits for others while the encoder is free.", rich_help_panel=WORK
        ),
    ] = 0.0,
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="Write the log as one JSON object per line.", rich_help_panel=WORK)
    ] = False,
) -> None:
    """Answer images over HTTP, with a page for browsers.

    SIGTERM and Ctrl-C end it after the requests that were accepted have been answered; SIGHUP loads the runs again.

    cladewise serve runs/hace --keep corrections/

    cladewise serve --model birds=runs/birds --model moths=runs/moths --host 0.0.0.0 --key-file keys.txt
    """
    named = named_runs(runs or [], model or [])
    check_runs(named.values())
    check_runtime(runtime)
    known = {name.strip().upper() for name in accept.split(",") if name.strip()}
    if not known:
        raise InputError("at least one format with --accept", "none")
    from cladewise.serving import serve as serve_runs

    if key_file is not None:
        from cladewise.serving.keys import read_keys

        keys = read_keys(key_file)
    else:
        keys = ()
    settings = Settings(
        named,
        limits=Limits(
            bytes=max_bytes, images=max_images, pixels=max_pixels, seconds=max_seconds, requests=max_requests
        ),
        runtime=runtime,
        threads=threads,
        batch=batch,
        wait=wait / 1000,
        keep=keep,
        allow_urls=tuple(allow_url or ()),
        keys=keys,
        formats=tuple(known),
        watch=watch,
    )
    serve_runs(
        settings,
        host=host,
        port=port,
        workers=workers,
        json_logs=json_logs,
        listening=lambda address: say(f"cladewise: listening on {address}"),
    )
