"""Features of images as Parquet: what other tools read, resumption, errors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import torch

import cladewise as cw
from cladewise import backbones
from cladewise.datasets import Dataset, decode
from cladewise.engine import Run
from cladewise.engine.answering.representing import represent
from cladewise.errors import InputError
from cladewise.features import embed_images, read_features, table_encoder
from cladewise.sources import open_source

ENCODER = "test_resnet"


@pytest.fixture(scope="module")
def run(trained: Callable[..., Run]) -> Run:
    return trained(method="hace", freeze=True, epochs=10)


@pytest.fixture(scope="module")
def table(run: Run, colour_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("features") / "features.parquet"
    embed_images(run, [colour_folder], out, progress=False, runtime="torch")
    return out


def test_vectors_are_those_of_the_encoder(run: Run, table: Path) -> None:
    found = read_features(table)
    paths = found.frame.filter(pl.col("error").is_null())["path"].to_list()
    transform = run.backbone.transform()
    with torch.inference_mode():
        expected = torch.cat([run.backbone.cpu()(transform(decode(path))[None]) for path in paths[:20]])
    np.testing.assert_allclose(found.vectors[:20], expected.numpy(), rtol=1e-4, atol=1e-5)
    assert found.vectors.shape == (len(paths), run.backbone.num_features)
    assert found.about["weights"] == run.backbone.fingerprint
    assert found.about["image_size"] == run.backbone.image_size


def test_every_tool_reads_the_same(table: Path) -> None:
    found = read_features(table)
    whole = found.frame
    broken = whole["error"].is_not_null().to_numpy()
    assert broken.sum() == 1
    by_polars = pl.read_parquet(table)
    assert by_polars.schema["features"] == pl.Array(pl.Float32, found.num_features)
    assert by_polars["features"].is_null().to_numpy().tolist() == broken.tolist()
    np.testing.assert_array_equal(by_polars["features"].drop_nulls().to_numpy(), found.vectors)
    by_pandas = pd.read_parquet(table)
    np.testing.assert_array_equal(np.stack(by_pandas["features"].dropna()), found.vectors)
    assert by_pandas["path"].tolist() == whole["path"].to_list()
    by_arrow = pq.read_table(table)
    assert str(by_arrow.schema.field("features").type) == f"fixed_size_list<element: float>[{found.num_features}]"
    about = json.loads(by_arrow.schema.metadata[b"cladewise"])
    assert about == found.about
    assert {"encoder", "weights", "transform", "image_size", "pooling", "space", "num_features", "run"} <= set(about)


def test_labels_of_a_run_come_along_and_an_estimator_fits_on_them(run: Run, tmp_path: Path) -> None:
    from cladewise.estimators import HierarchicalClassifier

    embed_images(run, out=tmp_path / "train.parquet", split="train", progress=False, runtime="torch")
    embed_images(run, out=tmp_path / "test.parquet", split="test", progress=False, runtime="torch")
    train, test = (pl.read_parquet(tmp_path / f"{name}.parquet").drop_nulls("features") for name in ("train", "test"))
    assert set(train["split"]) == {"train"}
    data = run.dataset
    assert train["label_path"].to_list() == [
        data.taxonomy.path_name(int(data.nodes[image]))
        for image in data.indices("train")
        if str(data.root / data.paths[image]) in set(train["path"])
    ]
    model = HierarchicalClassifier("hace", separator="/", scaling="l2", random_state=0, decision="leaf")
    model.fit(train["features"].to_numpy(), train["label_path"].to_numpy())
    assert model.score(test["features"].to_numpy(), test["label_path"].to_numpy(), level=1) > 0.5


def test_vectors_of_the_head(run: Run, tmp_path: Path) -> None:
    own = embed_images(run, run.dataset, tmp_path / "own.parquet", split="test", space="own", progress=False)
    expected = represent(run, run.dataset, run.dataset.indices("test"), progress=False).vectors[:, 0]
    np.testing.assert_allclose(own.vectors, expected.numpy(), rtol=1e-4, atol=1e-4)
    assert own.about["head"] == run.model_hash


def test_a_killed_job_resumes_to_the_same_bytes(colours: Dataset, tmp_path: Path) -> None:
    encoder = table_encoder(backbones_file())
    whole = embed_images(encoder, colours, tmp_path / "whole", part_rows=7, progress=False, runtime="torch")
    again = tmp_path / "again"
    shutil.copytree(tmp_path / "whole", again)
    files = sorted(again.glob("*.parquet"))
    assert len(files) > 3
    kept = files[1]
    os.utime(kept, (1, 1))
    for file in (files[0], files[-1]):
        file.unlink()
    resumed = embed_images(encoder, colours, again, part_rows=7, progress=False, runtime="torch")
    assert kept.stat().st_mtime == 1  # not computed again
    for one, other in zip(whole.files, resumed.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    scanned = pyarrow.dataset.dataset(again).to_table()
    assert scanned.num_rows == len(colours)
    single = embed_images(encoder, colours, tmp_path / "one.parquet", part_rows=7, progress=False, runtime="torch")
    np.testing.assert_array_equal(single.vectors, whole.vectors)
    assert single.frame.equals(whole.frame)
    assert not (tmp_path / "one.parquet.parts").exists()


def backbones_file() -> cw.features.TableEncoder:
    torch.manual_seed(0)
    return cw.features.TableEncoder(backbones.load(ENCODER, pretrained=False, image_size=32).eval())


def test_parts_of_other_work_are_refused(colours: Dataset, tmp_path: Path) -> None:
    encoder = backbones_file()
    embed_images(encoder, colours, tmp_path / "parts", part_rows=50, progress=False, runtime="torch")
    with pytest.raises(InputError, match="parts of another encoder or other images"):
        embed_images(encoder, colours, tmp_path / "parts", part_rows=49, progress=False, runtime="torch")
    (tmp_path / "parts" / "part-000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="a damaged one"):
        embed_images(encoder, colours, tmp_path / "parts", part_rows=50, progress=False, runtime="torch")


def test_further_columns_and_errors(colour_folder: Path, tmp_path: Path) -> None:
    image = next(path for path in sorted(colour_folder.rglob("*.png")))
    (tmp_path / "list.csv").write_text(f"path,site,count\n{image},pond,3\nmissing.jpg,,\n{image},bog,4\n")
    source = open_source([tmp_path / "list.csv"])
    found = embed_images(backbones_file(), source, tmp_path / "f.parquet", progress=False, runtime="torch")
    assert found.frame["site"].to_list() == ["pond", None, "bog"]
    assert found.frame["error"].is_null().to_list() == [True, False, True]
    np.testing.assert_array_equal(found.vectors[0], found.vectors[1])
    (tmp_path / "clash.csv").write_text(f"path,features\n{image},1\n")
    with pytest.raises(InputError, match="other names of the columns"):
        embed_images(backbones_file(), open_source([tmp_path / "clash.csv"]), tmp_path / "g.parquet", progress=False)


def test_what_is_not_there_is_told(colours: Dataset, run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        embed_images("no-such-encoder", colours, tmp_path / "a.parquet", progress=False)
    with pytest.raises(InputError, match=r"a file that ends in .parquet.*features.csv/"):
        embed_images(ENCODER, ["a.jpg"], tmp_path / "features.csv")
    with pytest.raises(InputError, match="a run folder or the name of an encoder"):
        table_encoder("runs/absent")
    with pytest.raises(InputError, match="a run with space='own'"):
        table_encoder(ENCODER, "own")
    with pytest.raises(InputError, match="a run with split="):
        embed_images(backbones_file(), out=tmp_path / "a.parquet", split="test", progress=False)
    with pytest.raises(InputError, match="a split"):
        embed_images(run, out=tmp_path / "a.parquet", split="tset", progress=False)
    with pytest.raises(InputError, match="Leave out split="):
        embed_images(run, ["a.jpg"], tmp_path / "a.parquet", split="test", progress=False)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="another Parquet file"):
        read_features(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(InputError, match="a table of features in Parquet"):
        read_features(tmp_path / "text.parquet")
    with pytest.raises(InputError, match="a folder without parts"):
        read_features(tmp_path)
