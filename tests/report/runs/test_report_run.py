"""Reading one run folder, and what is said of a bad one."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from cladewise import InputError, Taxonomy
from cladewise.records.layout import RunFolder
from cladewise.report.runs.run import read_run


def edit_outcomes(run, change):
    file = run.outcomes("test", "none", "leaf")
    change(pl.read_parquet(file)).write_parquet(file)


def edit_json(file, **changes):
    content = json.loads(file.read_text())
    content |= changes
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def test_rows_are_ordered_by_path_and_keep_together(maker, images):
    folder = maker.write("a")
    file = RunFolder(folder).outcomes("test", "none", "leaf")
    pl.read_parquet(file).sample(fraction=1.0, shuffle=True, seed=5).write_parquet(file)
    run = read_run(folder, "test")
    assert run.paths.to_list() == sorted(images.paths)
    assert dict(zip(run.paths, run.target.tolist(), strict=True)) == dict(
        zip(images.paths, images.target.tolist(), strict=True)
    )


def test_log_of_a_resumed_and_killed_run(maker):
    folder = maker.write("a", epochs=3)
    with RunFolder(folder).log.open("w") as log:
        log.write(
            '{"event": "epoch", "epoch": 0, "train_loss": 2.0}\n{"event": "epoch", "epoch": 1, "train_loss": 9.0}\n'
        )
        log.write('{"event": "epoch", "epoch": 1, "train_loss": 1.0}\n{"event": "epoch", "ep')
    run = read_run(folder, "test")
    assert [epoch["train_loss"] for epoch in run.log.epochs] == [2.0, 1.0]


def test_a_run_without_a_log_is_read(maker):
    folder = maker.write("a")
    RunFolder(folder).log.unlink()
    assert read_run(folder, "test").log.epochs == ()


@pytest.mark.parametrize("present", [True, False])
def test_one_node_a_level_counts_at_the_finest(maker, taxonomy, images, present):
    folder = maker.write("levels", decision="levels")
    file = RunFolder(folder).outcomes("test", "none", "levels")
    frame = pl.read_parquet(file)
    finest = np.full(len(images.target), taxonomy.find("apple"))
    frame = frame.with_columns(
        predicted_kingdom=pl.lit(taxonomy.find("animals")), predicted_species=pl.Series(finest), predicted=pl.lit(-1)
    )
    (frame if present else frame.drop("predicted", "lca")).write_parquet(file)
    run = read_run(folder, "test")
    assert (run.predicted == finest).all()
    assert np.array_equal(run.lca, taxonomy.lca(run.target, finest))


def test_confidence_may_be_missing(maker):
    folder = maker.write("a")
    file = RunFolder(folder).outcomes("test", "none", "leaf")
    pl.read_parquet(file).drop("confidence").write_parquet(file)
    assert np.isnan(read_run(folder, "test").confidence).all()


class TestChoiceOfEvaluation:
    @pytest.fixture
    def folder(self, maker, images):
        folder = maker.write("a", decision="leaf", options={})
        for decision in ("majority", "threshold"):
            maker.evaluate(RunFolder(folder), images.target, np.zeros(images.target.size), decision)
        return folder

    def test_leaf_by_default(self, folder):
        assert read_run(folder, "test").evaluation.decision == "leaf"

    def test_the_methods_own_before_leaf(self, folder):
        config = RunFolder(folder).config
        text = 'decision = "majority"\n' + config.read_text()
        config.write_text(text)
        assert read_run(folder, "test").evaluation.decision == "majority"

    def test_the_methods_own_inference_before_none(self, maker):
        folder = maker.write("own", config={"inference": "bottom-up"})
        assert read_run(folder, "test").evaluation.inference == "none"
        maker.write_inference(folder, "bottom-up", skill=0.7)
        maker.write_inference(folder, "diffusion-0.5", skill=0.7)
        assert read_run(folder, "test").evaluation.inference == "bottom-up"

    def test_the_inference_before_the_decision(self, maker):
        folder = maker.write("own", config={"decision": "node-argmax"})
        maker.write_inference(folder, "top-down", skill=0.7, decision="node-argmax")
        chosen = read_run(folder, "test").evaluation
        assert (chosen.inference, chosen.decision) == ("none", "leaf")
        asked = read_run(folder, "test", inference="top-down").evaluation
        assert (asked.inference, asked.decision) == ("top-down", "node-argmax")
        with pytest.raises(
            InputError, match=r"by the inference 'diffusion' .* inferences none, top-down\. Run: .* --inf"
        ):
            read_run(folder, "test", inference="diffusion")

    def test_a_rule_is_asked_for_as_it_was_given(self, folder):
        file = RunFolder(folder).evaluation("test", "none", "threshold")
        content = json.loads(file.read_text())
        content["rules"] = {"inference": "none", "decision": "threshold:threshold=0.8"}
        file.write_text(json.dumps(content))
        assert read_run(folder, "test", "threshold:threshold=0.8").evaluation.decision == "threshold"

    def test_all_are_kept(self, folder):
        run = read_run(folder, "test")
        assert [evaluation.decision for evaluation in run.evaluations] == ["leaf", "majority", "threshold"]

    def test_as_asked(self, folder):
        assert read_run(folder, "test", "threshold").evaluation.decision == "threshold"

    def test_the_only_one_whatever_it_is(self, maker):
        assert read_run(maker.write("b", decision="node-argmax"), "test").evaluation.decision == "node-argmax"

    def test_open_choice(self, folder):
        for ending in ("json", "parquet"):
            (folder / "evaluations" / f"test-none-leaf.{ending}").unlink()
        with pytest.raises(InputError, match=r"none-majority, none-threshold\. Choose one with inference="):
            read_run(folder, "test")

    def test_unknown(self, folder):
        with pytest.raises(
            InputError, match=r"decisions leaf, majority, threshold\. Run: cladewise evaluate .*a --split"
        ):
            read_run(folder, "test", "levels")


BAD = {
    "no such folder": (
        lambda run: run.config.unlink(),
        r"Expected a run folder, but got .*bad, which has no config\.toml",
    ),
    "broken TOML": (lambda run: run.config.write_text("seed = = 1"), r"TOML, but got .* at .*config\.toml"),
    "no method": (
        lambda run: run.config.write_text("schema_version = 1\n[data]\n"),
        r"\[method\] with a name, but got none",
    ),
    "newer layout": (
        lambda run: edit_json(run.evaluation("test", "none", "leaf"), schema_version=99),
        r"schema_version 1, but got 99 at .*test-none-leaf\.json\. Update cladewise",
    ),
    "no version": (
        lambda run: edit_json(run.evaluation("test", "none", "leaf"), schema_version=None),
        r"schema_version 1, but got none",
    ),
    "no taxonomy": (lambda run: run.taxonomy.unlink(), r"taxonomy\.csv, but got none at .*bad"),
    "no evaluation": (
        lambda run: run.evaluation("test", "none", "leaf").unlink(),
        r"split 'test' in .*bad, but got evaluations of: none\. Run: cladewise evaluate .*bad --split test",
    ),
    "other split": (
        lambda run: edit_json(run.evaluation("test", "none", "leaf"), split="val"),
        r"but got evaluations of: val\. Run: cladewise evaluate",
    ),
    "broken JSON": (lambda run: run.evaluation("test", "none", "leaf").write_text("{"), r"evaluation in JSON, but got"),
    "a list": (
        lambda run: run.evaluation("test", "none", "leaf").write_text("[]"),
        r"an evaluation in JSON, but got a list",
    ),
    "no metrics": (
        lambda run: edit_json(run.evaluation("test", "none", "leaf"), metrics=None),
        r"an evaluation as .* writes it, but got none of its entry 'metrics'",
    ),
    "rows of another evaluation": (
        lambda run: edit_outcomes(run, lambda frame: frame.head(5)),
        r"the values of 66 images, as in the \.json, but got 5 at .*leaf\.parquet\. Run: cladewise evaluate",
    ),
    "half a file": (
        lambda run: run.outcomes("test", "none", "leaf").write_bytes(
            run.outcomes("test", "none", "leaf").read_bytes()[:900]
        ),
        r"a Parquet file, but got .*leaf\.parquet\. Run: cladewise evaluate",
    ),
    "nodes of a larger tree": (
        lambda run: edit_outcomes(run, lambda frame: frame.with_columns(predicted=pl.lit(18))),
        r"values in predicted that are no node of the 18 of the taxonomy at .*leaf\.parquet",
    ),
    "an empty label": (
        lambda run: edit_outcomes(
            run, lambda frame: frame.with_columns(target=pl.when(pl.col("target") < 3).then(None).otherwise("target"))
        ),
        r"values in target that are no node",
    ),
    "metrics as texts": (
        lambda run: edit_outcomes(run, lambda frame: frame.with_columns(top1=pl.lit("yes"))),
        r"got top1 as String at .*leaf\.parquet",
    ),
    "a seed that is no number": (
        lambda run: run.config.write_text(run.config.read_text().replace("seed = 0", 'seed = "zero"')),
        r"a whole number as seed, but got 'zero' at .*config\.toml",
    ),
    "no values": (
        lambda run: run.outcomes("test", "none", "leaf").unlink(),
        r"per-image values .* no such file at .*leaf\.parquet\. Run: cladewise evaluate",
    ),
    "no Parquet": (lambda run: run.outcomes("test", "none", "leaf").write_text("x"), r"Parquet file, but got"),
    "columns": (
        lambda run: pl.DataFrame({"path": ["a"]}).write_parquet(run.outcomes("test", "none", "leaf")),
        r"the columns target, but got none of them",
    ),
    "no images": (
        lambda run: pl.DataFrame({"path": [], "target": []}).write_parquet(run.outcomes("test", "none", "leaf")),
        r"at least one image, but got none at .*leaf\.parquet\. Run: cladewise evaluate",
    ),
    "another tree": (
        lambda run: Taxonomy.from_paths([("a",), ("b",)]).write(run.taxonomy, format="nodes"),
        r"over the run's own taxonomy .* at .*test-none-leaf\.json",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_folders_are_named_in_one_line(maker, case):
    spoil, text = BAD[case]
    folder = maker.write("bad")
    spoil(RunFolder(folder))
    with pytest.raises(InputError, match=text) as raised:
        read_run(folder, "test")
    assert "\n" not in str(raised.value)
