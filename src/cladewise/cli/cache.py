"""``cladewise cache``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.printing import print_table, say, tell
from cladewise.errors import InputError

if TYPE_CHECKING:
    from cladewise.engine import CacheEntry


def cache(
    clear: Annotated[
        str | None, typer.Option(help="What to remove: stale, all, or a name or pattern, such as 'features/resnet50*'.")
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(help="Only what was last used more than this many days ago.", metavar="DAYS")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; otherwise it is only listed.")] = False,
) -> None:
    """List the cache of features and downloads, or remove some of it. What is removed is made again when needed.

    cladewise cache

    cladewise cache --clear stale --yes
    """
    from cladewise.cache import cache_folder
    from cladewise.engine import cache_entries, clear_cache

    if clear == "":  # such as a shell variable that is not set
        raise InputError("--clear stale, --clear all or a name", "an empty text")
    if yes and clear is None:
        raise InputError("what to remove, for --yes", "nothing", advice="Add --clear stale, --clear all or a name.")
    entries = cache_entries(clear or "all", older_than=older_than)
    if not entries:
        old = "" if older_than is None else f" that was last used more than {older_than:g} days ago"
        say(f"nothing {'to remove' if clear else 'cached'} in {cache_folder()}{old}")
        return
    _print(entries)
    total = _size(sum(entry.num_bytes for entry in entries))
    if clear is None:
        tell(f"{total} in {cache_folder()}")
    elif not yes:
        tell(f"{total} would be removed. Add --yes to remove them.")
    else:
        kept = clear_cache(entries)
        for entry in kept:
            say(f"{entry.name} is kept: a running process is writing it")
        tell(f"{_size(sum(entry.num_bytes for entry in entries if entry not in kept))} removed")


def _print(entries: list[CacheEntry]) -> None:
    from rich.table import Table

    table = Table("name", "what it is", "images", "views", "size", "last used", "stale", box=None, header_style="bold")
    for entry in entries:
        views = "" if not entry.images or entry.rows is None else f"{entry.rows / entry.images:.3g}"
        images = "" if entry.images is None else f"{entry.images:,}"
        used = f"{entry.last_used:%Y-%m-%d}"
        table.add_row(entry.name, entry.about, images, views, _size(entry.num_bytes), used, entry.stale)
    print_table(table)


def _size(num_bytes: int) -> str:
    """A size in the unit that gives it one to three digits before the point."""
    size = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
