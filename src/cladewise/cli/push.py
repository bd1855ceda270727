"""``cladewise push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.checking import check_runs
from cladewise.cli.printing import say, tell
from cladewise.errors import InputError

SHARED, CARD = "What is shared", "Model card"


def push(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    repo: Annotated[
        str | None, typer.Argument(help="Repository on the Hugging Face Hub, user/name; made if there is none.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Write what would be uploaded to this new folder instead, and upload nothing.")
    ] = None,
    revision: Annotated[str, typer.Option(help="Branch to push to; made if there is none.", show_default="main")] = "",
    private: Annotated[
        bool | None,
        typer.Option("--private/--public", help="Who can read a new repository. Default: the owner's setting."),
    ] = None,
    with_scores: Annotated[
        bool,
        typer.Option(
            "--with-scores",
            help="Also share scores and per-image values, with numbers in place of the images' names, so that others "
            "can fit rules, evaluate and compare.",
            rich_help_panel=SHARED,
        ),
    ] = False,
    with_images: Annotated[
        bool,
        typer.Option(
            "--with-images",
            help="Also share the tables with the path of each image.",
            rich_help_panel=SHARED,
        ),
    ] = False,
    with_encoder: Annotated[
        bool,
        typer.Option(
            "--with-encoder",
            help="Also share the weights of a frozen encoder. Those that came from a file are always shared.",
            rich_help_panel=SHARED,
        ),
    ] = False,
    license_: Annotated[
        str, typer.Option("--license", help="Licence of the weights, as in apache-2.0.", rich_help_panel=CARD)
    ] = "",
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Repository of the data on the hub. May be repeated.", rich_help_panel=CARD),
    ] = None,
    title: Annotated[str, typer.Option(help="Heading. Default: the method and the data.", rich_help_panel=CARD)] = "",
    keep_card: Annotated[
        bool, typer.Option("--keep-card", help="Keep the model card that is there.", rich_help_panel=CARD)
    ] = False,
    message: Annotated[str, typer.Option(help="Message of the commit.", show_default="Push <run>")] = "",
) -> None:
    """Share a run on the Hugging Face Hub, with a model card made of its evaluations, in one commit.

    Paths of this machine and names of images are left out. The token is that of `hf auth login`, or HF_TOKEN.

    cladewise push runs/hace jane/birds --license apache-2.0

    cladewise predict hf://jane/birds pictures/
    """
    if (repo is None) == (folder is None):
        got = "neither" if repo is None else "both"
        raise InputError("a repository, user/name, or --folder", got)
    check_runs([run])

    from cladewise import hub

    if folder is not None:
        facts = hub.CardFacts(title=title, license=license_, datasets=tuple(dataset or ()))
        copy = hub.share(run, folder, scores=with_scores, images=with_images, encoder=with_encoder, card=facts)
        for name in copy.files:
            tell(copy.path / name)
        _say_left_out(copy.left_out)
        return
    assert repo is not None
    pushed = hub.push(
        run,
        repo,
        revision=revision,
        private=private,
        scores=with_scores,
        images=with_images,
        encoder=with_encoder,
        keep_card=keep_card,
        license=license_,
        datasets=tuple(dataset or ()),
        title=title,
        message=message,
    )
    _say_left_out(pushed.left_out)
    tell(pushed.url)
    tell(f"{pushed.address} has {len(pushed.files)} files. Open it: cladewise predict {pushed.address} IMAGES")


def _say_left_out(left_out: dict[str, str]) -> None:
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        say(f"cladewise: left out ({reason}): {', '.join(names[:3])}{more}")
