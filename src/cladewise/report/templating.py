"""Templates of pages, and pages on disk."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from cladewise.atomic import writing
from cladewise.report.figure import DASH_ARRAYS, Chart, color

TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Where templates are found, and what they may use."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["chart_json"] = _chart_json
    made.filters["group_color"] = color
    made.filters["dash_array"] = DASH_ARRAYS.__getitem__
    return made


def _chart_json(chart: Chart) -> Markup:
    return Markup(chart.json())


def write_html(out: Path, html: str) -> Path:
    """Whole or not at all. Halves of surrogate pairs, which UTF-8 cannot say, become question marks."""
    with writing(out) as file:
        file.write(html.encode("utf-8", errors="replace"))
    return out
