"""The estimator in scikit-learn's own checks, pipelines, searches and pickles."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cladewise import Taxonomy, methods
from cladewise.errors import InputError
from cladewise.estimators import HierarchicalClassifier
from cladewise.inference import Subset

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e", "f", "g"), ("e", "f", "h")])


def blobs(count: int = 120, *, inner: bool = False, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features near a centre for each node, and the nodes: leaves, or any but the root."""
    random = np.random.default_rng(seed)
    known = np.arange(1, TREE.num_nodes) if inner else TREE.leaf_nodes
    nodes = np.concatenate([known, random.choice(known, count - len(known))])
    centres = np.random.default_rng(9).normal(size=(TREE.num_nodes, 8)) * 4
    return centres[nodes] + random.normal(size=(count, 8)), nodes


def forms(nodes: np.ndarray) -> dict[str, Any]:
    paths = [TREE.path_names(node) for node in nodes]
    width = TREE.num_levels
    return {
        "names": np.array([str(TREE.names[node]) for node in nodes]),
        "path texts": np.array([TREE.path_name(node) for node in nodes]),
        "tuples": paths,
        "padded": np.array([[*path, *[""] * (width - len(path))] for path in paths]),
    }


@parametrize_with_checks([HierarchicalClassifier()])
def test_scikit_learn_accepts_the_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("form", ["names", "path texts", "tuples", "padded"])
@pytest.mark.parametrize("given", [False, True])
def test_every_form_of_labels_is_learnt_and_answered(form: str, given: bool, inner: bool) -> None:
    X, nodes = blobs(inner=inner)
    y = forms(nodes)[form]
    separator = "/" if form == "path texts" else None
    model = HierarchicalClassifier("hxe", hierarchy=TREE if given else None, separator=separator, random_state=0)
    model.fit(X, y)
    answer = model.predict(X)
    if form == "tuples":
        assert answer.shape == (len(X),)
        assert all(isinstance(label, tuple) for label in answer)
    else:
        assert answer.shape == y.shape
        assert answer.dtype.kind == y.dtype.kind
    assert model.score(X, y) >= (0.4 if inner else 0.95)  # nothing finer than an inner label is ever answered by it
    same = np.array([tuple(a) == tuple(b) if form in ("tuples", "padded") else a == b for a, b in zip(answer, y)])  # noqa: B905
    assert model.score(X, y) == pytest.approx(same.mean())
    assert len(model.classes_) == model.taxonomy_.num_leaves
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-9)


def test_columns_of_probabilities_are_the_classes() -> None:
    X, nodes = blobs()
    model = HierarchicalClassifier(hierarchy=TREE, random_state=0).fit(X, forms(nodes)["names"])
    probability = model.predict_proba(X)
    assert model.classes_.tolist() == sorted(model.classes_.tolist())
    leaf = model.classes_[probability.argmax(1)]
    assert (leaf == model.set_params(decision="leaf").fit(X, forms(nodes)["names"]).predict(X)).mean() == 1
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probability)
    assert log_loss(forms(nodes)["names"], probability) < 0.5
    levels = model.predict_level_proba(X)
    assert list(levels) == list(TREE.level_names)
    for level, found in levels.items():
        columns = model.level_classes_[level].tolist()
        assert found.shape == (len(X), len(columns))
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-9)
        for column, label in enumerate(columns):
            inside = [TREE.contains(TREE.find(label), TREE.find(str(leaf))).item() for leaf in model.classes_.tolist()]
            np.testing.assert_allclose(found[:, column], probability[:, inside].sum(1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(methods.available()))
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_every_method_learns_from_features(name: str, precision: type) -> None:
    X, nodes = blobs(60)
    X = X.astype(precision)
    y = forms(nodes)["padded"]
    model = HierarchicalClassifier(name, decision="leaf", hierarchy=TREE, max_iter=3, random_state=1, device="cpu")
    model.fit(X, y)
    probability = model.predict_proba(X)
    assert probability.shape == (60, TREE.num_leaves)
    assert probability.dtype == precision
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-4)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), probability)


