"""The kept index: exact distances, their slow twin, and the approximate kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.features import FeatureTable, ImageIndex, index_features, nearest, read_features
from cladewise.features.feature_tables import encoded, table_of


def written(folder: Path, vectors: np.ndarray, *, encoder: str = "resnet", name: str = "features") -> FeatureTable:
    """A table of features with labels, with an image that could not be read in its middle."""
    count, middle = len(vectors) + 1, len(vectors) // 2
    errors = ["broken" if row == middle else None for row in range(count)]
    passed = pl.DataFrame({"label_path": [f"a/{row % 3}" for row in range(count)]})
    about = {"encoder": encoder, "weights": "w", "transform": "t", "space": "encoder", "head": ""}
    about |= {"num_features": vectors.shape[1]}
    file = folder / f"{name}.parquet"
    file.write_bytes(encoded(table_of([f"{row}.jpg" for row in range(count)], passed, errors, vectors, about)))
    return read_features(file)


def twin(vectors: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    v, q = vectors.astype(np.float64), query.astype(np.float64)
    if metric == "euclidean":
        return np.linalg.norm(v - q, axis=1)
    lengths = np.linalg.norm(v, axis=1) * np.linalg.norm(q)
    return np.where(lengths == 0, 1.0, 1 - v @ q / np.where(lengths == 0, 1, lengths))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 10_000), st.sampled_from([1e-4, 1.0, 1e4]))
def test_exact_distances_have_a_slow_twin(
    tmp_path_factory: pytest.TempPathFactory, metric: str, k: int, count: int, seed: int, size: float
) -> None:
    random = np.random.default_rng(seed)
    vectors = (random.normal(size=(count, 5)) * size).astype(np.float32)
    vectors[random.random(count) < 0.2] = vectors[0]  # copies
    vectors[random.random(count) < 0.1] = 0.0
    queries = np.concatenate([vectors[:3], (random.normal(size=(2, 5)) * size).astype(np.float32)])
    folder = tmp_path_factory.mktemp("index")
    index = index_features(written(folder, vectors), folder / "index", metric=metric, kind="exact")
    rows, distances = index.search(queries, k)
    assert rows.shape == (len(queries), min(k, count))
    for query, found, near in zip(queries, rows, distances, strict=True):
        expected = twin(vectors, query, metric)
        np.testing.assert_allclose(near, np.sort(expected)[: len(near)], rtol=1e-5, atol=1e-6 * max(size, 1e-3))
        np.testing.assert_allclose(expected[found], near, rtol=1e-5, atol=1e-6 * max(size, 1e-3))
        assert (np.diff(near) >= 0).all()
        assert len(set(found.tolist())) == len(found)
    assert (distances[0, 0] == 0) or (metric == "cosine" and not vectors[0].any()) or distances[0, 0] < 1e-12


def test_equal_distances_are_in_the_order_of_the_table(tmp_path: Path) -> None:
    index = index_features(written(tmp_path, np.ones((200, 3), np.float32)), tmp_path / "i", metric="euclidean")
    rows, distances = index.search(np.ones((2, 3)), 5)
    assert (distances == 0).all()
    assert len(set(map(tuple, rows.tolist()))) == 1


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_graph_finds_nearly_all_and_is_the_same_each_time(tmp_path: Path, metric: str) -> None:
    pytest.importorskip("usearch")
    vectors = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    table = written(tmp_path, vectors)
    exact = index_features(table, tmp_path / "exact", metric=metric, kind="exact")
    graph = index_features(table, tmp_path / "graph", metric=metric, kind="hnsw")
    again = index_features(table, tmp_path / "again", metric=metric, kind="hnsw")
    (rows, distances), (found, near) = exact.search(vectors[:50], 10), graph.search(vectors[:50], 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows.tolist(), found.tolist(), strict=True)]) > 0.95
    np.testing.assert_allclose(near[:, 0], distances[:, 0], atol=1e-9)
    assert np.array_equal(again.search(vectors[:50], 10)[0], found)
    single, _ = graph.search(vectors[:1], 10)
    assert np.array_equal(single, found[:1])
    few = index_features(written(tmp_path, vectors[:3], name="few"), tmp_path / "few", metric=metric, kind="hnsw")
    assert sorted(few.search(vectors[:1], 10)[0][0].tolist()) == [0, 1, 2]


def test_tables_of_neighbours(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    table = written(tmp_path, vectors)
    index = index_features(table, tmp_path / "index")
    found = nearest(tmp_path / "index", [tmp_path / "features.parquet"], k=2)
    assert found.columns == ["query", "rank", "path", "distance", "label_path", "error"]
    assert found["query"].to_list() == [f"{row}.jpg" for row in range(7) for _ in range(1 if row == 3 else 2)]
    firsts = found.filter(pl.col("rank") == 1)
    assert firsts["query"].to_list() == firsts["path"].to_list()
    assert firsts["distance"].max() == 0
    assert firsts["label_path"].to_list() == [f"a/{row % 3}" for row in (0, 1, 2, 4, 5, 6)]
    assert found.filter(pl.col("query") == "3.jpg")["error"].to_list() == ["broken"]
    assert ImageIndex.open(tmp_path / "index").about == index.about


def test_features_of_another_encoder_are_refused(tmp_path: Path) -> None:
    vectors = np.ones((4, 4), np.float32)
    index_features(written(tmp_path, vectors), tmp_path / "index")
    other = written(tmp_path, vectors, encoder="vit", name="other")
    with pytest.raises(InputError, match="others: encoder differ"):
        nearest(tmp_path / "index", other)
    with pytest.raises(InputError, match="features of resnet"):
        nearest(tmp_path / "index", ["a.jpg"], encoder="efficientnet_lite0")


def test_wrong_use_is_told(tmp_path: Path) -> None:
    table = written(tmp_path, np.ones((4, 4), np.float32))
    index = index_features(table, tmp_path / "index")
    with pytest.raises(InputError, match="a new folder"):
        index_features(table, tmp_path / "index")
    with pytest.raises(InputError, match="a metric: cosine, euclidean"):
        index_features(table, tmp_path / "i", metric="manhattan")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a kind"):
        index_features(table, tmp_path / "i", kind="flat")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="features of at least one image"):
        index_features(written(tmp_path, np.ones((0, 4), np.float32), name="none"), tmp_path / "i")
    with pytest.raises(InputError, match=r"vectors \[query, 4\]"):
        index.search(np.ones((1, 5)), 1)
    with pytest.raises(InputError, match="finite"):
        index.search(np.full((1, 4), np.nan), 1)
    with pytest.raises(InputError, match="a k of at least 1"):
        index.search(np.ones((1, 4)), 0)
    with pytest.raises(InputError, match="the folder of an index"):
        ImageIndex.open(tmp_path)
    assert not (tmp_path / "i").exists()
