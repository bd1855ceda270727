"""Priors, allowed labels and groups of images, as evaluation and prediction use them on a real run."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import cladewise as cw
from cladewise import InputError, datasets, scale
from cladewise.engine import Run
from cladewise.engine.answering import grouped_scores
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.answering.grouped_scores import PooledScores, grouped
from cladewise.engine.answering.groups import Grouping
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.answering.scoring import scored
from cladewise.inference import Prior
from cladewise.predictions import Prediction, pooled, storage
from cladewise.sources import open_source
from shared_runs import TINY, SharedFolder, copy_of

COLOURS = {"warm/red": (200, 30, 30), "warm/orange": (220, 130, 20), "cold/blue": (20, 20, 160), "grey": (128,) * 3}
EACH = 12


def metrics_of(evaluation: cw.Evaluation) -> dict[str, tuple[float, ...]]:
    """The metrics in a form in which two that have no value are equal for NumPy."""
    return {name: dataclasses.astuple(found) for name, found in evaluation.metrics.items()}


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def listed(shared: SharedFolder) -> Run:
    """A run on images that are listed in a table with a sequence, a region and a date; some cells are blank."""

    def make(folder: Path) -> None:
        rng, rows = np.random.default_rng(0), list[dict[str, Any]]()
        for label, colour in COLOURS.items():
            for number in range(3 * EACH):
                path = folder / label / f"{number:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                noise = np.array(colour) + rng.normal(0, 60, (32, 32, 3))
                Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(path)
                split = ("train", "val", "test")[number // EACH]
                rows.append(
                    {
                        "path": path.relative_to(folder).as_posix(),
                        "label": label,
                        "split": split,
                        "sequence": f"{label} {number // 3}" if number % EACH < 9 else "",
                        "region": "north" if number % 2 else "south",
                        "date": f"2024-{1 + number % 12:02d}-03",
                    }
                )
        order = rng.permutation(len(rows))
        pl.DataFrame([rows[i] for i in order]).write_csv(folder / "photos.csv")

    folder = shared.once("context", make)
    data = datasets.from_manifest(folder / "photos.csv")
    return shared.trained(data, method="hace", epochs=4, freeze=True, lr=0.05)


@pytest.fixture
def run(listed: Run, tmp_path: Path) -> Run:
    return copy_of(listed, tmp_path / "run")


def evaluate(run: Run, **options: Any) -> cw.records.Evaluation:
    return cw.evaluate(run, progress=False, **options)


# ---------------------------------------------------------------- context per image


def test_a_prior_changes_each_image_by_its_own_key(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,1\nsouth,cold,1\nsouth,grey,1\n")
    rule = f"prior:table={table},key=region,unlisted=0"
    found = evaluate(run, inference=rule, decision="leaf")
    rows = pl.read_parquet(found.outcomes)
    seen = scored(run, "test", progress=False)
    assert seen.columns is not None
    regions = dict(zip(seen.paths, seen.columns["region"], strict=True))
    warm = run.taxonomy.find("warm")
    is_warm = run.taxonomy.contains(warm, rows["predicted"].to_numpy())
    assert is_warm.tolist() == [regions[path] == "north" for path in rows["path"]]
    assert found.warnings == ()
    assert "prior" in found.inference
    chained = pl.read_parquet(evaluate(run, inference=f"{rule}+subset:allowed=red,blue", decision="leaf").outcomes)
    by_region = {"north": run.taxonomy.find("red"), "south": run.taxonomy.find("blue")}
    assert chained["predicted"].to_list() == [by_region[regions[path]] for path in chained["path"]]


def test_unknown_keys_are_noted_with_the_evaluation(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,1\n")
    found = evaluate(run, inference=f"prior:table={table},key=region,unlisted=1", decision="leaf")
    half = EACH * len(COLOURS) // 2
    assert f"{half} of {2 * half} images have keys that are not in {table}" in found.warnings[0]


def test_a_missing_column_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "place,label,weight\nnorth,warm,1\n")
    with pytest.raises(InputError, match="a column place for each image, but got the columns sequence, region, date"):
        evaluate(run, inference=f"prior:table={table},key=place,unlisted=1")
    with pytest.raises(InputError, match="a column place of the table that lists the images"):
        evaluate(run, group_by="place")


def test_a_decision_is_fitted_on_what_the_prior_gives(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,9\nsouth,warm,1\n")
    prior = Prior(table, key=("region",), unlisted=1)
    seen = scored(run, "val", progress=False)
    assert isinstance(seen.scores, Prediction)
    by_hand = prior.bound(seen.columns)(seen.scores)  # type: ignore[arg-type]
    found = evaluate(run, inference=prior, decision="hedging:guarantee=0.8")
    expected = cw.decisions.make("hedging", guarantee=0.8).fit(by_hand, seen.target)  # type: ignore[attr-defined]
    assert found.fitted["caution"] == pytest.approx(expected.caution)


def test_fitted_rules_are_fitted_again_when_a_column_changes(run: Run, tmp_path: Path) -> None:
    folder = Path(run.dataset.root)
    own = tmp_path / "photos"
    shutil.copytree(folder, own)
    rows = pl.read_csv(own / "photos.csv", infer_schema=False)
    data = datasets.from_manifest(own / "photos.csv")
    settings: dict[str, Any] = {**TINY, "out": tmp_path / "own", "method": "hace", "epochs": 2, "freeze": True}
    mine = cw.train(data, **settings)
    rule = cw.decisions.make("hedging", guarantee=0.8)
    grouping = Grouping("sequence")
    first = ready(mine, rule, grouping=grouping, progress=False)
    rows.with_columns(sequence=pl.col("label")).write_csv(own / "photos.csv")
    second = ready(Run(mine.path), rule, grouping=grouping, progress=False)
    assert first.values != second.values or first.warnings != second.warnings


# ---------------------------------------------------------------- groups


def test_groups_are_evaluated_as_one_image_each(run: Run) -> None:
    single, by_group = evaluate(run, decision="leaf"), evaluate(run, decision="leaf", group_by="sequence")
    assert single.num_images == EACH * len(COLOURS)
    assert by_group.num_images == len(COLOURS) * (3 + 3)  # three sequences of three images, and three images alone
    assert by_group.inference == "by-sequence"
    assert single.path != by_group.path
    assert by_group.warnings == ("48 images in 24 groups", "images without a group, each counted as one: 12")
    rows = pl.read_parquet(by_group.outcomes)
    assert rows["images"].to_list().count(3) == 3 * len(COLOURS)
    assert rows["images"].sum() == single.num_images
    seen = scored(run, "test", progress=False)
    assert isinstance(seen.scores, Prediction)
    key = rows["path"][int(rows["images"].arg_max())]  # type: ignore[arg-type]
    assert seen.columns is not None
    members = torch.from_numpy((seen.columns["sequence"] == key).arg_true().to_numpy().astype(np.int64))
    by_hand = pooled(seen.scores[members], torch.zeros(3, dtype=torch.int64), 1, "product")
    best = by_hand.best_leaf()
    row = rows.filter(pl.col("path") == key)
    assert row["predicted"][0] == int(best.node)
    assert row["confidence"][0] == pytest.approx(float(best.log_prob), abs=1e-5)


def test_promises_are_fitted_on_groups(run: Run) -> None:
    rule = cw.decisions.make("hedging", guarantee=0.8)
    found = evaluate(run, decision=rule, group_by="sequence", pool="mean")
    assert found.inference == "by-sequence-pool=mean"
    seen, _ = grouped(scored(run, "val", progress=False), Grouping("sequence", "mean"), run.taxonomy)
    assert isinstance(seen.scores, Prediction)
    expected = rule.fit(seen.scores, seen.target)  # type: ignore[attr-defined]
    assert found.fitted["caution"] == pytest.approx(expected.caution)
    files = {path.name for path in run.folder.fitted("val", "x").parent.iterdir()}
    evaluate(run, decision=rule)
    assert len({path.name for path in run.folder.fitted("val", "x").parent.iterdir()} - files) == 1


def test_the_prior_comes_before_the_pooling(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,9\nsouth,warm,1\n")
    prior, grouping = Prior(table, key=("region",), unlisted=1), Grouping("sequence", "mean")
    seen = scored(run, "test", progress=False)
    assert isinstance(seen.scores, Prediction)
    found, _ = grouped(seen, grouping, run.taxonomy, prior)
    assert isinstance(found.scores, Prediction)
    groups = grouping.of(seen.paths, seen.columns)
    assert seen.columns is not None
    each = prior.bound(seen.columns)(seen.scores)
    by_hand = pooled(each, torch.from_numpy(groups.group), len(groups.keys), "mean")
    torch.testing.assert_close(found.scores.log_prob, by_hand.log_prob)


def test_different_labels_meet(run: Run, tmp_path: Path) -> None:
    seen = scored(run, "test", progress=False)
    table = write(tmp_path / "groups.csv", "path;group\n" + "\n".join(f"{p};{p.split('/')[0]}" for p in seen.paths))
    found, notes = grouped(seen, Grouping(str(table)), run.taxonomy)
    labels = dict(zip(found.paths, found.target.tolist(), strict=True))
    assert labels == {name: run.taxonomy.find(name) for name in ("warm", "grey")} | {
        "cold": run.taxonomy.find("blue")  # its only class
    }
    assert notes[-1] == "groups whose images have different labels, and so the node above these as theirs: 1"


def test_pooling_part_by_part_gives_what_pooling_at_once_gives(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scored(run, "test", progress=False)
    assert isinstance(seen.scores, Prediction)
    grouping = Grouping("sequence")
    groups = grouping.of(seen.paths, seen.columns)
    whole = pooled(seen.scores, torch.from_numpy(groups.group), len(groups.keys), "product").log_prob
    for rows in (1, 2, 3, 5, 7):
        monkeypatch.setattr(grouped_scores, "CELLS_AT_ONCE", rows * run.taxonomy.num_nodes)
        streamed = PooledScores(seen, groups, "product", None)
        for chosen in (np.arange(len(groups.keys)), np.array([5, 2, 9])):
            parts = list(streamed.parts(chosen))
            torch.testing.assert_close(storage.concatenate(parts).log_prob, whole[torch.from_numpy(chosen)])
    monkeypatch.setattr(grouped_scores, "LARGEST_KEPT", 0)
    lazily, _ = grouped(seen, grouping, run.taxonomy)
    assert not isinstance(lazily.scores, Prediction)
    assert sum(len(target) for _, target in lazily.parts()) == len(groups.keys)


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("folder", ("a/x", "a", "./b.png")),
        (r"path:(\w)_\d", ("s", "a/c.png", "./b.png")),
        (r"path:^a/", ("a/", "./b.png")),
    ],
)
def test_groups_by_path(by: str, keys: tuple[str, ...]) -> None:
    paths = ["a/x/s_1.png", "a/x/s_2.png", "a/c.png", "./b.png"]
    if by == "folder":
        keys = ("a/x", "a", ".")
    assert Grouping(by).of(paths).keys == keys


def test_groupings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="a regular expression after path:"):
        Grouping("path:(")
    with pytest.raises(InputError, match="mean, product, max, but got 'avg'"):
        Grouping("folder", "avg")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"images with a group by path:zzz, but got none"):
        Grouping("path:zzz").of(["a.png"])


def test_a_group_key_and_the_path_of_an_image_alone_are_two_groups() -> None:
    columns = pl.DataFrame({"sequence": ["b.png", "", "b.png"]})
    groups = Grouping("sequence").of(["a.png", "b.png", "c.png"], columns)
    assert groups.keys == ("b.png", "b.png")
    assert groups.group.tolist() == [0, 1, 0]


def test_no_images_have_no_groups() -> None:
    found = Grouping("folder").of([])
    assert (found.keys, found.order.tolist(), found.starts.tolist()) == ((), [], [0])


def test_scored_images_without_a_table_have_no_columns(run: Run) -> None:
    seen = scored(run, "test", progress=False)
    bare = Scored(seen.scores, seen.target, seen.index, seen.paths, 0)
    with pytest.raises(InputError, match="images without further columns"):
        grouped(bare, Grouping("sequence"), run.taxonomy)


# ---------------------------------------------------------------- allowed


def test_only_allowed_labels_are_answered(run: Run, tmp_path: Path) -> None:
    named = evaluate(run, allowed=["warm", "grey"], decision="leaf")
    rows = pl.read_parquet(named.outcomes)
    assert not run.taxonomy.contains(run.taxonomy.find("cold"), rows["predicted"].to_numpy()).any()
    assert named.rules["inference"] == "subset:allowed=warm,grey"
    np.testing.assert_equal(
        metrics_of(evaluate(run, inference=named.rules["inference"], decision="leaf")), metrics_of(named)
    )
    by_file = evaluate(run, allowed=write(tmp_path / "allowed.txt", "warm\ngrey\n"), decision="leaf")
    np.testing.assert_equal(metrics_of(by_file), metrics_of(named))
    with pytest.raises(InputError, match="warmm"):
        evaluate(run, allowed="warmm")


# ---------------------------------------------------------------- prediction


def test_predict_takes_columns_priors_and_groups(run: Run, tmp_path: Path) -> None:
    seen = scored(run, "test", progress=False)
    assert seen.columns is not None
    assert isinstance(seen.scores, Prediction)
    paths = [Path(run.dataset.root) / path for path in seen.paths]
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,9\nsouth,warm,1\n")
    prior = Prior(table, key=("region",), unlisted=1)
    with pytest.raises(InputError, match="images of which nothing else is known"):
        cw.predict(run, paths[:2], inference=prior, progress=False)
    with pytest.raises(InputError, match="a row for each of 2 images"):
        cw.predict(run, paths[:2], columns=seen.columns, progress=False)
    each = cw.predict(run, paths, inference=prior, columns=seen.columns, progress=False)
    torch.testing.assert_close(each.log_prob, prior.bound(seen.columns)(seen.scores).log_prob, atol=1e-4, rtol=1e-4)
    found = cw.predict(run, paths, inference=prior, columns=seen.columns, group_by="sequence", progress=False)
    expected, _ = grouped(seen, Grouping("sequence"), run.taxonomy, prior)
    assert isinstance(expected.scores, Prediction)
    torch.testing.assert_close(found.log_prob, expected.scores.log_prob, atol=1e-4, rtol=1e-4)
    is_sequence = [not path.endswith(".png") for path in found.paths]
    assert [path for path, is_one in zip(found.paths, is_sequence, strict=True) if is_one] == [
        path for path in expected.paths if not path.endswith(".png")
    ]


def test_a_group_without_a_readable_image_has_an_error(run: Run, tmp_path: Path) -> None:
    good = Path(run.dataset.root) / run.dataset.paths[0]
    paths = [tmp_path / "a" / "1.png", tmp_path / "b" / "1.png", tmp_path / "b" / "2.png"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        shutil.copy(good, path)
    paths[0].write_bytes(b"no image")
    paths[2].write_bytes(b"no image")
    found = cw.predict(run, paths, group_by="folder", progress=False)
    assert found.paths == (str(tmp_path / "a"), str(tmp_path / "b"))
    assert [error is None for error in found.errors] == [False, True]
    (table,) = scale.predict_tables(run, open_source(paths), group_by="folder", progress=False)
    assert table["images"].to_list() == [1, 2]
    assert table["error"].is_null().to_list() == [False, True]


def test_prediction_in_parts_agrees_with_evaluation(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,9\nsouth,warm,1\n")
    prior = f"prior:table={table},key=region,unlisted=1"
    photos = pl.read_csv(Path(run.dataset.root) / "photos.csv", infer_schema=False)
    listed = tmp_path / "test.csv"
    photos.filter(pl.col("split") == "test").drop("label", "split").write_csv(listed)
    source = open_source([listed], root=run.dataset.root)
    rules: dict[str, Any] = {"inference": prior, "decision": "leaf"}
    options: dict[str, Any] = {**rules, "progress": False}
    single = pl.concat(scale.predict_tables(run, source, part_rows=10, allowed=["warm", "grey"], **options))
    rows = pl.read_parquet(evaluate(run, inference=prior, decision="leaf", allowed=["warm", "grey"]).outcomes)
    joined = single.join(rows, on="path", how="inner")
    assert len(joined) == len(rows) == len(single)
    assert joined["node"].to_list() == joined["predicted"].to_list()
    for part_rows in (1, 7, 100):
        parts = list(
            scale.predict_tables(run, source, group_by="sequence", pool="mean", part_rows=part_rows, **options)
        )
        found = pl.concat(parts)
        expected = pl.read_parquet(evaluate(run, **rules, group_by="sequence", pool="mean").outcomes)
        both = found.join(expected, on="path", how="inner")
        assert len(both) == len(expected) == len(found)
        assert both["node"].to_list() == both["predicted"].to_list()
        assert both["images"].to_list() == both["images_right"].to_list()
        of_test = photos.filter(pl.col("split") == "test")
        of_test = of_test.with_columns(key=pl.coalesce(pl.col("sequence").replace("", None), "path"))
        regions = {key: set(of) for key, of in of_test.group_by("key").agg("region").iter_rows()}
        agreed = [regions[key].pop() if len(regions[key]) == 1 else None for key in found["path"]]
        assert found["region"].to_list() == agreed
    with pytest.raises(InputError, match="a column place for each image, but got the columns sequence, region, date"):
        next(
            scale.predict_tables(
                run,
                source,
                inference=f"prior:table={write(tmp_path / 'u.csv', 'place,label,weight')},key=place,unlisted=1",
            )
        )
    with pytest.raises(InputError, match="features or scores that are kept"):
        scale.predict_to(tmp_path / "out", run, source, group_by="sequence", keep=["scores"], progress=False)
    again = scale.predict_to(tmp_path / "parts", run, source, group_by="sequence", progress=False)
    assert again.counts() == (24, 0)
    with pytest.raises(InputError, match="the images changed"):
        scale.predict_to(tmp_path / "parts", run, source, group_by="folder", progress=False)


# ---------------------------------------------------------------- decisions that need columns


def test_a_decision_with_a_prior_of_its_own_is_the_same_everywhere(run: Run, tmp_path: Path) -> None:
    """Evaluation, prediction at once and in parts, from kept scores, and decisions on scores give one answer."""
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,9\nsouth,warm,1\n")
    prior = f"prior:table={table},key=region,unlisted=1"
    rule = f"{prior}+hedging:guarantee=0.8"
    found = evaluate(run, inference="none", decision=rule)
    expected = dict(pl.read_parquet(found.outcomes).select("path", "predicted").iter_rows())
    apart = evaluate(run, inference=prior, decision="hedging:guarantee=0.8")
    np.testing.assert_equal(metrics_of(found), metrics_of(apart))
    assert found.fitted["decision.caution"] == apart.fitted["caution"]
    photos = pl.read_csv(Path(run.dataset.root) / "photos.csv", infer_schema=False)
    photos = photos.filter(pl.col("split") == "test").drop("label", "split")
    paths = [Path(run.dataset.root) / path for path in photos["path"]]
    options: dict[str, Any] = {"inference": "none", "decision": rule, "progress": False}
    predicted = cw.predict(run, paths, columns=photos.drop("path"), **options)
    by_path = [expected[path] for path in photos["path"]]
    assert predicted.node().tolist() == predicted.to_frame()["node"].to_list() == by_path
    listed = tmp_path / "test.csv"
    photos.write_csv(listed)
    source = open_source([listed], root=run.dataset.root)
    parts = scale.predict_to(tmp_path / "parts", run, source, part_rows=10, keep=["scores"], **options)
    again = scale.predict_to(tmp_path / "again", run, parts, **options)
    for made in (parts, again):
        assert pl.concat(made.tables())["node"].to_list() == by_path
    seen = scored(run, "test", progress=False)
    assert isinstance(seen.scores, Prediction)
    assert seen.columns is not None
    leaves = seen.scores.log_prob[:, torch.as_tensor(run.taxonomy.leaf_nodes.copy())].exp()
    texts: list[str] = run.taxonomy.names[run.taxonomy.leaf_nodes].tolist()
    scores = pl.DataFrame(leaves.numpy(), schema=texts).hstack(seen.columns.select("region"))
    decided = cw.decide(scores, run.taxonomy, values="probabilities", decision=f"{prior}+leaf", progress=False)
    leaf = pl.read_parquet(evaluate(run, inference="none", decision=f"{prior}+leaf").outcomes)
    assert decided.node().tolist() == decided.to_frame()["node"].to_list() == leaf["predicted"].to_list()


def test_a_decision_says_which_keys_are_unknown(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,9\n")
    rule = f"prior:table={table},key=region,unlisted=1+leaf"
    found = evaluate(run, decision=rule)
    assert "24 of 48 images have keys that are not in" in found.warnings[0]
    paths = [Path(run.dataset.root) / path for path in run.dataset.paths[:2]]
    columns = pl.DataFrame({"region": ["north", "west"]})
    predicted = cw.predict(run, paths, decision=rule, columns=columns, progress=False)
    assert "1 of 2 images have keys that are not in" in predicted.warnings[0]


def test_a_decision_that_needs_columns_is_refused_alike_without_them_and_for_groups(run: Run, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nnorth,warm,9\n")
    rule = f"prior:table={table},key=region,unlisted=1+majority"
    paths = [Path(run.dataset.root) / path for path in run.dataset.paths[:2]]
    source = open_source(paths)
    with pytest.raises(InputError, match="images of which nothing else is known"):
        cw.predict(run, paths, decision=rule, progress=False)
    with pytest.raises(InputError, match="images of which nothing else is known"):
        next(scale.predict_tables(run, source, decision=rule, progress=False))
    scores = pl.DataFrame({"red": [0.7, 0.1], "orange": [0.1, 0.1], "blue": [0.1, 0.7], "grey": [0.1, 0.1]})
    scores = scores.with_columns(region=pl.lit("north"), sequence=pl.lit("s"))
    options: dict[str, Any] = {"decision": rule, "group_by": "folder", "progress": False}
    verbs = [
        lambda: cw.evaluate(run, **options),
        lambda: cw.choose(run, out=None, only=True, **options),
        lambda: cw.predict(run, paths, columns=pl.DataFrame({"region": ["north"] * 2}), **options),
        lambda: next(scale.predict_tables(run, source, **options)),
        lambda: cw.decide(
            scores, run.taxonomy, decision=rule, group_by="sequence", values="probabilities", progress=False
        ).to_frame(),
    ]
    lines = set[str]()
    for verb in verbs:
        with pytest.raises(InputError) as raised:
            verb()
        lines.add(str(raised.value))
    assert len(lines) == 1
    assert lines.pop().startswith("Expected a decision about groups without inferences that need columns")
