"""Write docs/which-method.md from the run folders of the two suites here: ``make results``.

``python results/make_page.py RUNS`` reads ``RUNS/which-method`` and ``RUNS/end-to-end``, and keeps all figures in
``results/which-method.json``; without RUNS the page is written again from that record.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from collecting import Figure, Line, Measured, collect
from page import page

from cladewise.suites.reading import read_suite

HERE = Path(__file__).parent
RECORD = HERE / "which-method.json"
PAGE = HERE.parent / "docs" / "which-method.md"
SUITES = ("which-method", "end-to-end")


def main(runs: Path | None) -> None:
    """Collect the figures, if there are runs, and write the page."""
    if runs is not None:
        found = {name: collect(read_suite(HERE / f"{name}.toml"), runs / name) for name in SUITES}
        content = {name: [dataclasses.asdict(data) for data in measured] for name, measured in found.items()}
        RECORD.write_text(json.dumps(_rounded(content), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(from_record(), encoding="utf-8")


def from_record() -> str:
    """The page from the record of the figures."""
    content = json.loads(RECORD.read_text(encoding="utf-8"))
    return page(*([_measured(data) for data in content[name]] for name in SUITES))


def _measured(content: dict[str, Any]) -> Measured:
    tables = {
        name: [Line(**{**line, "figures": {k: Figure(**v) for k, v in line["figures"].items()}}) for line in lines]
        for name, lines in content["tables"].items()
    }
    return Measured(**{**content, "tables": tables})


def _rounded(value: Any) -> Any:
    """Six significant digits: what is beyond them differs between machines."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
