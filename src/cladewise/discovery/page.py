"""The HTML page of discovered classes: example images of the groups found under each coarse class."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

from cladewise.drawing.thumbnails import thumbnail
from cladewise.report.templating import environment, write_html
from cladewise.statistics import Agreement

TEMPLATES = Path(__file__).parent / "templates"
SIDE = 112
"""Longest side of a picture in pixels."""
MOST_PICTURES = 4000
"""Most pictures on a page."""


@dataclasses.dataclass(frozen=True)
class FoundClass:
    """A discovered class.

    Args:
        name: Its provisional name.
        count: Number of its images.
        examples: Paths of images, the most typical first.
        known: True fine classes of its images with their shares, most frequent first; empty if unknown.
    """

    name: str
    count: int
    examples: tuple[str, ...]
    known: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class CoarseClass:
    """A coarse class and the classes found under it; ``agreement`` is with its true fine classes if it has several."""

    path: tuple[str, ...]
    count: int
    found: tuple[FoundClass, ...]
    agreement: Agreement | None = None


@dataclasses.dataclass(frozen=True)
class DiscoveryPage:
    """Content of the page.

    Args:
        title: Heading.
        run: Folder of the run.
        method: The run's method.
        split: Split of the images.
        clusters: How the number of classes was chosen.
        classes: The coarse classes.
        inside: Agreement inside the coarse classes that have several fine ones, averaged over images; or ``None``.
        overall: Agreement over all images, which also credits telling coarse classes apart; or ``None``.
        left_out: Number of images whose label is above the coarse level.
        image_root: Folder that the images' paths are relative to.
        credit: Source of the images.
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
    """Write the page as one self-contained HTML file.

    Args:
        page: Its content.
        out: The file to write.
        examples: Most pictures per class; fewer if there are so many classes that the page would become too large.
    """
    num_found = sum(len(coarse.found) for coarse in page.classes)
    shown = max(1, min(examples, MOST_PICTURES // max(1, num_found)))
    template = environment(TEMPLATES).get_template("discovery.html")

    def pictures(paths: Sequence[str]) -> list[dict[str, str | None]]:
        return [{"path": path, "picture": thumbnail(page.image_root / path, SIDE)} for path in paths[:shown]]

    return write_html(
        out, template.render(page=page, pictures=pictures, num_found=num_found, date=datetime.date.today().isoformat())
    )
