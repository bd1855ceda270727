"""``cw.choose`` on a trained run: the record agrees with evaluations, and fitted rules are judged on other images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cladewise as cw
from cladewise.errors import InputError, InputWarning
from cladewise.records import read_rule_choice
from cladewise.report.choosing_page import write_choosing_page
from shared_runs import copy_of, listing


@pytest.fixture
def run(trained: Callable[..., cw.Run], tmp_path: Path) -> cw.Run:
    return copy_of(trained(method="hace", freeze=True, epochs=10), tmp_path / "run")


def test_every_rule_has_the_figures_of_its_evaluation(run: cw.Run, tmp_path: Path) -> None:
    chosen = cw.choose(run, out=tmp_path / "a.html", record=tmp_path / "a.json", progress=False)
    assert not list((run.path / "evaluations").glob("*")), "no evaluation is written unless asked for"
    assert [rule.rule for rule in read_rule_choice(tmp_path / "a.json").rules] == [rule.rule for rule in chosen.rules]
    texts = {text for rule in chosen.rules for text in (rule.rule, *rule.others)}
    assert {"leaf", "majority", "node-argmax", "threshold:threshold=0.95", "hedging:guarantee=0.9"} <= texts
    for rule in chosen.rules:
        evaluation = cw.evaluate(run, decision=rule.rule, progress=False)
        assert rule.correct == pytest.approx(evaluation["correct"].value, abs=1e-6), rule.rule
        assert rule.leaves == pytest.approx(evaluation["leaf_answers"].value, abs=1e-6), rule.rule
        assert rule.distance == pytest.approx(evaluation["hd@1"].value, abs=1e-6), rule.rule
        assert rule.promise == evaluation.promise
        assert rule.fitted_on == "".join(evaluation.fitted_on.values())
        assert rule.num_images == evaluation.num_images == chosen.choice.num_images
    own = [rule for rule in chosen.rules if rule.is_own]
    assert [text for rule in own for text in (rule.rule, *rule.others) if text == "node-argmax"] == ["node-argmax"]
    assert all("boundary" in line for line in chosen.choice.left_out)
    fitted = next(rule for rule in chosen.rules if rule.rule == "hedging:guarantee=0.8")
    assert (fitted.fitted_on, fitted.num_fitted, fitted.confidence) == ("val", len(run.dataset.indices("val")), 0.95)
    average = next(rule for rule in chosen.rules if "conformal:coverage=0.8" in (rule.rule, *rule.others))
    assert (average.promise, average.confidence) == (0.8, None)


def test_groups_and_allowed_labels_are_judged_as_by_evaluate(run: cw.Run) -> None:
    rules = ["majority", "calibrate+hedging:guarantee=0.8"]
    context = {"allowed": ["warm", "cold/blue"], "group_by": "folder"}
    chosen = cw.choose(run, out=None, decision=rules, only=True, progress=False, **context)
    assert len(chosen.rules) == 2
    for rule in chosen.rules:
        evaluation = cw.evaluate(run, decision=rule.rule, progress=False, **context)
        assert rule.correct == pytest.approx(evaluation["correct"].value, abs=1e-6), rule.rule
        assert rule.num_images == evaluation.num_images
    alone = cw.choose(run, out=None, decision=rules[1], only=True, progress=False).rules[0]
    val = len(run.dataset.indices("val"))
    assert alone.num_fitted == val - val // 2, "the promise is fitted on the other half than the calibration"


def test_scores_of_others_are_judged_alike(tmp_path: Path) -> None:
    tree = cw.Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog", "wolf"), ("dog", "fox")])
    random = np.random.default_rng(0)
    label = random.integers(4, size=400)
    scores = random.dirichlet(np.ones(4), 400) + 2 * np.eye(4)[label] * random.random((400, 1))
    table = pl.DataFrame(
        (scores / scores.sum(1, keepdims=True)).astype(np.float32), schema=tree.names[tree.leaf_nodes].tolist()
    )
    made = cw.decide(
        table, tree, labels=tree.leaf_nodes[label], values="probabilities", out=tmp_path / "scores", progress=False
    )
    chosen = cw.choose(tmp_path / "scores", out=tmp_path / "choose.html", progress=False)
    assert (chosen.choice.method, chosen.choice.num_images) == ("", 200)
    promising = [rule for rule in chosen.rules if rule.promise is not None]
    assert promising
    for rule in promising:
        assert rule.num_fitted == (100 if rule.rule.startswith("calibrate+") else 200), rule.rule
    for rule in chosen.rules[::4]:
        evaluation = made.evaluate(rule.rule)
        assert rule.correct == pytest.approx(evaluation["correct"].value, abs=1e-6), rule.rule
    assert chosen.choice.examples


def test_the_record_says_which_images_had_no_prior_and_how_many_groups_there_are(tmp_path: Path) -> None:
    tree = cw.Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog", "wolf")])
    table = pl.DataFrame(np.eye(3)[[0, 1, 2, 0]] * 0.7 + 0.1, schema=["lion", "lynx", "wolf"])
    table = table.with_columns(site=pl.Series(["a", "a", "b", "b"]), region=pl.Series(["north", "west", "north", ""]))
    labels = tree.leaf_nodes[[0, 1, 2, 0]]
    cw.decide(table, tree, labels=labels, values="probabilities", out=tmp_path / "scores", progress=False).evaluate(
        "leaf"
    )
    (tmp_path / "prior.csv").write_text("region,label,weight\nnorth,cat,2\nnorth,dog,1\n")
    with pytest.warns(InputWarning, match="2 of 4 images have keys that are not in"):
        chosen = cw.choose(
            tmp_path / "scores",
            split="val+test",
            out=None,
            decision="leaf",
            only=True,
            inference=f"prior:table={tmp_path / 'prior.csv'},key=region",
            group_by="site",
            progress=False,
        ).choice
    assert chosen.num_images == 2
    assert [note.partition(" ")[0] for note in chosen.notes] == ["2", "4", "groups"]
    assert chosen.notes[1] == "4 images in 2 groups"
    prior = f"prior:table={tmp_path / 'prior.csv'},key=region"
    assert chosen.options == f"--inference {prior} --group-by site --pool product"
    page = write_choosing_page(chosen, tmp_path / "choose.html").read_text(encoding="utf-8")
    assert f"cladewise decide scores.csv --fitted-on {chosen.run} {chosen.options} --decision" in page


def test_examples_have_the_answers_of_predictions(run: cw.Run) -> None:
    chosen = cw.choose(run, out=None, decision=["leaf", "threshold:threshold=0.9"], only=True, progress=False).choice
    assert [rule.rule for rule in chosen.rules] == ["leaf", "threshold:threshold=0.9"]
    assert chosen.examples
    for place, rule in enumerate(chosen.rules):
        paths = [Path(chosen.image_root) / example.path for example in chosen.examples]
        predicted = cw.predict(run, paths, decision=rule.rule, progress=False)
        assert predicted.node().tolist() == [example.answers[place] for example in chosen.examples]
    tree = run.taxonomy
    for example in chosen.examples:
        assert len(set(example.answers)) > 1
        assert chosen.names[example.target] == tree.path_names(example.target)
        good = [bool(tree.contains(v, example.target) | tree.contains(example.target, v)) for v in example.answers]
        assert good == list(example.right)


def test_images_that_rules_learnt_from_are_told(run: cw.Run) -> None:
    with pytest.warns(InputWarning, match="fitted rules learnt from images of val"):
        chosen = cw.choose(run, split="val", out=None, decision="hedging", only=True, progress=False)
    assert chosen.rules[0].is_seen
    assert chosen.most_specific(0.0) is None
    with pytest.warns(InputWarning, match="the network was trained on images of train"):
        cw.choose(run, split="train", out=None, decision="leaf", only=True, progress=False)


def test_what_does_not_apply_is_left_out_unless_it_was_asked_for(run: cw.Run) -> None:
    with pytest.raises(InputError, match="a rule that answers with one node"):
        cw.choose(run, out=None, decision="boundary", progress=False)
    with pytest.raises(InputError, match=r"a decision: .*majority"):
        cw.choose(run, out=None, decision="majorty", only=True, progress=False)
    with pytest.raises(InputError, match=r'Expected decision="\.\.\." with only=True'):
        cw.choose(run, out=None, only=True, progress=False)


def test_a_rule_after_an_inference_and_names_in_a_language(run: cw.Run) -> None:
    plain = cw.choose(run, out=None, decision="majority", only=True, progress=False).choice
    diffused = cw.choose(run, out=None, decision="majority", only=True, inference="diffusion", progress=False).choice
    evaluation = cw.evaluate(run, decision="majority", inference="diffusion", progress=False)
    assert diffused.rules[0].correct == pytest.approx(evaluation["correct"].value, abs=1e-6)
    assert (plain.inference, diffused.inference) == ("none", "diffusion")
    with pytest.raises(InputError, match="fr"):
        cw.choose(run, out=None, decision=["leaf", "majority"], only=True, names="fr", progress=False)


def test_shared_scores_are_only_read(run: cw.Run) -> None:
    cw.choose(run, out=None, decision="leaf", only=True, progress=False)
    before = listing(run.path)
    again = cw.choose(run, out=None, decision=["leaf", "majority"], only=True, progress=False)
    assert listing(run.path) == before
    np.testing.assert_allclose([rule.low < rule.correct for rule in again.rules], True)
