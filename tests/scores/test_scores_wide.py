"""Wide tables: a column of scores per class, in every file type and for every meaning of the numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.feather
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.predictions import LeafSoftmax, LevelSoftmax, NodeSoftmax, Prediction
from cladewise.scores import Scores, open_scores
from cladewise.scores.formats import columnar
from reference.given_predictions import random_prediction
from strategies import taxonomies

TREE = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog",)])


def everything(scores: Scores, rows: int | None = None) -> torch.Tensor:
    """Probabilities of all rows."""
    return torch.cat([prediction.log_prob.exp() for _, prediction in scores.parts(rows)])


def written(folder: Path, frame: pl.DataFrame, suffix: str) -> Path:
    path = folder / f"scores{suffix}"
    if suffix == ".parquet":
        frame.write_parquet(path, row_group_size=2)
    elif suffix == ".feather":
        pyarrow.feather.write_feather(frame.to_arrow(), path, chunksize=2)
    else:
        frame.write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather"])
def test_leaf_probabilities_with_further_columns_in_any_order(tmp_path: Path, suffix: str) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), 5)
    frame = pl.DataFrame(
        {
            "dog": p[:, 0],
            "path": [f"{k}.jpg" for k in range(5)],
            "lynx": p[:, 1],
            "label": ["lynx", "dog", "", "cat", "cat/lion"],
            "lion": p[:, 2],
            "latitude": np.linspace(-1, 1, 5),
        }
    )
    scores = open_scores(written(tmp_path, frame, suffix), TREE, columns=["latitude"])
    assert scores.keys.to_list() == [f"{k}.jpg" for k in range(5)]
    assert scores.columns.columns == ["label", "latitude"]
    assert scores.targets is not None
    assert scores.targets.tolist() == [3, 4, -1, 1, 2]
    expected = torch.tensor([[1, p[k, 1] + p[k, 2], p[k, 2], p[k, 1], p[k, 0]] for k in range(5)])
    for rows in (None, 1, 2, 3):
        torch.testing.assert_close(everything(scores, rows), expected.float())
        assert [s.stop - s.start for s, _ in scores.parts(2)] == [2, 2, 1]
    assert type(next(scores.parts())[1]) is LeafSoftmax


def test_a_class_outside_the_tree_is_refused_or_mass_of_the_root(tmp_path: Path) -> None:
    path = written(tmp_path, pl.DataFrame({"id": ["a"], "lion": [0.5], "blank": [0.3], "dog": [0.2]}), ".csv")
    with pytest.raises(InputError, match="'blank'"):
        open_scores(path, TREE)
    for scores in (open_scores(path, TREE, elsewhere=["Blank"]), open_scores(path, TREE, unmatched="elsewhere")):
        torch.testing.assert_close(everything(scores), torch.tensor([[1, 0.5, 0.5, 0, 0.2]]))
        assert any("blank" in note for note in scores.notes)
        prediction = next(scores.parts())[1]
        assert type(prediction) is NodeSoftmax
        assert prediction.own_log_prob[0, 0].exp().item() == pytest.approx(0.3)


EVEN = Taxonomy.from_paths([(f"f{k // 4}", f"g{k // 2}", f"s{k}") for k in range(9)])
KINDS = {
    "leaves": "LeafSoftmax",
    "nodes": "NodeSoftmax",
    "levels": "LevelSoftmax",
    "totals": "NodeSoftmax",
    "exact totals": "LeafSoftmax",
    "independent": "NodeSigmoid",
}
"""The kind of prediction whose probabilities are written for each way in which classes compete."""


@st.composite
def wide_predictions(draw: st.DrawFn) -> tuple[Prediction, list[int], str]:
    """A prediction, the nodes whose probabilities are written, and what competes."""
    over = draw(st.sampled_from(list(KINDS)))
    tree = EVEN if over == "levels" else draw(taxonomies(max_nodes=12, min_nodes=3))  # one column per node
    prediction = random_prediction(KINDS[over], tree, draw(st.integers(1, 5)), seed=draw(st.integers(0, 999)))
    if over == "nodes":
        prediction = NodeSoftmax(tree, prediction.logits[..., 1:], with_root=False)
    nodes = tree.leaf_nodes.tolist() if over == "leaves" else list(range(1, tree.num_nodes))
    return prediction, draw(st.permutations(nodes)), over.removeprefix("exact ")


def numbers_of(prediction: Prediction, nodes: list[int], over: str) -> torch.Tensor:
    """Probabilities as a classifier of that kind would write them."""
    if over == "nodes":
        return prediction.own_log_prob.exp()[:, nodes]
    if over == "levels":
        full = torch.zeros(*prediction.batch_shape, prediction.taxonomy.num_nodes, dtype=torch.float64)
        for level in range(1, prediction.taxonomy.num_levels + 1):
            found = prediction.level_log_prob(level)
            full[:, found.nodes] = found.log_prob.exp()
        return full[:, nodes]
    return prediction.log_prob.exp()[:, nodes]


@settings(deadline=None)
@given(drawn=wide_predictions(), data=st.data())
def test_a_prediction_comes_back_from_every_file(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Prediction, list[int], str], data: st.DataObject
) -> None:
    prediction, nodes, over = drawn
    tree, folder = prediction.taxonomy, tmp_path_factory.mktemp("wide")
    p = numbers_of(prediction, nodes, over)
    names = [tree.path_name(node) for node in nodes]
    values = data.draw(st.sampled_from(["probabilities", "log-probabilities", "percentages"]))
    scores = {"probabilities": p, "log-probabilities": p.log(), "percentages": 100 * p}[values].numpy()
    keys = [f"{k}.jpg" for k in range(len(p))]
    suffix = data.draw(st.sampled_from([".csv", ".tsv", ".parquet", ".feather", ".npz", ".npy", ".safetensors"]))
    path, classes = folder / f"scores{suffix}", None
    if suffix == ".npz":
        np.savez(path, scores=scores, classes=np.array(names), path=np.array(keys))
    elif suffix == ".npy":
        np.save(path, np.asfortranarray(scores) if data.draw(st.booleans()) else scores)
        classes = names
    elif suffix == ".safetensors":
        safetensors.numpy.save_file({"s": np.ascontiguousarray(scores)}, path, metadata={"classes": json.dumps(names)})
    else:
        written(folder, pl.DataFrame({"path": keys, **dict(zip(names, scores.T, strict=True))}), suffix)
    opened = open_scores(path, tree, values=values, over=over, classes=classes)
    assert opened.keys.to_list() == (
        keys if suffix not in (".npy", ".safetensors") else [str(k) for k in range(len(p))]
    )
    torch.testing.assert_close(everything(opened, 2).double(), prediction.log_prob.exp(), atol=1e-5, rtol=1e-4)
    if values != "log-probabilities" and tree.num_levels > 1 and over in ("leaves", "levels"):
        assert type(next(open_scores(path, tree, values=values, classes=classes).parts())[1]) is type(prediction)


@pytest.mark.parametrize(("over", "kind"), [("leaves", LeafSoftmax), ("nodes", NodeSoftmax), ("levels", LevelSoftmax)])
def test_logits_are_those_of_the_softmax_that_is_stated(tmp_path: Path, over: Any, kind: type[Prediction]) -> None:
    nodes = EVEN.leaf_nodes.tolist() if over == "leaves" else list(range(1, EVEN.num_nodes))
    z = np.random.default_rng(1).normal(size=(3, len(nodes))) * 5
    np.savez(tmp_path / "z.npz", z=z, classes=np.array([EVEN.path_name(node) for node in nodes]))
    if over != "leaves":
        with pytest.raises(InputError, match="which classes compete"):
            open_scores(tmp_path / "z.npz", EVEN)
    prediction = next(open_scores(tmp_path / "z.npz", EVEN, over=over).parts())[1]
    assert type(prediction) is kind
    expected = {
        "leaves": lambda: LeafSoftmax(EVEN, torch.from_numpy(z)),
        "nodes": lambda: NodeSoftmax(EVEN, torch.from_numpy(z), with_root=False),
        "levels": lambda: LevelSoftmax(EVEN, torch.from_numpy(z), tied=True),
    }[over]()
    torch.testing.assert_close(prediction.log_prob.double(), expected.log_prob, atol=1e-5, rtol=1e-5)


def test_a_row_group_that_is_too_large_is_turned_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(EVEN.num_leaves), 50)
    names = [str(EVEN.names[leaf]) for leaf in EVEN.leaf_nodes]
    frame = pl.DataFrame({"path": [str(k) for k in range(50)], **dict(zip(names, p.T, strict=True))})
    frame.write_parquet(tmp_path / "scores.parquet")
    pyarrow.feather.write_feather(frame.to_arrow(), tmp_path / "scores.feather")
    monkeypatch.setattr(columnar, "LARGEST_BLOCK", 200)
    monkeypatch.setattr(columnar, "CELLS_AT_ONCE", 120)
    for name in ("scores.parquet", "scores.feather"):
        opened = open_scores(tmp_path / name, EVEN)
        torch.testing.assert_close(
            everything(opened)[:, EVEN.leaf_nodes.copy()].double(), torch.from_numpy(p), atol=1e-6, rtol=1e-5
        )


def one_row(folder: Path, names: list[str], *rows: Sequence[float | str | None]) -> Path:
    path = folder / "scores.csv"
    cells = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    path.write_text("\n".join([",".join(["id", *names]), *(f"r{k},{row}" for k, row in enumerate(cells))]) + "\n")
    return path


LEAVES = ["lion", "lynx", "dog"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[0.5, 0.25, 0.25], [0.5, None, 0.5]], r"1 that are missing or infinite at .*row 2 \(r1\)"),
        ([[0.5, 0.25, 0.25], [0.5, "NaN", 0.5]], r"missing or infinite at .*row 2 \(r1\)"),
        ([[0.5, 0.25, 0.25]] * 1001 + [[0.5, 0.1, 0.1]], r"sum to 1, but got 0\.7 at .*row 1,002 \(r1001\)"),
        ([[0.5, 0.25, 0.25]] * 1001 + [[-0.5, 1.4, 0.1]], r"probabilities in every row.*-0\.5 to 1\.4.*\(r1001\)"),
        ([[0.5, 0.25, 0.25]] * 1001 + [[0, 0, 0]], r"sum to 1, but got 0 at"),
        ([[0.5, 0.1, 0.1], [0.1, 0.2, 0.3]], r'rows that sum to 0\.6 to 0\.7.*missing="impossible"'),
        ([[3, 40, 5], [5, 6, 7]], "logits or percentages"),
        ([[-0.2, 0.3, 0.1]], "similarities"),
        ([[-3, -4, -0.5]], "logs of independent probabilities"),
    ],
)
def test_rows_and_scales_that_are_unclear_are_refused(tmp_path: Path, rows: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(open_scores(one_row(tmp_path, LEAVES, *rows), TREE).parts())


def test_what_a_row_leaves_over_is_impossible_or_elsewhere(tmp_path: Path) -> None:
    path = one_row(tmp_path, LEAVES, [0.5, 0.1, 0.2], [0.1, 0.2, 0.3])
    scaled = everything(open_scores(path, TREE, missing="impossible"))
    torch.testing.assert_close(scaled[0], torch.tensor([1, 0.75, 0.625, 0.125, 0.25]))
    left = open_scores(path, TREE, missing="elsewhere")
    torch.testing.assert_close(everything(left)[0], torch.tensor([1, 0.6, 0.5, 0.1, 0.2]))
    assert next(left.parts())[1].own_log_prob[:, 0].exp().tolist() == pytest.approx([0.2, 0.4])
    alone = everything(open_scores(path, TREE, over="independent"))
    torch.testing.assert_close(alone[0], torch.tensor([1, 0.5, 0.5, 0.1, 0.2]))


def test_rounded_probabilities_are_scaled_with_a_note(tmp_path: Path) -> None:
    opened = open_scores(one_row(tmp_path, LEAVES, [0.33, 0.33, 0.33], [0.5, 0.25, 0.25]), TREE)
    torch.testing.assert_close(everything(opened)[0, 2:], torch.full((3,), 1 / 3))
    assert any("rounded to 2 decimals" in note and "0.99 to 1" in note for note in opened.notes)


def test_leaves_without_a_class_are_told(tmp_path: Path) -> None:
    opened = open_scores(one_row(tmp_path, ["lion", "dog"], [0.4, 0.6]), TREE)
    assert any("1 of 3 leaves" in note and "lynx" in note for note in opened.notes)
    assert everything(opened)[0].tolist() == pytest.approx([1, 0.4, 0.4, 0, 0.6])


def test_parents_that_are_scored_apart_are_independent(tmp_path: Path) -> None:
    opened = open_scores(one_row(tmp_path, ["cat", *LEAVES], [0.2, 0.5, 0.25, 0.8]), TREE)
    assert everything(opened)[0].tolist() == pytest.approx([1, 0.2, 0.5, 0.25, 0.8])
    assert any("independent" in note for note in opened.notes)


def test_a_later_row_whose_parent_is_no_sum_is_refused(tmp_path: Path) -> None:
    rows = [[0.75, 0.5, 0.25, 0.25]] * 1001 + [[0.3, 0.5, 0.2, 0.3]]
    with pytest.raises(InputError, match=r"the sum of its children's.*\(r1001\)"):
        list(open_scores(one_row(tmp_path, ["cat", *LEAVES], *rows), TREE).parts())


def test_a_column_that_is_no_class_is_kept_or_refused(tmp_path: Path) -> None:
    path = one_row(tmp_path, [*LEAVES, "latitude"], [0.5, 0.25, 0.25, 51.5])
    with pytest.raises(InputError, match="'latitude'"):
        open_scores(path, TREE)
    assert open_scores(path, TREE, columns=["latitude"]).columns["latitude"].to_list() == [51.5]
    with pytest.raises(InputError, match="the column 'longitude'"):
        open_scores(path, TREE, columns=["longitude"])
    with pytest.raises(InputError, match=r"elsewhere.*'blank'"):
        open_scores(path, TREE, columns=["latitude"], elsewhere=["blank"])


def test_rows_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("image,lion,lynx,dog\na,1,0,0\na,0,1,0\n")
    with pytest.raises(InputError, match="2 rows that share one, such as 'a'"):
        open_scores(path, TREE)


def test_labels_of_a_table_are_joined_by_the_rows_names(tmp_path: Path) -> None:
    path = one_row(tmp_path, LEAVES, [1, 0, 0], [0, 1, 0], [0, 0, 1])
    labels = tmp_path / "labels.csv"
    labels.write_text("id,label,split,site\nr2,dog,test,hill\nr0,cat,val,pond\nr9,dog,test,hill\n")
    opened = open_scores(path, TREE, labels=labels)
    assert opened.targets is not None
    assert opened.targets.tolist() == [1, -1, 4]
    assert opened.splits is not None
    assert opened.splits.to_list() == ["val", "", "test"]
    assert opened.columns["site"].to_list() == ["pond", "", "hill"]
    assert any("1 of 3 rows have no label" in note and "'r1'" in note for note in opened.notes)
    assert any("1 rows of" in note for note in opened.notes)
    labels.write_text("id,label\nx/r0,cat\n")
    with pytest.raises(InputError, match=r"keys like 'r0', the labels like 'x/r0'"):
        open_scores(path, TREE, labels=labels)
    labels.write_text("id,label\nr0,cat\nr0,dog\n")
    with pytest.raises(InputError, match="several for 'r0'"):
        open_scores(path, TREE, labels=labels)


def test_several_files_are_one_table(tmp_path: Path) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), 7)
    frame = pl.DataFrame({"path": [str(k) for k in range(7)], **dict(zip(LEAVES, p.T, strict=True))})
    frame[:3].write_parquet(tmp_path / "a.parquet")
    frame[3:].select("dog", "path", "lion", "lynx").write_csv(tmp_path / "b.csv")
    opened = open_scores([tmp_path / "a.parquet", tmp_path / "b.csv"], TREE)
    assert opened.keys.to_list() == [str(k) for k in range(7)]
    torch.testing.assert_close(everything(opened, 2)[:, [2, 3, 4]].double(), torch.from_numpy(p), atol=1e-6, rtol=1e-5)
    frame[3:].drop("dog").write_csv(tmp_path / "b.csv")
    with pytest.raises(InputError, match="the same classes"):
        open_scores([tmp_path / "a.parquet", tmp_path / "b.csv"], TREE)


def test_digest_changes_with_the_files_and_what_is_stated_about_them(tmp_path: Path) -> None:
    path = one_row(tmp_path, LEAVES, [1, 0, 0])
    first = open_scores(path, TREE).digest
    assert open_scores(path, TREE).digest == first
    os.utime(path, (1, 1))
    assert open_scores(path, TREE).digest == first  # the same content, copied or made again
    assert open_scores(path, TREE, over="independent").digest != first
    one_row(tmp_path, LEAVES, [0, 1, 0.0])
    assert open_scores(path, TREE).digest != first


def test_arrays_without_names_of_classes_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "scores.npy", np.full((4, 3), 1 / 3))
    with pytest.raises(InputError, match="names of the 3 classes"):
        open_scores(tmp_path / "scores.npy", TREE)
    with pytest.raises(InputError, match="3 classes, one for each column"):
        open_scores(tmp_path / "scores.npy", TREE, classes=["lion", "dog"])
    np.savez(tmp_path / "objects.npz", scores=np.ones((2, 3)) / 3, classes=np.array(LEAVES, dtype=object))
    with pytest.raises(InputError, match="Python objects"):
        open_scores(tmp_path / "objects.npz", TREE)


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    for name, content in (("a.parquet", b"PAR1 nothing"), ("a.feather", b"ARROW1\0\0 nothing"), ("a.csv", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError):
            open_scores(tmp_path / name, TREE)


@pytest.mark.parametrize("keys", [["a.jpg", "b.jpg"], ["0", "1"]])
def test_an_index_without_a_name_names_the_rows(tmp_path: Path, keys: list[str]) -> None:
    text = tmp_path / "scores.csv"
    text.write_text(f",lion,lynx,dog\n{keys[0]},0.5,0.25,0.25\n{keys[1]},0.125,0.75,0.125\n")
    table = pl.read_csv(text).rename({"": "a"}).to_arrow().rename_columns(["", "lion", "lynx", "dog"])
    pyarrow.feather.write_feather(table, tmp_path / "scores.feather")
    for path in (text, tmp_path / "scores.feather"):
        scores = open_scores(path, TREE)
        assert scores.keys.to_list() == keys, path
        assert everything(scores)[:, 2].tolist() == pytest.approx([0.5, 0.125])


def test_rows_without_names_are_numbered_with_a_note_and_no_further_column(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("lion,lynx,dog\n0.5,0.25,0.25\n")
    scores = open_scores(path, TREE)
    assert (scores.keys.to_list(), scores.columns.columns) == (["0"], [])
    assert any("numbered from 0" in note for note in scores.notes)


@pytest.mark.parametrize("values", ["logits", "log-probabilities"])
@pytest.mark.parametrize("is_stated", [False, True])
def test_a_class_that_is_impossible_in_every_row(tmp_path: Path, values: Any, is_stated: bool) -> None:
    p = np.array([[0.75, 0.25], [0.5, 0.5]])
    logs = np.log(p) + (np.array([[3.0], [5.0]]) if values == "logits" else 0)
    rows = [[f"{first}", "-inf", f"{last}"] for first, last in logs.tolist()]
    scores = open_scores(one_row(tmp_path, LEAVES, *rows), TREE, values=values if is_stated else None)
    expected = torch.tensor([[1, 0.75, 0.75, 0, 0.25], [1, 0.5, 0.5, 0, 0.5]])
    torch.testing.assert_close(everything(scores), expected)
    with pytest.raises(InputError, match="without gaps"):
        open_scores(one_row(tmp_path, LEAVES, *rows), TREE, values="probabilities")


def test_decimal_commas_are_read_where_another_character_separates_cells(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("\ufeffimage;lion;lynx;dog;latitude\na,1;0,5;0,25;0,25;51,5\nb,2;1;0;0;52\n", encoding="utf-8")
    scores = open_scores(path, TREE, columns=["latitude"])
    assert scores.keys.to_list() == ["a,1", "b,2"]
    assert scores.columns["latitude"].to_list() == [51.5, 52]
    torch.testing.assert_close(everything(scores), torch.tensor([[1, 0.75, 0.5, 0.25, 0.25], [1, 1, 1, 0, 0]]))
    assert any("decimal" in note for note in scores.notes)
    path.write_text("image;label;score\na;lion;0,5\na;dog;0,25\n")
    assert everything(open_scores(path, TREE)).tolist() == [[1, 0.5, 0.5, 0, 0.25]]


def test_names_of_columns_that_are_nearly_classes_are_told(tmp_path: Path) -> None:
    path = one_row(tmp_path, ["Lion", "Lynx", "Dog"], [0.5, 0.25, 0.25])
    with pytest.raises(InputError, match=r"3 columns of numbers 3 are no classes: 'Lion' \(nearest: 'lion'\)"):
        open_scores(path, TREE)


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("image,lion,lynx,dog\n")
    with pytest.raises(InputError, match="at least one row of scores, but got a header alone"):
        open_scores(path, TREE)
