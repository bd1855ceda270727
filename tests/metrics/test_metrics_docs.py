from __future__ import annotations

from pathlib import Path

import pytest

from cladewise import decisions
from cladewise.records.metric_names import METRIC_TEXTS, RECONSTRUCTION_TEXTS

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_every_metric_is_explained_with_its_direction() -> None:
    direction = {name.strip("` "): row[1] for row in rows("metrics.md") for name in row[0].split(",")}
    for name, way in (("level_accuracy", "higher"), ("ece", "lower"), ("mce", "lower")):
        assert direction.pop(f"{name}/<level>") == way
    words = {True: "higher", False: "lower", None: "–"}
    texts = METRIC_TEXTS | RECONSTRUCTION_TEXTS
    assert direction == {name: words[text.higher_is_better] for name, text in texts.items()}


@pytest.mark.parametrize("name", decisions.available())
def test_every_decision_is_explained(name: str) -> None:
    assert [f"`{name}`"] in [row[:1] for row in rows("decisions.md")]