def test_levels_are_scored_by_what_labels_say() -> None:
    X, nodes = blobs(inner=True)
    y = forms(nodes)["padded"]
    model = HierarchicalClassifier("hxe", hierarchy=TREE, decision="leaf", random_state=0).fit(X, y)
    answered = model.predict_nodes(X)
    for level in range(1, TREE.num_levels + 1):
        at = TREE.at_level(level)
        speaks = (TREE.level[nodes] >= level) | TREE.is_leaf[nodes]
        expected = np.mean(at[answered[speaks]] == at[nodes[speaks]])
        assert model.score(X, y, level=level) == pytest.approx(expected)
        assert model.score(X, y, level=TREE.level_names[level - 1]) == pytest.approx(expected)
    with pytest.raises(InputError, match="a level"):
        model.score(X, y, level="order")


def test_in_pipelines_searches_and_scorers() -> None:
    X, nodes = blobs(90)
    y = forms(nodes)["padded"]
    pipe = make_pipeline(StandardScaler(), HierarchicalClassifier(max_iter=50, random_state=0))
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.9
    assert cross_val_predict(pipe, X, y, cv=3).shape == y.shape
    search = GridSearchCV(pipe, {"hierarchicalclassifier__method": ["hxe", "hace"]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.8
    names = forms(nodes)["names"]
    flat = make_pipeline(StandardScaler(), HierarchicalClassifier(hierarchy=TREE, max_iter=20, random_state=0))
    for scorer in ("accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr", "top_k_accuracy"):
        assert np.isfinite(get_scorer(scorer)(flat.fit(X, names), X, names)), scorer
    calibrated = CalibratedClassifierCV(flat, cv=2).fit(X, names)
    assert calibrated.predict_proba(X).shape == (90, TREE.num_leaves)
    assert cross_val_score(flat, X, forms(nodes)["tuples"], cv=KFold(2, shuffle=True, random_state=0)).mean() > 0.8


@pytest.mark.slow  # worker processes import torch
def test_threads_and_processes_find_the_same() -> None:
    X, nodes = blobs(60)
    model = HierarchicalClassifier(max_iter=5, random_state=0)
    from joblib import parallel_backend

    scores = []
    for backend in ("threading", "loky"):
        with parallel_backend(backend, n_jobs=2):
            scores.append(cross_val_score(model, X, forms(nodes)["names"], cv=3, scoring="neg_log_loss").tolist())
    assert scores[0] == scores[1]


def test_names_of_features_are_checked() -> None:
    X, nodes = blobs(40)
    columns = [f"f{k}" for k in range(X.shape[1])]
    y = pd.DataFrame(forms(nodes)["padded"], columns=["order", "genus", "species"])
    model = HierarchicalClassifier(max_iter=2, random_state=0).fit(pd.DataFrame(X, columns=columns), y)
    assert model.feature_names_in_.tolist() == columns
    assert model.taxonomy_.level_names == ("order", "genus", "species")
    assert list(model.predict_level_proba(pd.DataFrame(X, columns=columns))) == ["order", "genus", "species"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(X, columns=columns[::-1]))
    assert HierarchicalClassifier(max_iter=2).fit(pl.DataFrame(X, schema=columns), y).n_features_in_ == X.shape[1]


def test_sample_weights_move_the_answer() -> None:
    X = np.repeat(np.eye(3), 20, axis=0)
    y = np.tile(["a", "b"], 30)
    for side in (0, 1):
        weights = np.where(np.arange(60) % 2 == side, 1.0, 0.01)
        model = HierarchicalClassifier(random_state=0).fit(X, y, sample_weight=weights)
        assert (model.predict(X) == "ab"[side]).all()
    without = HierarchicalClassifier(random_state=0).fit(X, y, sample_weight=np.arange(60) % 2)
    assert without.classes_.tolist() == ["a", "b"]
    assert (without.predict(X) == "b").all()


def test_a_promise_is_fitted_on_images_that_were_held_out() -> None:
    X, nodes = blobs(1500, seed=3)
    X = X + np.random.default_rng(0).normal(size=X.shape) * 3
    y = forms(nodes)["padded"]
    model = HierarchicalClassifier(
        "hxe", decision="hedging:guarantee=0.9", validation_fraction=0.3, max_iter=20, random_state=0
    ).fit(X, y)
    assert model.decision_.promise == pytest.approx(0.9)
    test, target = blobs(3000, seed=4)
    test = test + np.random.default_rng(1).normal(size=test.shape) * 3
    answered = model.predict_nodes(test)
    tree = model.taxonomy_
    wanted = tree.find([TREE.path_names(node) for node in target])
    assert np.mean(tree.contains(answered, wanted)) > 0.89
    careful = model.predict(test)
    assert (careful == "").sum() > 0
    both = HierarchicalClassifier(
        "hxe", inference="calibrate", decision="hedging:guarantee=0.9", max_iter=5, random_state=0
    ).fit(X, y)
    assert both.inference_.is_fitted
    assert both.decision_.is_fitted
    with pytest.raises(InputError, match="validation_fraction in"):
        HierarchicalClassifier(decision="hedging:guarantee=0.9", validation_fraction=0.0).fit(X, y)


def test_rules_change_the_answers() -> None:
    X, nodes = blobs()
    y = forms(nodes)["names"]
    only = HierarchicalClassifier(hierarchy=TREE, inference=Subset(["a"]), decision="leaf", random_state=0).fit(X, y)
    assert set(only.predict(X)) <= {"b", "c"}
    np.testing.assert_allclose(only.predict_proba(X)[:, [0, 1]].sum(1), 1)
    high = HierarchicalClassifier(hierarchy=TREE, decision="threshold:threshold=0.999999", random_state=0).fit(X, y)
    assert set(high.predict(X)) - set(TREE.names[TREE.leaf_nodes])


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_extreme_features_stay_finite(precision: type) -> None:
    X, nodes = blobs()
    X = X.astype(precision)
    X[:3] = [[1e4], [-1e4], [0]]
    model = HierarchicalClassifier("hxe", hierarchy=TREE, random_state=0).fit(X, forms(nodes)["names"])
    found = model.predict_proba(X * 1e4)
    assert found.dtype == precision
    assert np.isfinite(found).all()
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_ten_thousand_leaves() -> None:
    paths = [(f"o{k // 100}", f"s{k}") for k in range(10_000)]
    random = np.random.default_rng(0)
    X, chosen = random.normal(size=(400, 16)).astype(np.float32), random.integers(0, 10_000, 400)
    tree = Taxonomy.from_paths(paths)
    model = HierarchicalClassifier("hxe", hierarchy=tree, max_iter=2, random_state=0)
    model.fit(X, [paths[k] for k in chosen])
    assert model.predict_proba(X[:5]).shape == (5, 10_000)
    assert all(label in set(paths) for label in model.predict(X))
    assert len(pickle.dumps(model)) < 20_000_000


def test_copies_and_clones() -> None:
    X, nodes = blobs(60)
    y = forms(nodes)["padded"]
    model = HierarchicalClassifier(methods.make("hace"), hierarchy=TREE, max_iter=3, random_state=0).fit(X, y)
    for same in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), clone(model).fit(X, y)):
        assert np.array_equal(same.predict_proba(X), model.predict_proba(X))
        assert np.array_equal(same.predict(X), model.predict(X))
    assert torch.equal(torch.get_rng_state(), torch.get_rng_state())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "hxx"}, "Did you mean|method"),
        ({"options": {"alhpa": 1}}, "alhpa"),
        ({"method": methods.make("hace"), "options": {"dilution": 0.5}}, "the name of a method with options"),
        ({"decision": "leef"}, "leef"),
        ({"decision": "levels"}, "a decision with one node per image"),
        ({"inference": "nothing"}, "nothing"),
        ({"scaling": "minmax"}, "scaling"),
        ({"solver": "lbfgs"}, "solver to be one of .*lbfgs"),
        ({"max_iter": -1}, "max_iter of at least 0"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": float("nan")}, "learning_rate to be"),
        ({"alpha": -1.0}, "alpha of at least"),
        ({"device": "gpu"}, "a device: auto, cpu, cuda, mps"),
        ({"separator": ""}, "a separator"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], told: str) -> None:
    X, nodes = blobs(30)
    with pytest.raises(InputError, match=told):
        HierarchicalClassifier(**{"hierarchy": TREE, "max_iter": 1, **options}).fit(X, forms(nodes)["names"])


def test_wrong_labels_are_told() -> None:
    X, nodes = blobs(30)
    y = forms(nodes)["names"]
    with pytest.raises(InputError, match="a label for each of 30 images"):
        HierarchicalClassifier(hierarchy=TREE).fit(X, y[:-1])
    model = HierarchicalClassifier(max_iter=1).fit(X, y)
    assert 0 <= model.score(X, np.full(30, "unseen")) == 0
    with pytest.raises(InputError, match="with level="):
        model.score(X, np.full(30, "unseen"), level=1)
