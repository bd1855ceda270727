"""Write docs/which-method.md and its picture from the run folders of the suites here: ``make results``.

``python results/make_page.py RUNS`` reads ``RUNS/which-method``, ``RUNS/two-views`` and ``RUNS/end-to-end``, and keeps
all figures in ``results/which-method.json``; without RUNS the page is written again from that record.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collecting import Figure, Line, Measured, collect
from dot_plot import draw
from page import page

from cladewise.suites.reading import read_suite

HERE = Path(__file__).parent
RECORD = HERE / "which-method.json"
PAGE = HERE.parent / "docs" / "which-method.md"
PICTURE = PAGE.parent / "pictures" / "which-method.svg"
SUITES = {"which-method": "", "two-views": "two views on ", "end-to-end": "end to end on "}
"""Words before the name of a dataset that is still to be measured, by suite."""


def main(runs: Path | None) -> None:
    """Collect the figures, if there are runs, and write the page."""
    if runs is not None:
        found = {name: collect(read_suite(HERE / f"{name}.toml"), runs / name) for name in SUITES}
        content = {name: [_as_record(data) for data in measured] for name, measured in found.items()}
        RECORD.write_text(json.dumps(content, separators=(",", ":")).replace('{"method"', '\n{"method"') + "\n")
    PAGE.write_text(from_record(), encoding="utf-8")
    draw(recorded()[0], PICTURE)


def recorded() -> list[list[Measured]]:
    """The measured datasets of each suite."""
    content = json.loads(RECORD.read_text(encoding="utf-8"))
    return [[_measured(data) for data in content[name]] for name in SUITES]


def from_record() -> str:
    """The page from the record of the figures."""
    probes, views, trained = found = recorded()
    missing = [text for name, measured in zip(SUITES, found, strict=True) for text in _missing(name, measured)]
    return page(probes, views, trained, missing)


def _missing(suite: str, found: Sequence[Measured]) -> list[str]:
    names = {data.name for data in found}
    return [SUITES[suite] + entry.name for entry in read_suite(HERE / f"{suite}.toml").data if entry.name not in names]


def _as_record(data: Measured) -> dict[str, Any]:
    """Plain values; a figure is the list of its fields with six digits, as further ones differ between machines."""
    tables = {
        name: [
            {
                **{field: getattr(line, field) for field in ("method", "inference", "decision")},
                "figures": {
                    k: [float(f"{part:.6g}") for part in dataclasses.astuple(v)] for k, v in line.figures.items()
                },
            }
            for line in lines
        ]
        for name, lines in data.tables.items()
    }
    return {**{field.name: getattr(data, field.name) for field in dataclasses.fields(data)}, "tables": tables}


def _measured(content: dict[str, Any]) -> Measured:
    """The reverse of :func:`_as_record`."""
    tables = {
        name: [
            Line(**{**line, "figures": {k: Figure(*v[:2], int(v[2]), *v[3:]) for k, v in line["figures"].items()}})
            for line in lines
        ]
        for name, lines in content["tables"].items()
    }
    return Measured(**{**content, "tables": tables})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
