from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import decisions
from cladewise.decisions import CRM
from cladewise.decisions.costs import cost_table
from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from reference import decisions_twin
from reference.given_predictions import KINDS, random_prediction
from reference.small_trees import T9_THETA, ragged_taxonomies, t9, t9_nodes, t9_order

GOLDEN = {"3": 2.751004, "4": 1.873684, "5": 1.563963, "7": 1.854362, "8": 2.122985}


def flat() -> LeafSoftmax:
    return LeafSoftmax(t9(), torch.tensor([T9_THETA])[:, t9_order()][:, t9().leaf_nodes.copy()])


def heights(taxonomy: Taxonomy, rows: list[int] | None = None) -> Tensor:
    """The table of all heights of lowest common ancestors."""
    leaves = taxonomy.leaf_nodes.tolist()
    rows = leaves if rows is None else rows
    return torch.tensor([[decisions_twin.lca_height(taxonomy, v, leaf) for leaf in leaves] for v in rows]).double()


def test_golden() -> None:
    risk = CRM().risk(flat())[0]
    expected = [GOLDEN[str(t9().names[leaf])] for leaf in t9().leaf_nodes]
    torch.testing.assert_close(risk, torch.tensor(expected), atol=2e-6, rtol=0)
    assert CRM()(flat()).node.tolist() == t9_nodes(5)
    assert CRM().ranking(flat(), 5).tolist() == [t9_nodes(5, 7, 4, 8, 3)]
    assert CRM()(flat()).log_prob.exp().item() == pytest.approx(0.411096, abs=1e-6)


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=24)
def test_risk_agrees_with_one_pair_at_a_time(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 2, 1, seed=seed)
    for cost in ("lca-height", "path-length"):
        nodes, leaves = CRM("nodes", cost).risk(prediction), CRM("leaves", cost).risk(prediction)
        for i, j in [(0, 0), (1, 0)]:
            p = prediction.log_prob[i, j].exp().tolist()
            expected = [decisions_twin.risk(taxonomy, p, v, cost) for v in range(taxonomy.num_nodes)]
            np.testing.assert_allclose(nodes[i, j], expected, atol=1e-9)
        torch.testing.assert_close(leaves, nodes[..., taxonomy.leaf_nodes.copy()])


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=24)
def test_a_table_gives_what_the_sum_down_the_paths_gives(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 4, seed=seed)
    for over, rows in (("leaves", taxonomy.leaf_nodes.tolist()), ("nodes", list(range(taxonomy.num_nodes)))):
        table = CRM(over, heights(taxonomy, rows))
        torch.testing.assert_close(table.risk(prediction), CRM(over).risk(prediction))
    both = CRM("leaves", heights(taxonomy, list(range(taxonomy.num_nodes))))  # rows of inner nodes are left out
    torch.testing.assert_close(both.risk(prediction), CRM().risk(prediction))


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=15)
def test_if_all_mistakes_are_equal_risk_ranks_as_probability(taxonomy: Taxonomy, seed: int) -> None:
    prediction = random_prediction("LeafSoftmax", taxonomy, 4, seed=seed)
    equal = CRM(cost=1 - torch.eye(taxonomy.num_leaves))
    assert equal.ranking(prediction, 20).equal(prediction.ranking(20))


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=24)
def test_height_never_prefers_an_inner_node_to_every_leaf_under_it(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    risk = CRM("nodes").risk(random_prediction(kind, taxonomy, 3, seed=seed))
    for v in range(taxonomy.num_nodes):
        leaves = taxonomy.leaf_nodes[taxonomy.leaf_start[v] : taxonomy.leaf_end[v]].copy()
        assert (risk[:, leaves].amin(-1) <= risk[:, v] + 1e-9).all()


def test_an_inner_node_is_the_middle_of_what_may_be() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e",)])
    prediction = LeafSoftmax(taxonomy, torch.tensor([[0.3, 0.3, 0.3, 0.1], [0.9, 0.05, 0.03, 0.02]]).log())
    answer = CRM("nodes", "path-length")(prediction)
    assert [taxonomy.path_name(v) for v in answer.node.tolist()] == ["a", "a/b"]
    assert answer.log_prob.exp().tolist() == pytest.approx([0.9, 0.9])
    ranked = CRM("nodes", "path-length").ranking(prediction, 3)
    names = [[taxonomy.path_name(v) for v in row] for row in ranked.tolist()]
    assert names == [["a", "a/b", "a/c"], ["a/b", "a/c", "a/d"]]


def a_table(folder: Path, suffix: str, rows: list[str], columns: list[str], values: Tensor) -> str:
    frame = pl.DataFrame({"node": rows} | {name: values[:, i].numpy() for i, name in enumerate(columns)})
    path = folder / f"costs{suffix}"
    frame.write_csv(path) if suffix == ".csv" else frame.write_parquet(path)
    return str(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_names_its_rows_and_columns(tmp_path: Path, suffix: str) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "b")])  # two are called b
    leaves = taxonomy.leaf_nodes.tolist()
    nodes = [3, 0, 5, 1, 4, 2]
    columns = [leaves[2], leaves[0], leaves[1]]
    names = [taxonomy.path_name(v) if str(taxonomy.names[v]) == "b" else str(taxonomy.names[v]) for v in nodes]
    of_columns = [taxonomy.path_name(v) for v in columns]
    values = torch.arange(18.0).reshape(6, 3)
    path = a_table(tmp_path, suffix, names, of_columns, values)
    prediction = random_prediction("SiblingSoftmax", taxonomy, 4, dtype=torch.float32)
    ordered = values[[nodes.index(v) for v in range(6)]][:, [columns.index(v) for v in leaves]]
    torch.testing.assert_close(CRM("nodes", path).risk(prediction), CRM("nodes", ordered).risk(prediction))
    torch.testing.assert_close(CRM("leaves", path).risk(prediction), CRM("leaves", ordered).risk(prediction))
    only = a_table(tmp_path, suffix, of_columns, of_columns, values[:3])
    expected = values[:3][[columns.index(v) for v in leaves]][:, [columns.index(v) for v in leaves]]
    torch.testing.assert_close(CRM(cost=only).risk(prediction), CRM(cost=expected).risk(prediction))  # written anew
    with pytest.raises(
        InputError,
        match=r"Expected costs \[6, 3\], one column per leaf, but got shape \[3, 3\] at .*costs.*row for every",
    ):
        CRM("nodes", only)(prediction)


