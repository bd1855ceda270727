"""Exports of labelling tools on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from cli.conftest import COLOURS, TINY

CONFIG = """<View><Image name="image" value="$image"/><Taxonomy name="colour" toName="image">
<Choice value="warm" alias="w"><Choice value="red" alias="r"/><Choice value="orange" alias="o"/></Choice>
<Choice value="cold" alias="c"><Choice value="blue" alias="b"/><Choice value="green" alias="g"/></Choice>
</Taxonomy><Choices name="light" toName="image"><Choice value="day"/></Choices></View>"""
ALIAS = {"warm": "w", "cold": "c", "red": "r", "orange": "o", "blue": "b", "green": "g"}


def task(number: int, path: str, label: str) -> dict[str, Any]:
    whole = {
        "id": "a",
        "from_name": "colour",
        "type": "taxonomy",
        "value": {"taxonomy": [[*map(ALIAS.get, label.split("/"))]]},
    }
    light = {"id": "b", "from_name": "light", "type": "choices", "value": {"choices": ["day"]}}
    annotation = {"id": number, "completed_by": 1, "was_cancelled": False, "result": [whole, light]}
    return {"id": number, "data": {"image": f"/data/local-files/?d={path}"}, "annotations": [annotation]}


def test_an_export_is_trained_on_and_predictions_go_back_to_the_tool(here: Any, tmp_path: Path) -> None:
    places = [(f"{label}/{number}.png", label) for label in COLOURS for number in range(10)]
    tasks = [task(number, path, label) for number, (path, label) in enumerate(places)]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    (tmp_path / "config.xml").write_text(CONFIG)
    words = ("train", tmp_path / "export.json", "--taxonomy", tmp_path / "config.xml", "--data-option", "root=photos")
    out = tmp_path / "run"

    code, _, err = here(*words, "--out", out, *TINY)
    assert code == 2
    assert "one control with labels of whole images, but got 'colour' (40 annotations), 'light' (40 annotations)" in err
    code, said, err = here(*words, "--data-option", "control=colour", "--out", out, *TINY)
    assert code == 0, err
    assert "export: 40 images" in said + err
    assert set(pl.read_csv(out / "taxonomy.csv")["name"].drop_nulls()) == set(ALIAS)

    code, _, err = here("evaluate", out)  # the run finds the export again
    assert code == 0, err
    code, _, err = here("predict", out, "photos/warm/red", "--out", tmp_path / "tasks.json", "--format", "label-studio")
    assert code == 0, err
    paths = [
        p["result"][0]["value"]["taxonomy"][0]
        for t in json.loads((tmp_path / "tasks.json").read_text())
        for p in t["predictions"]
    ]
    assert len(paths) == 10
    assert all(path[0] in ("w", "c") and path[-1] in ALIAS.values() for path in paths)
