"""Rendering pages from Jinja templates, and writing them to disk."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import jinja2
from markupsafe import Markup

from cladewise.atomic import writing
from cladewise.drawing.palette import DASH_ARRAYS, color
from cladewise.report.charts import Chart

TEMPLATES = Path(__file__).parent / "templates"

HEADING = re.compile(r'<section id="([^"]+)">\s*<h2>(.*?)</h2>', re.DOTALL)
"""The start of a section in every template. Names are escaped, so none of them can match."""

CONTROLS = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"},
    127: 0x2421,
    **dict.fromkeys(range(128, 160), 0xFFFD),
}
"""Control characters, which HTML forbids, and the symbols that stand for them."""


@lru_cache(maxsize=4)
def environment(*folders: Path) -> jinja2.Environment:
    """The Jinja environment of a page.

    Args:
        folders: Folders with further templates; they may use those of the report, such as its style sheet.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["chart_json"] = _chart_json
    made.filters["group_color"] = color
    made.filters["dash_array"] = DASH_ARRAYS.__getitem__
    cast(dict[str, Any], made.globals)["headings"] = headings
    return made


def headings(html: str) -> list[tuple[str, Markup]]:
    """Id and title of every section in a page, for its table of contents.

    Example:
        >>> headings('<section id="a"><h2>First</h2></section> <section id="b"><h2>R&amp;D</h2></section>')
        [('a', Markup('First')), ('b', Markup('R&amp;D'))]
    """
    return [(key, Markup(title)) for key, title in HEADING.findall(html)]


def _printable(value: object) -> object:
    """Text with its control characters, which HTML forbids, replaced by visible symbols."""
    return value.translate(CONTROLS) if isinstance(value, str) and not isinstance(value, Markup) else value


def _chart_json(chart: Chart) -> Markup:
    return Markup(chart.json())


def write_html(out: Path, html: str) -> Path:
    """Write a page whole or not at all; lone surrogates, which UTF-8 cannot encode, become question marks."""
    with writing(out) as file:
        file.write(html.encode("utf-8", errors="replace"))
    return out
