"""An evaluation is read back as it was written, and whatever is not one is refused."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
from pathlib import Path

import pytest

from cladewise import InputError
from cladewise.records import (
    CalibrationBins,
    CurvePoints,
    Curves,
    Evaluation,
    PromiseKept,
    read_evaluation,
    write_evaluation,
)
from cladewise.statistics import Interval


def an_evaluation(path: Path) -> Evaluation:
    return Evaluation(
        split="val+test",
        inference="bottom-up",
        decision="hedging-0.9@val",
        rules={"inference": "bottom-up", "decision": "hedging:guarantee=0.9"},
        num_images=12,
        num_skipped=1,
        fingerprint="f",
        model="m",
        data="d",
        fitted={"caution": 7.4, "boundary": [0.1, 0.2]},
        fitted_on={"hedging-0.9@val": "val"},
        promise=0.9,
        promises=(PromiseKept("", 0.9, 2, 3), PromiseKept("family", 0.99, 3, 3)),
        warnings=("few images",),
        metrics={"top1": Interval(0.6, 0.5, 0.7, 12), "hd@1": Interval(2.5, math.nan, math.nan, 12)},
        curves=Curves(
            CurvePoints((math.nan, -0.1), (0.0, 0.5), (1.0, 0.9), (1.0, 0.8)),
            {"genus": CalibrationBins((math.nan, 0.7), (math.nan, 0.75), (0, 12))},
        ),
        frequencies={"few_below": 20, "many_above": 100},
        path=path,
    )


def test_it_is_written_again_byte_for_byte(tmp_path: Path) -> None:
    for name, about in (("one.json", {}), ("two.json", {"allowed": "12 nodes"})):
        kept = dataclasses.replace(an_evaluation(tmp_path / name), about=about)
        write_evaluation(kept)
        before = kept.path.read_bytes()
        found = read_evaluation(kept.path)
        write_evaluation(found)
        assert kept.path.read_bytes() == before
        assert json.loads(before).get("about", {}) == about == found.about
        unlike = [
            f.name for f in dataclasses.fields(kept) if repr(getattr(kept, f.name)) != repr(getattr(found, f.name))
        ]
        assert unlike == []


def test_what_its_json_holds_is_documented(tmp_path: Path) -> None:
    write_evaluation(an_evaluation(tmp_path / "e.json"))
    page = Path(__file__).parents[2] / "docs" / "architecture.md"
    written = json.loads((tmp_path / "e.json").read_text())
    shown = json.loads(page.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0])
    assert list(shown) == list(written)
    assert {*shown["curves"]["operating"]} == {*written["curves"]["operating"]}


def test_metrics_are_items_with_intervals_and_attributes_without(tmp_path: Path) -> None:
    found = an_evaluation(tmp_path / "e.json")
    for same in (found, copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert same.top1 == same["top1"].value == same.value("top1") == 0.6
    assert math.isnan(found.value("severity"))
    assert "top1" in dir(found)
    with pytest.raises(AttributeError, match="no metric 'top2'; there are top1, hd@1"):
        _ = found.top2


def test_it_knows_its_folder_and_how_it_is_made_again(tmp_path: Path) -> None:
    found = an_evaluation(tmp_path / "evaluations" / "e.json")
    assert (found.folder, found.outcomes) == (tmp_path, tmp_path / "evaluations" / "e.parquet")
    assert found.command == f"cladewise evaluate {tmp_path.as_posix()} --split val+test"
    own = dataclasses.replace(found, tree="own", path=tmp_path / "evaluations" / "own-tree" / "e.json")
    assert (own.folder, own.command) == (tmp_path, f"{found.command} --tree own")


def test_it_matches_weights_and_data_as_far_as_both_are_known(tmp_path: Path) -> None:
    found = an_evaluation(tmp_path / "e.json")
    known = [found.is_of(*pair) for pair in (("m", "d"), ("m", ""), ("", ""), ("n", "d"), ("m", "e"))]
    assert known == [True, True, True, False, False]
    assert found.is_by("decision", "hedging:guarantee=0.9")
    assert found.is_by("inference", "bottom-up")
    assert not found.is_by("decision", "leaf")


def test_early_evaluations_say_less(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    least = {"split": "test", "inference": "none", "decision": "leaf", "num_images": 3, "fingerprint": "f"}
    path.write_text(json.dumps({"schema_version": 1, **least, "metrics": {"top1": {"value": 1, "count": 3}}}))
    found = read_evaluation(path)
    assert (found.tree, found.model, found.data, found.promise, found.curves) == ("true", "", "", None, Curves())
    assert found.promises == ()
    assert math.isnan(found["top1"].low)
    assert found["top1"].count == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "schema_version 1, but got 2"),
        ({"schema_version": None}, "schema_version 1, but got none"),
        ({"num_images": "many"}, "an evaluation as cladewise evaluate writes it"),
        ({"promise": 1.5}, "promise 1.5"),
        ({"promises": [{"name": "", "share": 0.9, "right": 4, "images": 3}]}, "promise PromiseKept"),
        ({"promises": [{"name": "", "share": 0.9, "right": 4}]}, "none of its entry 'images'"),
        ({"metrics": [1]}, "an evaluation as cladewise evaluate writes it"),
        ({"metrics": {"top1": {"value": True}}}, "top1 with entries that are not numbers"),
        ({"metrics": {"top1": {"value": "high"}}}, "top1 with entries that are not numbers"),
        ({"curves": {"operating": {"threshold": [1.0]}}}, "none of its entry 'recall'"),
        (
            {"curves": {"operating": {"threshold": [1.0], "recall": [], "precision": [1], "correct": [1]}}},
            "operating: 1 of threshold, 0 of recall",
        ),
        (
            {"curves": {"reliability": {"genus": {"confidence": 1, "accuracy": [1], "count": [1]}}}},
            "reliability at genus confidence that is not a list",
        ),
    ],
)
def test_what_is_not_an_evaluation_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "e.json"
    write_evaluation(an_evaluation(path))
    content = {k: v for k, v in {**json.loads(path.read_text()), **change}.items() if v is not None}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=said) as caught:
        read_evaluation(path)
    assert str(path) in str(caught.value)