def test_an_array_is_in_the_order_of_the_taxonomy(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", heights(t9()).numpy())
    np.save(tmp_path / "whole.npy", heights(t9()).numpy().astype(np.int64))
    for name in ("d.npy", "whole.npy"):
        torch.testing.assert_close(CRM(cost=str(tmp_path / name)).risk(flat()), CRM().risk(flat()))
    (tmp_path / "d.npy").rename(tmp_path / "D.NPY")
    torch.testing.assert_close(CRM(cost=str(tmp_path / "D.NPY")).risk(flat()), CRM().risk(flat()))
    np.save(tmp_path / "c.npy", heights(t9()).numpy() * 1j)
    with pytest.raises(
        InputError, match=r"a table of costs, but got Cannot cast array data from dtype\('complex128'\)"
    ):
        CRM(cost=str(tmp_path / "c.npy"))(flat())


def test_wrong_files_are_named(tmp_path: Path) -> None:
    taxonomy = Taxonomy.from_paths([("a",), ("b",)])
    prediction = LeafSoftmax(taxonomy, torch.zeros(1, 2))

    def text(content: str, name: str = "costs.csv") -> str:
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError) as caught:
            CRM(cost=str(tmp_path / name))(prediction)
        assert str(tmp_path / name) in str(caught.value)
        return str(caught.value)

    assert "Expected a column for each of 2 labels, but got none for 'b'" in text("node,a\na,0\nb,1\n")
    assert "Expected a row for each of 2 labels, but got none for 'a'" in text("node,a,b\nb,1,0\n")
    assert "but got 1 that does not: 'c' at" in text("node,a,b\na,1,0\nc,1,0\n")
    assert "and no others, but got a column ''" in text("node,a,b,\na,1,0,\nb,1,0,\n")
    assert "Expected every label once, but got 'a' twice" in text("node,a,b\na,1,0\na,1,0\nb,0,0\n")
    for rows in ("b,0,0\na,1,nan\n", "a,1,\nb,0,0\n", "b,0,0\na,1\n", "a,1,inf\nb,0,0\n"):
        message = "got an infinite, missing or NaN cost for the answer 'a' where 'b' is true at"
        assert f"Expected finite costs, but {message}" in text(f"node,a,b\n{rows}")
    assert "Expected a table of costs" in text("node,a,b\na,1,x\nb,0,0\n")
    assert "Expected a table of costs" in text("not an array", "costs.npy")


def test_names_in_a_cost_table_stay_texts(tmp_path: Path) -> None:
    taxonomy = Taxonomy.from_paths([("007",), ("7",)])
    (tmp_path / "costs.csv").write_text("node,7,007\n7,0,1\n007,2,0\n")
    costs = cost_table(str(tmp_path / "costs.csv"), taxonomy, all_nodes=False)
    torch.testing.assert_close(costs, torch.tensor([[0.0, 2.0], [1.0, 0.0]]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: CRM("inner"), "Expected an answer over leaves or nodes, but got 'inner'."),
        (lambda: decisions.make("crm", over="inner"), "Expected one of leaves, nodes, but got 'inner'"),
        (lambda: CRM(cost="height")(flat()), "Expected lca-height, path-length or a file of costs, but got 'height'"),
        (
            lambda: CRM(cost="none.npy")(flat()),
            "a file of costs, but got No such file or directory at none.npy",
        ),
        (
            lambda: CRM(cost=torch.zeros(4, 5))(flat()),
            r"costs \[5, 5\], one column per leaf, but got shape \[4, 5\]",
        ),
    ],
)
def test_wrong_options_are_named(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_handles_differ() -> None:
    rules = [CRM(), CRM("nodes"), CRM(cost="path-length"), CRM("nodes", "path-length"), CRM(cost="mine.npy")]
    assert len({rule.handle for rule in rules}) == len(rules)
    assert CRM().handle == "crm"
    tables = [torch.zeros(200, 200) for _ in range(2)]  # too long to be told in full
    tables[1][100, 100] = 1.0
    assert len({CRM(cost=table).handle for table in tables}) == 2
    assert CRM(cost=tables[0]).handle == CRM(cost=tables[0].clone()).handle
