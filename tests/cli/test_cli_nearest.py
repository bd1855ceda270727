"""``cladewise embed images``, ``index`` and ``nearest``: from pictures to neighbours."""

from __future__ import annotations

from io import StringIO
from typing import Any

import polars as pl
import pytest

from cladewise.features import read_features

RED = "photos/warm/red/1.png"


def test_from_pictures_to_their_neighbours(here: Any, run: str) -> None:
    code, out, err = here("embed", "images", run, "--split", "all", "--out", "features.parquet", "--quiet")
    assert code == 0
    assert "images, " in out + err
    table = pl.read_parquet("features.parquet")
    assert table.columns == ["path", "label_path", "split", "features", "error"]
    code, out, err = here("index", "features.parquet", "--out", "index", "--metric", "euclidean")
    assert code == 0, err
    code, out, err = here("nearest", "index", RED, "broken.png", "--k", "3")
    assert code == 0, err
    found = pl.read_csv(StringIO(out))
    assert found["query"].to_list() == [RED] * 3 + ["broken.png"]
    assert found["rank"].to_list() == [1, 2, 3, None]
    assert found["path"][0].endswith(RED)
    assert found["label_path"][0] == "warm/red"
    assert found["distance"][0] == pytest.approx(0, abs=1e-3)
    assert found["error"].is_null().to_list() == [True, True, True, False]
    code, out, _ = here("nearest", "index", "features.parquet", "--k", "1", "--out", "near.parquet")
    near = pl.read_parquet("near.parquet").drop_nulls("path")
    assert code == 0
    assert near["query"].to_list() == near["path"].to_list()


def test_folders_and_broken_files(here: Any, run: str) -> None:
    code, _, err = here("embed", "images", run, "photos", "broken.png", "--out", "parts/", "--quiet")
    assert code == 0, err
    assert "cladewise: broken.png left out: " in err
    assert read_features("parts").frame.height > 5
    code, _, err = here("embed", "images", run, "broken.png", "--out", "none.parquet", "--quiet")
    assert code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["embed", "images", "RUN"], "Expected images to embed, or --split"),
        (["embed", "images", "RUN", RED, "--precision", "fp8"], "fp8"),
        (["embed", "images", "RUN", RED, "--runtime", "tvm"], "tvm"),
        (["embed", "images", "no-such-encoder", RED], "no-such-encoder"),
        (["embed", "images", "RUN", RED, "--space", "head"], "a space: encoder, own"),
        (["index", "missing.parquet"], "missing.parquet"),
        (["index", "missing.parquet", "--metric", "l1"], "l1"),
        (["nearest", "photos", RED], "the folder of an index"),
    ],
)
def test_mistakes_are_told_in_a_line(here: Any, run: str, words: list[str], told: str) -> None:
    code, _, err = here(*(run if word == "RUN" else word for word in words))
    assert code == 2
    assert told in err
    assert err.startswith("cladewise: ")
