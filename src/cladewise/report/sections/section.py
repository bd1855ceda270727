"""The protocol of a section of the report: a part of the page, and files with the same content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import polars as pl

from cladewise.report.charts import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # loaded only when drawings are made


class PrintedTable(Protocol):
    """A table that is exported both as numbers and as text."""

    @property
    def num_names(self) -> int:
        """Number of leading columns that hold names."""
        ...

    def frame(self) -> pl.DataFrame:
        """The numbers, for CSV."""
        ...

    def cells(self) -> Sequence[Sequence[str]]:
        """The texts, the header first, for Markdown."""
        ...


class Section(Protocol):
    """A section of the report, built once from a comparison; the page and the export loop over the same sections.

    File names come without their endings.
    """

    template: ClassVar[str]
    """Name of the section's Jinja template, which reads it as ``section``."""

    @property
    def charts(self) -> Sequence[Chart]:
        """Interactive charts, whose data the page embeds."""
        return ()

    @property
    def script_data(self) -> Mapping[str, str]:
        """Further JSON for the page's scripts, by the id of its element."""
        return {}

    def drawings(self) -> Iterable[tuple[str, Figure]]:
        """Figures for print, by file name."""
        return ()

    def frames(self) -> Iterable[tuple[str, pl.DataFrame]]:
        """Numbers behind the section, written as CSV, by file name."""
        return ()

    def tables(self) -> Iterable[tuple[str, PrintedTable]]:
        """Tables of the section, written as CSV and Markdown, by file name."""
        return ()

    def copies(self) -> Iterable[tuple[str, Path]]:
        """Existing files to copy, by their new names with endings."""
        return ()
