"""Inferences, decisions and rules that learn, as evaluation and prediction use them on a real run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
import torch

import cladewise as cw
from cladewise import InputError, catalogue, datasets
from cladewise.catalogue import split_chain
from cladewise.datasets import Dataset
from cladewise.decisions import Decision, LabelSets, Leaf, Nodes
from cladewise.decisions.pareto import pareto_sequence
from cladewise.engine import Run, evaluate_all, predict
from cladewise.engine.answering import outcomes, scored_images
from cladewise.engine.answering.evaluation import evaluate_metric
from cladewise.engine.answering.fitted_rules import identity, learnt, ready, with_learnt
from cladewise.engine.rules import inference_of, spec_of
from cladewise.inference import BottomUp, Chain, DifferentiableDiffusion, Diffusion, Inference, chain
from cladewise.methods.flat_softmax import FlatSoftmaxMethod
from cladewise.metrics import set_columns
from cladewise.predictions import Prediction, storage

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


@dataclasses.dataclass(frozen=True)
class Cautious(Decision):
    """The best leaf, or the root where it is less probable than the mean confidence that was learnt."""

    name: ClassVar[str] = "cautious"
    fits_on: ClassVar[str] = "val"

    share: float = 1.0
    bar: float | None = catalogue.fitted()

    @property
    def is_fitted(self) -> bool:
        return self.bar is not None

    def fit(self, prediction: Prediction, target: torch.Tensor) -> Cautious:
        assert target.shape == prediction.batch_shape
        return dataclasses.replace(self, bar=self.share * float(Leaf()(prediction).log_prob.exp().mean()))

    def __call__(self, prediction: Prediction) -> Nodes:
        if self.bar is None:
            raise InputError("a fitted rule", "one that is not")
        best = Leaf()(prediction)
        return Nodes(torch.where(best.log_prob.exp() < self.bar, 0, best.node), best.log_prob)


@dataclasses.dataclass(frozen=True)
class HalfSure(Decision):
    """Every node that is more probable than not."""

    name: ClassVar[str] = "half-sure"

    def __call__(self, prediction: Prediction) -> LabelSets:
        return LabelSets(prediction.log_prob.exp() > 0.5, prediction.log_prob)


@pytest.fixture(scope="module")
def probe(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("rules") / "probe"
    return cw.train(colours, method="hace", options={"domain": "leaves"}, out=out, epochs=10, **TINY)


def read(scores: cw.Evaluation) -> dict[str, Any]:
    return json.loads(scores.path.read_text())


def test_every_decision_after_every_inference(probe: Run) -> None:
    found = evaluate_all(
        probe,
        inferences=["none", "diffusion:alpha=0.5", "diffusion:alpha=0.5+bottom-up"],
        decisions=["leaf", "threshold:threshold=0.7"],
        progress=False,
    )
    assert [score.path.name for score in found] == [
        f"test-{infer}-{decide}.json"
        for infer in ("none", "diffusion-0.5", "diffusion-0.5+bottom-up")
        for decide in ("leaf", "threshold-0.7")
    ]
    assert read(found[5])["rules"] == {
        "inference": "diffusion:alpha=0.5+bottom-up",
        "decision": "threshold:threshold=0.7",
    }
    alone = cw.evaluate(probe, inference="diffusion:alpha=0.5", decision="leaf", progress=False)
    assert read(alone) == read(found[2])
    # what the prediction alone is worth does not depend on the decision
    for name in ("ap", "ac", "r@90", "r@95", "majority_f1", "leaf_f1", "leaf_top1", "hit@3", "ece/level_1"):
        assert found[0][name] == found[1][name] or np.isnan(found[0][name].low)
        assert found[0][name].value == found[1][name].value


def test_an_evaluation_holds_curves_and_the_operating_points_of_every_image(probe: Run) -> None:
    scores = cw.evaluate(probe, decision="majority", progress=False)
    content, rows = read(scores), pl.read_parquet(scores.path.with_suffix(".parquet"))
    prediction, rest, _ = storage.load_prediction(probe.folder.scores("test"), probe.taxonomy)
    sequence = pareto_sequence(prediction)
    assert [node for nodes in rows["operating_nodes"].to_list() for node in nodes] == sequence.node.tolist()
    assert rows["operating_nodes"].list.len().to_list() == sequence.lengths.tolist()
    assert rows.schema["operating_nodes"] == pl.List(pl.Int64)
    assert rows.schema["operating_log_probs"] == pl.List(pl.Float32)
    curve = content["curves"]["operating"]
    assert curve["threshold"][0] is None
    assert {len(values) for values in curve.values()} == {len(curve["recall"])}
    assert set(content["curves"]["reliability"]) == set(probe.taxonomy.level_names)
    bins = content["curves"]["reliability"]["level_1"]
    assert [len(bins[name]) for name in ("confidence", "accuracy", "count")] == [15, 15, 15]
    assert content["metrics"]["ap"]["low"] <= content["metrics"]["ap"]["value"] <= content["metrics"]["ap"]["high"]
    assert content["metrics"]["ece/level_1"]["low"] is None
    answer = Nodes(torch.tensor(rows["predicted"].to_list()), torch.zeros(len(rows)))
    values = cw.metrics.score_answer(answer, answer.node[:, None], rest["target"], probe.taxonomy)
    correct = values["correct"].double().mean().item()
    assert content["metrics"]["correct"]["value"] == pytest.approx(correct)


def test_any_recall_and_the_metrics_by_depth_and_level_are_those_of_the_scores(probe: Run) -> None:
    plain = cw.evaluate(probe, decision="leaf", progress=False)
    assert "r@80" not in plain.metrics
    scores = cw.evaluate(probe, decision="leaf", recall_at=(0.8, 0.999, 0.9), progress=False)
    assert scores.path == plain.path
    assert set(scores.metrics) - set(plain.metrics) == {"r@80", "r@99.9"}
    assert scores["r@90"] == plain["r@90"]
    prediction, rest, _ = storage.load_prediction(probe.folder.scores("test"), probe.taxonomy)
    target, taxonomy = rest["target"], probe.taxonomy
    curves, by_depth = (cw.metrics.OperatingCurves(taxonomy, measure=m) for m in ("information", "depth"))
    counts, reliability = cw.metrics.LabelCounts(taxonomy), cw.metrics.Reliability(taxonomy)
    for metric in (curves, by_depth, reliability):
        metric.update(prediction, target)
    counts.update(Leaf()(prediction), target)
    curve, depth = curves.compute(), by_depth.compute()
    columns = cw.metrics.score_prediction(prediction, target)
    expected = {
        "r@80": curve.recall_at(0.8),
        "r@99.9": curve.recall_at(0.999),
        "depth_ap": depth.average_precision,
        "depth_ac": depth.average_correct,
        **{name: float(columns[name].double().mean()) for name in ("majority_depth_f1", "leaf_depth_f1")},
        **{f"ece/{name}": level.ece for name, level in reliability.compute().items()},
        **{f"mce/{name}": level.mce for name, level in reliability.compute().items()},
        **{name: float(value) for name, value in counts.compute().items()},
    }
    assert {f"{kind}/level_3" for kind in ("mce", "micro_f1", "macro_recall")} <= expected.keys()
    assert {name: scores[name].value for name in expected} == pytest.approx(expected)
    for name in ("r@80", "majority_depth_f1"):  # with an interval
        assert scores[name].low <= scores[name].value <= scores[name].high
    kept = read(scores)["metrics"]
    assert kept["r@99.9"]["value"] == pytest.approx(expected["r@99.9"])
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match=r"a correctness in \[0, 1\], but got .*R@99 is 0.99"):
            cw.evaluate(probe, recall_at=(wrong,), progress=False)


def test_small_parts_give_what_one_gives(probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(cw.evaluate(probe, decision="majority", progress=False))
    rows = pl.read_parquet(probe.folder.outcomes("test", "none", "majority"))
    monkeypatch.setattr(scored_images, "CELLS_AT_ONCE", 3 * probe.taxonomy.num_nodes)
    assert read(cw.evaluate(probe, decision="majority", progress=False)) == whole
    assert pl.read_parquet(probe.folder.outcomes("test", "none", "majority")).equals(rows)


def test_a_method_s_own_inference_is_used_and_recorded(
    colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FlatSoftmaxMethod, "inference", lambda _: Diffusion(0.7))
    run = cw.train(colours, method="flat-softmax", out=tmp_path / "run", epochs=1, **TINY)
    assert 'inference = "diffusion-0.7"' in run.folder.config.read_text()
    assert Run.open(run.path).config.method == "flat-softmax"  # it reads back
    assert cw.evaluate(run, progress=False).path.name == "test-diffusion-0.7-leaf.json"
    assert cw.evaluate(run, inference="none", progress=False).path.name == "test-none-leaf.json"
    path = colours.root / colours.paths[0]
    own, without = (predict(run, [path], inference=rule, progress=False).log_prob for rule in (None, "none"))
    assert not own.allclose(without)
    assert predict(run, [path], inference="diffusion:alpha=0.7", progress=False).log_prob.equal(own)


def test_a_rule_that_learns_is_fitted_once_and_kept(probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = cw.evaluate(probe, decision=Cautious(), inference="diffusion", progress=False)
    content = read(scores)
    prediction, _, _ = storage.load_prediction(probe.folder.scores("val"), probe.taxonomy)
    bar = float(Leaf()(Diffusion()(prediction)).log_prob.exp().mean())
    assert content["fitted"] == {"bar": bar}
    assert content["fitted_on"] == {"cautious": "val"}
    assert content["warnings"] == []
    kept = probe.folder.fitted("val", "diffusion-cautious")
    assert kept.is_file()
    with monkeypatch.context() as patch:
        patch.setattr(Cautious, "fit", lambda *_: pytest.fail("fitted again"))
        assert read(cw.evaluate(probe, decision=Cautious(), inference="diffusion", progress=False)) == content
        predicted = predict(probe, [probe.dataset.root / probe.dataset.paths[0]], inference="diffusion", progress=False)
        assert predicted.decide(Cautious()).node.shape == (1,)
    other = cw.evaluate(probe, decision=Cautious(0.5), inference="diffusion", progress=False)
    assert read(other)["fitted"]["bar"] == pytest.approx(bar / 2)
    # other weights: what was learnt does not hold any more
    held = ready(probe, Cautious(), before=Diffusion(), progress=False).rule.bar
    kept.write_bytes(kept.read_bytes().replace(probe.model_hash.encode(), b"0" * 64))
    monkeypatch.setattr(Cautious, "fit", lambda self, p, t: dataclasses.replace(self, bar=0.25))
    assert held == bar
    assert ready(probe, Cautious(), before=Diffusion(), progress=False).rule.bar == 0.25


def test_what_a_rule_learnt_holds_for_the_files_and_rules_before_it(probe: Run, tmp_path: Path) -> None:
    listed = tmp_path / "allowed.txt"

    def bar(allowed: str) -> float:
        listed.write_text(allowed)
        rule = f"subset:allowed={listed}"
        return read(cw.evaluate(probe, decision=Cautious(), inference=rule, progress=False))["fitted"]["bar"]

    some, all_of_them = bar("warm\n"), bar("warm\ncold\ngrey\n")
    assert some != all_of_them  # the same name, another content
    assert bar("warm\n") == some
    # a rule before it that has learnt something else, as from another split
    first = ready(probe, DifferentiableDiffusion(epochs=1), progress=False).rule
    assert first.matrix is not None
    second = dataclasses.replace(first, matrix=2 * first.matrix)
    bars = [ready(probe, Cautious(), before=rule, progress=False).rule.bar for rule in (first, second, first)]
    assert bars[0] == bars[2] != bars[1]
    # weights in tensors that look alike when they are told
    long = [torch.ones(probe.taxonomy.num_nodes - 1) for _ in range(2)]
    long[1][3] = 5.0
    texts = {identity(Diffusion(weights=weights)) for weights in long}
    assert len(texts) == 2


def test_a_rule_that_acts_otherwise_than_it_did_has_another_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    now = identity(chain(Diffusion(0.5), BottomUp()))
    assert now == "Chain(rules=(Diffusion 2(alpha=0.5, steps=0, levels='all', top=0, shift='none', readout='leaf', " + (
        "rescale=False, weights=None), BottomUp()))"
    )
    monkeypatch.setattr(BottomUp, "revision", 2)
    assert identity(chain(Diffusion(0.5), BottomUp())) == now.replace("BottomUp", "BottomUp 2")


def test_half_a_file_of_what_was_learnt_is_made_again(probe: Run) -> None:
    fitted = ready(probe, Cautious(0.7), progress=False)
    path = probe.folder.fitted("val", "none-cautious-0.7")
    path.write_bytes(path.read_bytes()[:30])
    assert ready(probe, Cautious(0.7), progress=False).rule == fitted.rule
    assert ready(probe, Cautious(0.7), progress=False).values == fitted.values


def test_without_its_split_a_rule_learns_from_another_and_says_so(colours: Dataset, tmp_path: Path) -> None:
    small = datasets.from_folder(colours.root, fractions={"train": 0.8, "test": 0.2}, seed=3)
    run = cw.train(small, method="flat-softmax", out=tmp_path / "run", epochs=1, **TINY)
    scores = cw.evaluate(run, decision=Cautious(), progress=False)
    assert scores.warnings == ("cautious learns from val, which the data has not: it learnt from train",)
    assert read(scores)["warnings"] == list(scores.warnings)
    assert run.folder.fitted("train", "none-cautious").is_file()
    chosen = cw.evaluate(run, decision=Cautious(), fit_split="test", progress=False)
    assert chosen.path.name == "test-none-cautious@test.json"
    assert chosen.warnings == ("cautious@test is judged on test, but learnt from test",)
    with pytest.raises(InputError, match=r"a split of .*but got 'vall'"):
        cw.evaluate(run, decision=Cautious(), fit_split="vall", progress=False)


def test_a_split_that_was_trained_on_is_told(colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method="flat-softmax", out=tmp_path / "run", epochs=1, train_split="train+val", **TINY)
    scores = cw.evaluate(run, decision=Cautious(), progress=False)
    assert scores.warnings == ("cautious learnt from val, which the model was trained on",)


def test_what_a_chain_learnt_survives_the_disk(probe: Run) -> None:
    rule = inference_of("diffusion:alpha=0.5+differentiable-diffusion:epochs=2", None)
    assert isinstance(rule, Chain)
    fitted = ready(probe, rule, progress=False)
    again = ready(probe, rule, progress=False)
    prediction, _, _ = storage.load_prediction(probe.folder.scores("train"), probe.taxonomy)
    assert fitted.rule is not None
    assert again.rule is not None
    assert fitted.rule(prediction).log_prob.equal(again.rule(prediction).log_prob)
    assert fitted.split == "train"
    plain = with_learnt(DifferentiableDiffusion(), {"matrix": torch.eye(2)})
    assert learnt(plain)["matrix"].equal(torch.eye(2))


def test_sets_of_labels_are_counted(probe: Run) -> None:
    scores = cw.evaluate(probe, decision=HalfSure(), progress=False)
    assert "top1" not in scores.metrics
    assert 0 < scores["micro_f1"].value <= 1
    assert scores["ap"].value == cw.evaluate(probe, decision="leaf", progress=False)["ap"].value
    rows = pl.read_parquet(scores.path.with_suffix(".parquet"))
    assert rows.columns == [
        "path",
        "target",
        "labels",
        *set_columns(probe.taxonomy),
        "majority_f1",
        "leaf_f1",
        "leaf_top1",
        "majority_depth_f1",
        "leaf_depth_f1",
        "hops",
        "hops@5",
        "hops@20",
        "operating_nodes",
        "operating_log_probs",
    ]
    assert all(0 in labels for labels in rows["labels"].to_list())


def test_what_a_head_cannot_have_is_an_error_or_a_line(probe: Run) -> None:
    with pytest.raises(InputError, match="a head with a score at every node"):
        cw.evaluate(probe, inference="top-down", progress=False)
    impossible: list[str] = []
    found = evaluate_all(probe, inferences=["top-down", "none"], progress=False, impossible=impossible)
    assert [score.inference for score in found] == ["none"]
    assert len(impossible) == 1
    assert impossible[0].startswith("top-down: Expected a head with a score")


def test_one_metric_without_a_record(probe: Run) -> None:
    scores = cw.evaluate(probe, split="val", progress=False)
    for name in ("ap", "r@90", "top1", "level_accuracy", "severity", "micro_f1"):
        assert evaluate_metric(probe, name, split="val") == pytest.approx(scores[name].value, nan_ok=True)
    with pytest.raises(InputError, match="a metric: "):
        evaluate_metric(probe, "topp1", split="val")


def test_specs_of_chains() -> None:
    assert split_chain("bottom-up") == ["bottom-up"]
    assert split_chain("diffusion:alpha=1e+1+subset:allowed=x+y.txt+bottom-up") == [
        "diffusion:alpha=1e+1",
        "subset:allowed=x+y.txt",
        "bottom-up",
    ]
    rule = inference_of("diffusion:alpha=0.5+bottom-up", None)
    assert spec_of(rule) == "diffusion:alpha=0.5+bottom-up"
    assert inference_of(None, BottomUp()) == BottomUp()
    assert inference_of("none", BottomUp()) is None
    with pytest.raises(InputError, match=r"an inference: .*but got 'botom-up'. Did you mean bottom-up\?"):
        inference_of("diffusion+botom-up", None)


def test_curves_stay_small(probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "CURVE_POINTS", 5)
    content = read(cw.evaluate(probe, progress=False))
    assert len(content["curves"]["operating"]["recall"]) <= 5


def test_inferences_are_what_predictions_pass_through(probe: Run) -> None:
    class Counting(Inference):
        name: ClassVar[str] = "counting"

        def __call__(self, prediction: Prediction) -> Prediction:
            calls.append(len(prediction.logits))
            return prediction

    calls: list[int] = []
    evaluate_all(probe, inferences=[Counting()], decisions=["leaf", "majority", "levels"], progress=False)
    assert len(calls) == 1  # not once a decision


def test_metrics_of_a_prediction_are_computed_once_for_its_decisions(
    probe: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    intervals = outcomes.metrics.curve_intervals

    def counted(sequence: Any, *given: Any, **named: Any) -> Any:
        computed.append(sequence.num_images)
        return intervals(sequence, *given, **named)

    monkeypatch.setattr(outcomes.metrics, "curve_intervals", counted)
    leaf, majority, levels = evaluate_all(probe, decisions=["leaf", "majority", "levels"], progress=False)
    assert computed == [leaf.num_images]
    assert leaf.metrics["ap"] == majority.metrics["ap"] == levels.metrics["ap"]
