"""Priors by key: weights of leaves on every kind of prediction, tables, and keys from columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy, inference
from cladewise.errors import InputError
from cladewise.inference import Inference, Prior, Subset, bound_to
from cladewise.inference.keys import parse_key
from cladewise.inference.prior_table import read_prior, training_shares
from cladewise.inference.weighing import weighed
from cladewise.predictions import LeafSoftmax, LeafWeights, LevelSoftmax, NodeSigmoid, NodeSoftmax, Prediction
from reference.given_predictions import KINDS, random_prediction
from reference.laws import RAGGED, case
from strategies import taxonomies

TREE = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth", "hawk moth"), ("moth", "tiger moth")])


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def bound(rule: Prior, **columns: list[object]) -> Inference:
    return rule.bound(pl.DataFrame(columns))


# ---------------------------------------------------------------- weights of leaves


def twin(p: np.ndarray, w: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
    """Bayes' rule at the leaves, summed up the tree one node at a time."""
    leaves = p * w / (p * w).sum()
    return np.array([leaves[taxonomy.leaf_start[v] : taxonomy.leaf_end[v]].sum() for v in range(taxonomy.num_nodes)])


@given(taxonomies(max_nodes=16), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_coherent_heads_obey_bayes(taxonomy: Taxonomy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.choice([0.0, 0.2, 1.0, 30.0], size=(3, taxonomy.num_leaves))
    weights[:, rng.integers(taxonomy.num_leaves)] = 2.0
    by_image = LeafWeights(taxonomy, torch.from_numpy(weights).float().log())
    for kind in ("LeafSoftmax", "SiblingSoftmax", "PathSumSoftmax"):
        prediction = random_prediction(kind, taxonomy, 3, seed=seed % 1000, dtype=torch.float64)
        result = weighed(prediction, by_image).log_prob.exp().numpy()
        leaves = prediction.log_prob.exp().numpy()[:, taxonomy.leaf_nodes]
        for row in range(3):
            np.testing.assert_allclose(result[row], twin(leaves[row], weights[row], taxonomy), atol=2e-6)


@given(taxonomies(max_nodes=16, min_nodes=2), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_levels_are_multiplied_by_the_largest_weight_of_what_they_stand_for(taxonomy: Taxonomy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.choice([0.0, 0.2, 1.0, 30.0], size=(2, taxonomy.num_leaves))
    weights[:, rng.integers(taxonomy.num_leaves)] = 2.0
    prediction = random_prediction("LevelSoftmax", taxonomy, 2, seed=seed % 1000, dtype=torch.float64)
    result = weighed(prediction, LeafWeights(taxonomy, torch.from_numpy(weights).log()))
    for level in range(1, taxonomy.num_levels + 1):
        nodes, log_prob = prediction.level_log_prob(level)
        standing = taxonomy.at_level(level)[taxonomy.leaf_nodes]
        for row in range(2):
            expected = np.zeros(len(nodes))
            for place, node in enumerate(nodes.tolist()):
                largest = weights[row, standing == node].max()
                expected[place] = log_prob[row, place].exp() * largest
            found = result.level_log_prob(level).log_prob[row].exp().numpy()
            np.testing.assert_allclose(found, expected / expected.sum(), atol=2e-6)


@given(taxonomies(max_nodes=16, min_nodes=2), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_own_mass_of_an_inner_node_gets_the_largest_weight_below(taxonomy: Taxonomy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.choice([0.0, 0.2, 1.0, 30.0], size=(1, taxonomy.num_leaves))
    weights[:, rng.integers(taxonomy.num_leaves)] = 2.0
    prediction = random_prediction("NodeSoftmax", taxonomy, 1, seed=seed % 1000, dtype=torch.float64)
    result = weighed(prediction, LeafWeights(taxonomy, torch.from_numpy(weights).log()))
    own = prediction.own_log_prob.exp().numpy()[0]
    expected = np.zeros(taxonomy.num_nodes)
    for node in range(taxonomy.num_nodes):
        expected[node] = own[node] * weights[0, taxonomy.leaf_start[node] : taxonomy.leaf_end[node]].max()
    np.testing.assert_allclose(result.own_log_prob.exp().numpy()[0], expected / expected.sum(), atol=2e-6)


def test_a_table_of_zeros_and_ones_is_a_subset(tmp_path: Path) -> None:
    leaves = [RAGGED.path_name(int(v)) for v in RAGGED.leaf_nodes]
    text = "\n".join(["label,weight", *(f"{leaf},{int(i % 2)}" for i, leaf in enumerate(leaves))])
    prior, subset = Prior(write(tmp_path / "t.csv", text)), Subset(leaves[1::2])
    for kind in KINDS:
        with case(kind):
            prediction = random_prediction(kind, RAGGED, 4, seed=1, dtype=torch.float32)
            one, other = prior(prediction), subset(prediction)
            assert type(one) is type(other)
            assert torch.equal(one.log_prob, other.log_prob)


def test_weights_count_only_relative_to_each_other(tmp_path: Path) -> None:
    leaves = [RAGGED.path_name(int(v)) for v in RAGGED.leaf_nodes]
    table = {
        c: "\n".join(["label,weight", *(f"{leaf},{c * (1 + i)}" for i, leaf in enumerate(leaves))]) for c in (1, 64)
    }
    small, large = (Prior(write(tmp_path / f"{c}.csv", text)) for c, text in table.items())
    for kind in KINDS:
        with case(kind):
            prediction = random_prediction(kind, RAGGED, 4, seed=1, dtype=torch.float32)
            torch.testing.assert_close(small(prediction).log_prob, large(prediction).log_prob, atol=1e-5, rtol=1e-5)


def test_sigmoids_compete_at_the_leaves_with_weights_other_than_zero_and_one(tmp_path: Path) -> None:
    rule = Prior(write(tmp_path / "t.csv", "label,weight\nwren,3\nrobin,1\nmoth,1\n"))
    result = rule(NodeSigmoid(TREE, torch.zeros(1, 6)))
    assert isinstance(result, LeafSoftmax)
    torch.testing.assert_close(result.log_prob[0, TREE.find("wren")].exp(), torch.tensor(0.5))


def test_extreme_scores_and_weights_stay_finite(tmp_path: Path) -> None:
    rule = Prior(write(tmp_path / "t.csv", "label,weight\nwren,1e-300\nrobin,1e300\nmoth,1\n"), strength=3)
    for prediction in (
        LeafSoftmax(TREE, 1e4 * torch.tensor([[1.0, -1, 1, -1]])),
        NodeSoftmax(TREE, 1e4 * torch.tensor([[1.0, -1, 1, -1, 1, -1, 1]])),
        LevelSoftmax(TREE, 1e4 * torch.tensor([[1.0, -1, 1, -1, 1, -1]])),
    ):
        log_prob = rule(prediction).log_prob
        assert not log_prob.isnan().any()
        torch.testing.assert_close(log_prob[:, 0], torch.zeros(1), atol=1e-5, rtol=0)


def test_a_repeated_row_has_the_same_result_whatever_else_is_in_the_batch(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nn,bird,4\nn,moth,1\ns,wren,1\ns,moth,9\n")
    rule = Prior(table, key=("region",), unlisted=0.25)
    prediction = random_prediction("LevelSoftmax", TREE, 4, seed=3, dtype=torch.float32)
    both = bound(rule, region=["n", "s", "x", "n"])(prediction).log_prob
    alone = bound(rule, region=["s"])(prediction[1:2]).log_prob
    torch.testing.assert_close(both[1:2], alone)
    assert torch.equal(both[2], prediction.log_prob[2])


# ---------------------------------------------------------------- tables


def weights(path: Path, tree: Taxonomy = TREE, *, unlisted: float | None = None) -> list[list[float]]:
    table = read_prior(path, tree, [parse_key("region")], unlisted=unlisted)
    return np.exp(table.log_weights(np.arange(table.num_rows))).round(5).tolist()


def test_long_and_wide_tables_say_the_same(tmp_path: Path) -> None:
    long = write(tmp_path / "long.csv", "label;region;weight\nbird;n;2\nbird/wren;n;5\nmoth;n;1\nmoth;s;3\n")
    wide = write(tmp_path / "wide.tsv", "region\tbird\tbird/wren\tmoth\nn\t2\t5\t1\ns\t\t\t3\n")
    pl.DataFrame({"region": ["n", "s"], "bird": [2.0, None], "bird/wren": [5, None], "moth": [1, 3]}).write_parquet(
        tmp_path / "wide.parquet"
    )
    expected = [[5.0, 2.0, 1.0, 1.0], [0.0, 0.0, 3.0, 3.0]]
    for path in (long, wide, tmp_path / "wide.parquet"):
        assert weights(path, unlisted=0.0) == expected


@pytest.mark.filterwarnings("ignore:1 label matched only approximately")
@given(taxonomies(max_nodes=14), st.data())
@settings(max_examples=60, deadline=None)
def test_the_nearest_listed_ancestor_counts(
    tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy, data: st.DataObject
) -> None:
    listed = data.draw(st.dictionaries(st.integers(0, taxonomy.num_nodes - 1), st.integers(0, 9), max_size=8))
    rows = [f'"{taxonomy.path_name(v) or "root"}",{w}' for v, w in listed.items()]
    path = write(tmp_path_factory.mktemp("prior") / "t.csv", "\n".join(["label,weight", *rows]))

    def expected(leaf: int) -> float:
        above = [v for v in reversed(taxonomy.path(leaf)) if v in listed]
        return float(listed[above[0]]) if above else 7.0

    found = [expected(int(leaf)) for leaf in taxonomy.leaf_nodes]
    if any(found):
        log_weights = read_prior(path, taxonomy, unlisted=7.0).log_weights(np.zeros(1, int))
        assert np.exp(log_weights).round(5).tolist() == [found]
    else:
        with pytest.raises(InputError, match="a leaf with a weight above 0"):
            read_prior(path, taxonomy, unlisted=7.0).log_weights(np.zeros(1, int))


def test_training_counts_spread_over_the_leaves_below(tmp_path: Path) -> None:
    counts = write(tmp_path / "counts.csv", "node,split,images\n1,train,4\n2,train,6\n5,test,9\n")
    assert training_shares(counts, TREE).tolist() == [8, 2, 1, 1]
    rule = Prior(write(tmp_path / "t.csv", "label,weight\nwren,8\nrobin,2\nmoth,1\n"), training=counts)
    prediction = random_prediction("LeafSoftmax", TREE, 3, seed=0, dtype=torch.float32)
    torch.testing.assert_close(rule(prediction).log_prob, prediction.log_prob)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("region,label,weight\nn,wren,1\n", "none for 3 leaves for region n, such as bird/robin"),
        ("region,label,weight\nn,wern,1\n", "Nearest names|wern"),
        ("region,label,weight\nn,wren,-1\n", "weights that are numbers of at least 0"),
        ("region,label,weight\nn,wren,many\n", "'many' for wren, region n"),
        ("region,label,weight\nn,wren,\n", "a blank cell for wren, region n"),
        ("region,wren,robin\nn,1,1\ns,1,5%\n", "'5%' for robin, region s"),
        ("region,label,weight\n,wren,1\n", "a blank one in row 1"),
        ("region,label,weight\nn,wren,1\nn,bird/wren,2\n", "each node once for each key, but got 'bird/wren' twice"),
        ("place,label,weight\nn,wren,1\n", "a column region, but got the columns place, label, weight"),
        ("region,label,weight,source\nn,wren,1,atlas\n", "source too"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        weights(write(tmp_path / "t.csv", text))
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------- keys


def test_several_keys_are_looked_up_together(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,month,label,weight\nn,5,bird,1\nn,may,moth,1\nn,6,moth,2\n")
    rule = Prior(table, key=("region", "month"), unlisted=0)
    with pytest.raises(InputError, match="each node once"):
        read_prior(write(tmp_path / "u.csv", "month,label,weight\n5,bird,1\nMay,bird,1\n"), TREE, [parse_key("month")])
    result = bound(rule, region=["n", "n", "n"], date=["2024-06-01", "2024:05:31 10:00:00", "2024-07-01"])
    p = result(LeafSoftmax(TREE, torch.zeros(3, 4))).log_prob.exp()
    torch.testing.assert_close(p[:, TREE.find("bird")], torch.tensor([0.0, 0.5, 0.5]))


def test_a_key_that_is_not_in_the_table_is_told_or_refused(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nn,bird,1\n")
    columns = pl.DataFrame({"region": ["n", "x", None, " "]})
    notes = Prior(table, key=("region",), unlisted=0).notes(columns, TREE)
    assert notes == (f"3 of 4 images have keys that are not in {table}, and keep their predictions: x; (blank)",)
    refusing = Prior(table, key=("region",), unlisted=0, unknown="refuse").bound(columns)
    with pytest.raises(InputError, match=r"others for 3 images: x; \(blank\)"):
        refusing(LeafSoftmax(TREE, torch.zeros(4, 4)))


def test_a_missing_column_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "region,label,weight\nn,bird,1\n")
    rule = inference.chain(Prior(table, key=("region",), unlisted=0), Subset(["bird"]))
    with pytest.raises(InputError, match="a column region for each image, but got the columns site, date"):
        bound_to(rule, pl.DataFrame({"site": ["a"], "date": ["2024"]}))(LeafSoftmax(TREE, torch.zeros(1, 4)))
    with pytest.raises(InputError, match="images of which nothing else is known"):
        bound_to(rule, None)
    with pytest.raises(InputError, match="columns with region of each image"):
        rule(LeafSoftmax(TREE, torch.zeros(1, 4)))


def test_numbers_match_texts(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "site,label,weight\n7,bird,1\n")
    rule = Prior(table, key=("site",), unlisted=0)
    for column in ([7.0, None], [7, None], ["7", ""]):
        assert rule.read(TREE).find(pl.DataFrame({"site": column})).tolist() == [0, -1]


def test_cells_are_looked_up_in_the_cells_around_them(tmp_path: Path) -> None:
    pytest.importorskip("h3")
    munich3, munich5 = "831f8dfffffffff", "851f8d47fffffff"
    table = write(tmp_path / "t.csv", f"h3,label,weight\n{munich3},bird,1\n{munich5},moth,1\n")
    rule = Prior(table, key=("h3:5",), unlisted=0)
    columns = pl.DataFrame({"lat": [48.1, 48.4, -33.9, None], "lon": ["11.5", "11.9", "18.4", ""]})
    assert rule.read(TREE).find(columns).tolist() == [1, 0, -1, -1]
    for wrong, message in ((151.2, "from -90 to 90 in lat"), ("north", "degrees as decimal numbers")):
        with pytest.raises(InputError, match=message):
            rule.read(TREE).find(pl.DataFrame({"lat": [wrong], "lon": [-33.9]}))


def test_countries_are_known_by_code_name_and_place(tmp_path: Path) -> None:
    pytest.importorskip("reverse_geocode")
    table = write(tmp_path / "t.csv", "country,label,weight\nDE,bird,1\nNAM,moth,1\nFiji,bird,2\nFIN,moth,3\n")
    rule = Prior(table, key=("country",), unlisted=0)
    given = pl.DataFrame({"country": ["DEU", "germany", "Namibia", "NA", "XX"]})
    assert rule.read(TREE).find(given).tolist() == [0, 0, 1, 1, -1]
    # beyond the date line, and in Lapland, the town that is nearest in degrees is in another country; the Atlantic
    places = pl.DataFrame({"lat": [48.1, -22.5, -16.0, 67.75, 0.0], "lng": [11.5, 17.1, -179.75, 22.75, -30.0]})
    assert rule.read(TREE).find(places).tolist() == [0, 1, 2, 3, -1]


def test_a_resolution_that_does_not_exist_is_refused() -> None:
    for text in ("h3", "h3:16", "h3:x"):
        with pytest.raises(InputError, match="a resolution from 0 to 15"):
            Prior("t.csv", key=(text,))


def test_the_text_of_a_prior_makes_it_again() -> None:
    from cladewise.catalogue import spec
    from cladewise.engine.rules import inference_of

    rule = inference_of("prior:table=a/prior.csv,key=region,h3:5,strength=0.5,unlisted=0.1", None)
    assert rule == Prior("a/prior.csv", ("region", "h3:5"), 0.5, unlisted=0.1)
    assert rule is not None
    assert inference_of(spec(rule), None) == rule
    assert isinstance(inference_of("prior:table=t.csv,key=month+subset:allowed=Aves,Chiroptera", None), inference.Chain)


def test_a_text_that_is_no_file_is_a_list_of_labels() -> None:
    assert Subset("wren, moth") == Subset(("wren", "moth"))
    p: Prediction = Subset("wren,moth")(LeafSoftmax(TREE, torch.zeros(1, 4)))
    torch.testing.assert_close(p.log_prob[0, TREE.find("wren")].exp(), torch.tensor(1 / 3))
