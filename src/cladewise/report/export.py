"""Exports the sections of the report as files: drawings as PNG and SVG, numbers as CSV, tables also as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cladewise.atomic import write_bytes
from cladewise.drawing.paper import save_figure
from cladewise.drawing.tables import write_csv, write_markdown
from cladewise.report.sections import Section


def export_sections(sections: Iterable[Section], folder: Path) -> list[Path]:
    """Write the drawings, numbers and tables of the sections.

    Numbers in CSV files are fractions and not rounded; Markdown tables look as on the page.

    Args:
        sections: The sections of the page.
        folder: Where the files go; created if missing.

    Returns:
        The files written.
    """
    written: list[Path] = []
    for section in sections:
        for name, figure in section.drawings():
            written += save_figure(figure, folder / name)
        for name, frame in section.frames():
            written.append(write_csv(frame, folder / f"{name}.csv"))
        for name, table in section.tables():
            written.append(write_csv(table.frame(), folder / f"{name}.csv"))
            written.append(write_markdown(table.cells(), folder / f"{name}.md", num_names=table.num_names))
        for name, source in section.copies():
            write_bytes(folder / name, source.read_bytes())
            written.append(folder / name)
    return written
