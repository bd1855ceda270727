"""The classes that were found under each coarse class, as a page of example images."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

from cladewise.report.templating import environment, write_html
from cladewise.report.thumbnail import thumbnail
from cladewise.statistics import Agreement

SIDE = 112
"""Longest side of a picture in pixels."""
MOST_PICTURES = 4000
"""On one page."""


@dataclasses.dataclass(frozen=True)
class FoundClass:
    """A class that was found.

    Args:
        name: What it is called for now.
        count: How many images it has.
        examples: Paths of images, the most typical first.
        known: True fine classes of its images with their shares, most frequent first; empty where they are not known.
    """

    name: str
    count: int
    examples: tuple[str, ...]
    known: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class CoarseClass:
    """A coarse class and what was found under it; ``agreement`` with true fine classes, where it has several."""

    path: tuple[str, ...]
    count: int
    found: tuple[FoundClass, ...]
    agreement: Agreement | None = None


@dataclasses.dataclass(frozen=True)
class DiscoveryPage:
    """Everything that the page shows.

    Args:
        title: Heading.
        run: Folder of the run.
        method: Its method.
        split: Split of the images.
        clusters: How the number of classes was chosen.
        classes: The coarse classes.
        inside: Agreement inside the coarse classes that have several fine ones, their mean by images; or ``None``.
        overall: Agreement over all images, coarse classes told apart included; or ``None``.
        left_out: Images whose label is above the coarse level.
        image_root: Folder that the images' paths are relative to.
        credit: Whose images these are.
    """

    title: str
    run: str
    method: str
    split: str
    clusters: str
    classes: tuple[CoarseClass, ...]
    inside: Agreement | None
    overall: Agreement | None
    left_out: int
    image_root: Path
    credit: str = ""


def write_discovery_page(page: DiscoveryPage, out: Path, *, examples: int = 8) -> Path:
    """Write the page: one file, no network.

    Args:
        page: What it shows.
        out: The file.
        examples: Most pictures of a class; fewer where there are so many classes that the page would be too heavy.
    """
    num_found = sum(len(coarse.found) for coarse in page.classes)
    shown = max(1, min(examples, MOST_PICTURES // max(1, num_found)))
    template = environment().get_template("discovery.html")

    def pictures(paths: Sequence[str]) -> list[dict[str, str | None]]:
        return [{"path": path, "picture": thumbnail(page.image_root / path, SIDE)} for path in paths[:shown]]

    return write_html(
        out, template.render(page=page, pictures=pictures, num_found=num_found, date=datetime.date.today().isoformat())
    )
