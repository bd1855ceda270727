from __future__ import annotations

import pytest

from cladewise.errors import InputError
from cladewise.metrics import column_names
from cladewise.records.metric_names import METRIC_TEXTS, metric_text
from reference.small_trees import t9


def test_every_metric_has_a_text_and_every_text_a_metric() -> None:
    computed = {*column_names(t9()), "level_accuracy"}
    assert all(metric_text(name).title for name in computed)
    assert METRIC_TEXTS.keys() <= computed


def test_directions() -> None:
    lower = {name for name, text in METRIC_TEXTS.items() if not text.higher_is_better}
    assert lower == {"severity", "hd@1", "hd@5", "hd@20", "tice"}


def test_unknown_metric() -> None:
    with pytest.raises(InputError, match=r"Expected a metric: top1, .*, but got 'top2'"):
        metric_text("top2")
