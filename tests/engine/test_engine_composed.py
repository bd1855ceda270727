"""Decisions with inferences of their own, fitted and applied on a real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

import cladewise as cw
from cladewise import InputError
from cladewise.datasets import Dataset
from cladewise.decisions import Hedging, Leaf, Majority, NewClass, Threshold
from cladewise.engine import Composed, Run, evaluate_all, predict
from cladewise.engine.answering.fitted_rules import learnt, ready, with_learnt
from cladewise.engine.answering.scoring import scored
from cladewise.engine.rules import decision_of, spec_of
from cladewise.inference import BottomUp, Calibrate, DifferentiableDiffusion, Diffusion, Subset, chain
from cladewise.ops import is_ancestor
from reference.given_predictions import random_prediction
from reference.laws import RAGGED

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "lr": 0.05,
    "freeze": True,
}
pytestmark = pytest.mark.filterwarnings("ignore:calibrate.*labelled images", "ignore:.*cannot promise")


@pytest.fixture(scope="module")
def probe(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("composed") / "probe"
    return cw.train(colours, method="hace", options={"domain": "leaves"}, out=out, epochs=10, **TINY)


@pytest.mark.parametrize(
    "text",
    [
        "calibrate+hedging:guarantee=0.95",
        "calibrate:kind=isotonic,by=level+threshold:threshold=0.8",
        "diffusion:alpha=0.5+calibrate+majority",
        "subset:allowed=a+b.txt+leaf",
        "calibrate+conformal:coverage=0.95,answer=set,max_nodes=3",
        "calibrate+climbing:confidence=none",
        "calibrate+optimal:metric=hf,answer=set,beta=2.0",
    ],
)
def test_a_spec_of_a_chain_is_read_back(text: str) -> None:
    rule = decision_of(text, Leaf())
    assert isinstance(rule, Composed)
    assert spec_of(rule) == text
    assert decision_of(spec_of(rule), Leaf()) == rule
    assert decision_of("threshold:threshold=0.8", Leaf()) == Threshold(0.8)


@pytest.mark.parametrize(
    ("text", "message"),
    [("calibrate", "a decision: "), ("leaf+leaf", "an inference: "), ("calibrate+leafs", "Did you mean leaf?")],
)
def test_wrong_chains_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decision_of(text, Leaf())


def test_parts_that_learn_from_other_splits_and_no_parts_are_refused() -> None:
    with pytest.raises(InputError, match="train and val"):
        Composed((DifferentiableDiffusion(),), Hedging())
    with pytest.raises(InputError, match="at least one inference"):
        Composed((), Leaf())


def test_inferences_apply_before_the_decision() -> None:
    prediction = random_prediction("LevelSoftmax", RAGGED, 30)
    rule = Composed((chain(Diffusion(0.5), BottomUp()),), Majority())
    inferred = BottomUp()(Diffusion(0.5)(prediction))
    assert rule.name == "diffusion+bottom-up+majority"
    assert (rule(prediction).node == Majority()(inferred).node).all()  # type: ignore[union-attr]
    torch.testing.assert_close(rule.decided_on(prediction).log_prob, inferred.log_prob)
    assert (rule.ranking(prediction, 3) == Majority().ranking(inferred, 3)).all()
    assert rule.final == Majority()
    assert rule.is_fitted


def test_a_promise_is_fitted_on_other_images_than_the_calibration() -> None:
    prediction = random_prediction("LeafSoftmax", RAGGED, 101)
    target = prediction.best_leaf().node
    rule = Composed((Calibrate(),), Hedging(0.5))
    first, second = rule.fitting_rows(101)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(101))
    assert len(first) == 50
    assert first.tolist() != list(range(50))
    fitted = rule.fit(prediction, target)
    alone = Calibrate().fit(prediction[first], target[first])
    promised = Hedging(0.5).fit(alone(prediction[second]), target[second])
    assert learnt(fitted)["inferences.0.parameters"] == alone.parameters
    assert learnt(fitted)["decision.caution"] == promised.caution
    again = with_learnt(rule, learnt(fitted))
    assert (again(prediction).node == fitted(prediction).node).all()  # type: ignore[union-attr]
    # labels of the other half change nothing of either
    other = target.clone()
    other[second] = 0
    assert torch.equal(
        learnt(rule.fit(prediction, other))["inferences.0.parameters"], torch.as_tensor(alone.parameters)
    )


def test_what_promises_nothing_is_fitted_on_all_images() -> None:
    prediction = random_prediction("LeafSoftmax", RAGGED, 60)
    target = torch.arange(60) % RAGGED.num_nodes
    fitted = Composed((Calibrate(),), Threshold(0.8)).fit(prediction, target)
    assert learnt(fitted)["inferences.0.parameters"] == Calibrate().fit(prediction, target).parameters
    plain = Composed((Subset((1,)),), Hedging(0.5)).fit(prediction, target * 0 + 1)
    assert learnt(plain)["decision.caution"] == Hedging(0.5).fit(Subset((1,))(prediction), target * 0 + 1).caution
    known = Composed((Calibrate(parameters=1.5),), Hedging(0.5))
    assert [len(rows) for rows in known.fitting_rows(60)] == [60, 60]


def test_the_promise_of_new_class_is_fitted_on_images_of_its_own_too() -> None:
    rows = Composed((Calibrate(),), NewClass()).fitting_rows(60)
    assert [len(half) for half in rows] == [30, 30]
    assert not set(rows[0].tolist()) & set(rows[1].tolist())


def test_a_promise_tested_on_images_that_the_inference_learnt_from_is_told(probe: Run) -> None:
    def told(inference: str, decision: str, split: str = "val") -> str:
        return "".join(
            cw.evaluate(probe, inference=inference, decision=decision, fit_split=split, progress=False).warnings
        )

    unproven = "the promise of hedging-0.5 is not proven, since calibrate learnt from the same images of val: "
    for _ in range(2):  # also when it was read back
        assert unproven in told("calibrate", "hedging:guarantee=0.5")
    assert "the decision calibrate+new-class" in told("calibrate", "new-class")
    for inference, decision in [
        ("none", "calibrate+hedging:guarantee=0.5"),
        ("none", "hedging:guarantee=0.5"),
        ("bottom-up", "hedging:guarantee=0.5"),
        ("calibrate", "boundary"),
    ]:
        assert "not proven" not in told(inference, decision)


def test_selective_and_conformal_rules_are_fitted_on_calibrated_scores(probe: Run) -> None:
    """Areas by risk follow the calibration; sets are covered on what their own half was fitted to."""
    texts = [
        "calibrate+conformal:coverage=0.5,answer=set",
        "calibrate+climbing:guarantee=0.5",
        "conformal:coverage=0.5",
    ]
    sets, climbed, node = (cw.evaluate(probe, decision=text, progress=False) for text in texts)
    assert sets.promise == climbed.promise == node.promise == 0.5
    assert {"decision.threshold", "inferences.0.parameters"} <= set(sets.fitted)
    assert sets["set_coverage"].value <= sets["set_coverage/level_1"].value
    assert 0 <= sets["specificity"].value <= 1
    assert "correct" not in sets.metrics
    assert {"correct", "specificity"} <= set(climbed.metrics)
    assert sets["haurc"].value == climbed["haurc"].value
    assert set(sets.curves.risk) == {"climbing", "threshold"}
    table = pl.read_parquet(sets.outcomes)
    assert table["set_coverage"].mean() == pytest.approx(sets["set_coverage"].value)


def test_one_image_cannot_be_halved() -> None:
    prediction = random_prediction("LeafSoftmax", RAGGED, 1)
    with pytest.raises(InputError, match="at least two images to fit calibrate"):
        Composed((Calibrate(),), Hedging()).fit(prediction, torch.tensor([1]))


def test_evaluations_of_chains_are_of_what_they_decide_on(probe: Run) -> None:
    found = evaluate_all(
        probe,
        inferences=["none", "calibrate"],
        decisions=["majority", "calibrate+majority", "calibrate+hedging:guarantee=0.5"],
        progress=False,
    )
    assert [score.path.name for score in found[:3]] == [
        "test-none-majority.json",
        "test-none-calibrate+majority.json",
        "test-none-calibrate+hedging-0.5.json",
    ]
    plain, chained, promised, apart = found[:4]
    assert apart.path.name == "test-calibrate-majority.json"
    for name in ("ap", "ece/level_1", "correct", "top1"):
        assert chained[name].value == apart[name].value
    assert plain["ece/level_1"].value != chained["ece/level_1"].value
    assert promised.rules == {"inference": "none", "decision": "calibrate+hedging:guarantee=0.5"}
    assert promised.promise == 0.5
    assert promised.fitted_on == {"calibrate+hedging-0.5": "val"}
    assert set(promised.fitted) >= {"inferences.0.parameters", "decision.caution"}
    assert chained.promise is None
    alone = cw.evaluate(probe, decision="calibrate+hedging:guarantee=0.5", progress=False)
    assert alone.metrics["correct"] == promised.metrics["correct"]


def test_predictions_by_a_chain_have_its_probabilities(probe: Run, colours: Dataset) -> None:
    paths = [Path(str(colours.root)) / colours.paths[int(i)] for i in colours.indices("test")[:5]]
    plain = predict(probe, paths, decision="leaf", progress=False).to_frame()
    frame = predict(probe, paths, decision="calibrate+leaf", progress=False).to_frame()
    assert frame["label"].to_list() == plain["label"].to_list()
    rule = ready(probe, decision_of("calibrate+leaf", Leaf()), progress=False).rule
    seen = scored(probe, "test", progress=False)
    assert isinstance(rule, Composed)
    expected = rule.decided_on(seen.sample()[0][:5]).best_leaf().log_prob.exp()
    torch.testing.assert_close(torch.tensor(frame["probability"].to_list()), expected, check_dtype=False)
    torch.testing.assert_close(torch.tensor(frame["leaf_probability"].to_list()), expected, check_dtype=False)
    assert frame["probability"].to_list() != plain["probability"].to_list()


def test_a_fitted_chain_is_kept_in_the_run_folder(probe: Run) -> None:
    rule = decision_of("calibrate+hedging:guarantee=0.6", Leaf())
    made = ready(probe, rule, progress=False)
    path = probe.folder.fitted("val", "none-calibrate+hedging-0.6")
    assert path.is_file()
    written = path.stat().st_mtime_ns
    again = ready(Run(Path(probe.path)), rule, progress=False)
    assert path.stat().st_mtime_ns == written
    assert again.values == made.values
    prediction, target = scored(probe, "test", progress=False).sample()[0], scored(probe, "test").target
    answer = again.rule(prediction)
    assert is_ancestor(answer.node, target, probe.taxonomy).float().mean() > 0.5  # type: ignore[union-attr]
