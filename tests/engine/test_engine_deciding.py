"""Decisions on scores that another tool made: the answers, splits and evaluations of a run, without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import cladewise as cw
from cladewise import InputError, Taxonomy
from cladewise.decisions import Hedging, Leaf, Majority, Threshold
from cladewise.engine import Decided, Run, decide
from cladewise.engine.answering import recorded_scores, scored_images
from cladewise.engine.answering.recorded_scores import UNLABELLED, recorded_splits
from cladewise.engine.answering.scoring import scored
from cladewise.engine.deciding import decided as decided_module
from cladewise.inference import Diffusion
from cladewise.predictions import LeafSoftmax

TREE = Taxonomy.from_paths(
    [("cat", "lion"), ("cat", "lynx"), ("dog", "wolf"), ("dog", "fox"), ("ape", "", "chimp")],
    level_names=["family", "genus", "species"],
)
LEAVES = [str(TREE.names[node]) for node in TREE.leaf_nodes]
ROWS = 120


class Tool:
    """Files that another tool wrote: scores of images, and a table of labels."""

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(0)
        self.true = random.integers(0, len(LEAVES), ROWS)
        self.logits = (random.normal(size=(ROWS, len(LEAVES))) + 2 * np.eye(len(LEAVES))[self.true]).astype(np.float32)
        self.prediction = LeafSoftmax(TREE, torch.from_numpy(self.logits))
        self.paths = [f"{number}.jpg" for number in range(ROWS)]
        self.folder, self.scores, self.labels = folder, folder / "sure.csv", folder / "truth.csv"
        TREE.write(folder / "tree.csv")
        self.frame = pl.DataFrame({"path": self.paths, **dict(zip(LEAVES, self.logits.T, strict=True))})
        self.frame.write_csv(self.scores)
        self.names = ["" if row % 6 == 0 else LEAVES[leaf] for row, leaf in enumerate(self.true.tolist())]
        self.table = pl.DataFrame({"path": self.paths, "label": self.names, "site": ["north", "south"] * (ROWS // 2)})
        self.table.sample(fraction=1, shuffle=True, seed=1).write_csv(self.labels)

    def decide(self, **options: object) -> Decided:
        chosen = {"values": "logits", "labels": self.labels, "progress": False, **options}
        return decide(self.scores, TREE, **chosen)  # type: ignore[arg-type]

    @property
    def target(self) -> np.ndarray:
        return np.array([TREE.find(name) if name else -1 for name in self.names])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    return Tool(tmp_path_factory.mktemp("tool"))


@pytest.fixture
def tool(made: Tool, tmp_path: Path) -> Tool:
    """The files in a folder of their own."""
    return Tool(Path(shutil.copytree(made.folder, tmp_path / "tool")))


def test_answers_are_those_of_the_prediction(made: Tool) -> None:
    for rule in (Majority(), Leaf(), Threshold(0.6)):
        expected = rule(made.prediction)
        found = made.decide(decision=rule)
        assert found.node().tolist() == expected.node.tolist()
        table = found.to_frame()
        assert table["path"].to_list() == made.paths
        assert table["node"].to_list() == expected.node.tolist()
        assert table["probability"].to_list() == pytest.approx(expected.log_prob.exp().tolist(), abs=1e-6)
        assert table["input_label"].to_list() == made.names
        assert table["error"].null_count() == ROWS


def test_every_form_of_scores_gives_the_same(made: Tool) -> None:
    expected = made.decide().node().tolist()
    without = made.decide(labels=None)
    forms = {
        "frame": decide(made.frame, TREE, values="logits", progress=False),
        "array": decide(made.logits, TREE, values="logits", classes=LEAVES, progress=False),
        "tensor": decide(torch.from_numpy(made.logits), TREE, values="logits", classes=LEAVES, progress=False),
        "prediction": decide(made.prediction, progress=False),
        "open": decide(without.given.scores, progress=False),
        "tree in a file": decide(made.scores, made.folder / "tree.csv", values="logits", progress=False),
    }
    for name, found in forms.items():
        assert found.node().tolist() == expected, name
        assert found.splits.judged == "", name


def test_every_form_of_labels_gives_the_same(made: Tool) -> None:
    expected = made.decide(decision="hedging:guarantee=0.6").evaluate()
    nodes = made.target
    for name, labels in {
        "frame": made.table,
        "names": made.names,
        "nodes": nodes,
        "tensor": torch.from_numpy(nodes),
        "mixed": [None if node < 0 else int(node) for node in nodes],
    }.items():
        found = made.decide(decision="hedging:guarantee=0.6", labels=labels).evaluate()
        assert repr(found.metrics) == repr(expected.metrics), name
        assert found.fitted == expected.fitted, name
    with pytest.raises(InputError, match="a label for each of 120 rows"):
        made.decide(labels=["lion"])
    with pytest.raises(InputError, match="nodes from 0 to"):
        made.decide(labels=[99] * ROWS)


def test_rules_are_fitted_on_one_half_and_judged_by_the_other(made: Tool) -> None:
    found = made.decide(decision="hedging:guarantee=0.6")
    labelled = np.flatnonzero(made.target >= 0)
    splits = found.splits.rows
    assert np.array_equal(np.sort(np.concatenate([splits["val"], splits["test"]])), labelled)
    assert np.array_equal(splits[UNLABELLED], np.flatnonzero(made.target < 0))
    assert abs(len(splits["val"]) - len(splits["test"])) <= 1
    assert "50 of 100 labelled rows are drawn at random (seed 0) to fit rules on: split val" in found.notes[-1]
    target = torch.from_numpy(made.target)
    fitted = Hedging(0.6).fit(made.prediction[torch.from_numpy(splits["val"])], target[torch.from_numpy(splits["val"])])
    assert found.rule().values["caution"] == pytest.approx(fitted.caution)
    assert found.node().tolist() == fitted(made.prediction).node.tolist()
    other = made.decide(decision="hedging:guarantee=0.6", seed=1, fit_share=0.3)
    assert len(other.splits.rows["val"]) == 30
    assert not np.isin(other.splits.rows["val"], splits["val"]).all()


def test_all_labelled_rows_are_judged_if_nothing_is_fitted(made: Tool) -> None:
    for share, expected in ((None, 100), (0.25, 75), (0, 100)):
        assert made.decide(fit_share=share).evaluate().num_images == expected
    everything = made.decide(fit_share=1)
    assert everything.splits.judged == "val"
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match="a share of the labelled rows"):
            made.decide(fit_share=wrong)


def test_splits_may_come_with_the_labels(tool: Tool) -> None:
    names = np.array(["Validation", "testing", "train"])[np.arange(ROWS) % 3]
    tool.table.with_columns(split=names).write_csv(tool.labels)
    found = tool.decide(decision="hedging:guarantee=0.6")
    target = tool.target
    assert {name: rows.tolist() for name, rows in found.splits.rows.items()} == {
        name: np.flatnonzero((target >= 0) & (np.arange(ROWS) % 3 == place)).tolist()
        for place, name in enumerate(("val", "test", "train"))
    } | {UNLABELLED: np.flatnonzero(target < 0).tolist()}
    assert found.evaluate().split == "test"
    assert tool.decide(decision="hedging:guarantee=0.6", fit_split="train").evaluate().fitted_on == {
        "hedging-0.6@train": "train"
    }
    tool.table.with_columns(split=np.where(np.arange(ROWS) % 3, "test", "")).write_csv(tool.labels)
    with pytest.raises(InputError, match="a split for every row with a label, or for none"):
        tool.decide()
    tool.table.with_columns(split=pl.lit("train/a")).write_csv(tool.labels)
    with pytest.raises(InputError, match="the name of a split"):
        tool.decide()


def test_without_labels_nothing_is_fitted_or_evaluated(made: Tool) -> None:
    found = made.decide(labels=None, decision="hedging")
    assert list(found.splits.rows) == [UNLABELLED]
    with pytest.raises(InputError, match="labelled rows that hedging can learn from, but got none"):
        found.to_frame()
    with pytest.raises(InputError, match="labels of some rows to evaluate by"):
        found.evaluate()
    assert found.to_frame("leaf").height == ROWS


def test_the_folder_is_evaluated_and_compared_like_a_run(made: Tool, tmp_path: Path) -> None:
    found = made.decide(out=tmp_path / "sure", decision="majority")
    run = Run.open(tmp_path / "sure")
    assert not run.has_network
    assert recorded_splits(run) == ["test", UNLABELLED, "val"]
    rows = found.splits.rows["test"]
    seen = scored(run, "test")
    assert seen.index.tolist() == rows.tolist()
    assert seen.paths == [made.paths[row] for row in rows]
    assert seen.columns is not None
    assert seen.columns["site"].to_list() == [["north", "south"][row % 2] for row in rows]
    assert np.array_equal(seen.target.numpy(), made.target[rows])
    kept, _ = seen.sample()
    torch.testing.assert_close(kept.log_prob, made.prediction[torch.from_numpy(rows)].log_prob)
    both = scored(run, "test+val")
    assert both.index.tolist() == np.flatnonzero(made.target >= 0).tolist()
    first, _ = both.sample()
    torch.testing.assert_close(first.log_prob, made.prediction[both.index].log_prob)
    evaluation = cw.evaluate(run, decision="hedging:guarantee=0.6", progress=False)
    assert repr(evaluation.metrics) == repr(made.decide(decision="hedging:guarantee=0.6").evaluate().metrics)
    cw.evaluate(run, progress=False)
    top = pl.read_parquet(run.folder.predictions("test"))["top_nodes"].list.first()
    assert top.to_list() == Leaf()(made.prediction[torch.from_numpy(rows)]).node.tolist()
    page = cw.compare([run], tmp_path / "report.html", decision="majority")
    assert "sure" in Path(page).read_text()


def test_two_classifiers_are_compared(tool: Tool, tmp_path: Path) -> None:
    tool.decide(out=tmp_path / "one", name="first tool").evaluate()
    (pl.read_csv(tool.scores).with_columns(pl.col(LEAVES) * 0.1)).write_csv(tool.scores)
    tool.decide(out=tmp_path / "two", name="other tool").evaluate()
    page = cw.compare([tmp_path / "one", tmp_path / "two"], tmp_path / "report.html", baseline="other tool")
    text = Path(page).read_text()
    assert "first tool" in text
    assert "other tool" in text


def test_a_folder_is_used_again_for_the_same_scores_only(tool: Tool, tmp_path: Path) -> None:
    tool.decide(out=tmp_path / "run")
    marks = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("*") if file.is_file()}
    again = tool.decide(out=tmp_path / "run")
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("*") if file.is_file()} == marks
    assert again.evaluate().path.is_relative_to(tmp_path / "run")
    with pytest.raises(InputError, match=r"the folder of these scores, but got one that differs in seed .0 there, 1"):
        tool.decide(out=tmp_path / "run", seed=1)
    tool.table.with_columns(label=pl.lit("lion")).write_csv(tool.labels)
    with pytest.raises(InputError, match=r"scores\.labels"):
        tool.decide(out=tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(InputError, match="a free folder"):
        tool.decide(out=tmp_path / "mine")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("decision", ["majority", "hedging:guarantee=0.6", "levels"])
def test_large_scores_are_read_from_their_file_in_every_pass(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    small = tool.decide(out=tmp_path / "small", decision=decision).evaluate()
    monkeypatch.setattr(recorded_scores, "LARGEST_KEPT", 0)
    monkeypatch.setattr("cladewise.scores.scores.CELLS_AT_ONCE", 7 * len(LEAVES))
    monkeypatch.setattr(scored_images, "CELLS_AT_ONCE", 7 * TREE.num_nodes)
    monkeypatch.setattr(decided_module, "ROWS_AT_ONCE", 20)
    found = tool.decide(out=tmp_path / "large", decision=decision)
    large = found.evaluate()
    assert large.metrics.keys() == small.metrics.keys()
    for name, interval in small.metrics.items():
        assert large.metrics[name].value == pytest.approx(interval.value, abs=1e-5, nan_ok=True), name
    assert large.fitted.keys() == small.fitted.keys()
    for name, value in small.fitted.items():
        assert np.allclose(large.fitted[name], value), name
    assert "streamed" in Path(found.run.folder.scores("test")).read_bytes()[:2000].decode("latin-1")
    assert [frame.height for frame in found.tables()] == [21] * 5 + [15]
    both = scored(Run.open(tmp_path / "large"), "val+test")
    read = torch.cat([part.log_prob for part, _ in both.parts()])
    torch.testing.assert_close(read, tool.prediction[both.index].log_prob)
    sample, chosen = both.sample(5 * 4 * len(LEAVES))
    torch.testing.assert_close(sample.log_prob, tool.prediction[both.index[chosen]].log_prob)
    tool.frame.with_columns(lion=pl.lit(0.0)).write_csv(tool.scores)
    with pytest.raises(InputError, match=r"the scores that were decided on, but got others in .*sure\.csv"):
        cw.evaluate(tmp_path / "large", decision="threshold", progress=False)
    tool.scores.unlink()
    with pytest.raises(InputError, match="no such file"):
        cw.evaluate(tmp_path / "large", decision="threshold", progress=False)
    assert cw.evaluate(tmp_path / "small", decision="threshold", progress=False).num_images == small.num_images


def test_rules_may_be_fitted_on_earlier_scores(made: Tool, tmp_path: Path) -> None:
    before = made.decide(out=tmp_path / "before", decision="hedging:guarantee=0.6")
    found = decide(made.scores, values="logits", decision="hedging:guarantee=0.6", fitted_on=before.run, progress=False)
    assert found.node().tolist() == before.node().tolist()
    labelled = made.decide(decision="hedging:guarantee=0.6", fitted_on=tmp_path / "before")
    assert labelled.splits.judged == "test"
    assert labelled.evaluate().num_images == 100
    other = Taxonomy.from_paths([("cat", name) for name in LEAVES])
    with pytest.raises(InputError, match="a run over the taxonomy of the scores"):
        decide(made.scores, other, values="logits", fitted_on=before.run, progress=False)


def test_an_inference_comes_before_every_decision(made: Tool) -> None:
    found = made.decide(inference="diffusion:alpha=0.5")
    assert found.node().tolist() == Majority()(Diffusion(0.5)(made.prediction)).node.tolist()
    assert found.evaluate().inference == "diffusion-0.5"


def test_a_rule_that_is_judged_by_what_it_learnt_from_says_so(made: Tool) -> None:
    found = made.decide(decision="hedging:guarantee=0.6")
    assert found.evaluate().warnings == ()
    assert found.evaluate(split="val+test").warnings == ("hedging-0.6 is judged on val+test, but learnt from val",)


def test_what_needs_a_network_says_so(made: Tool, tmp_path: Path) -> None:
    made.decide(out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    for name in ("method", "dataset", "backbone", "classifier"):
        with pytest.raises(InputError, match="a run with a network, but got one of scores that another tool made"):
            getattr(run, name)
    assert run.dataset_if_there is None
    for work in (
        lambda: cw.predict(run, ["a.jpg"], progress=False),
        lambda: cw.explain(run, progress=False),
        lambda: cw.few_shot(run, progress=False),
        lambda: cw.migrate(run, [], out=tmp_path / "new", progress=False),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="a run with a network"):
            work()
    with pytest.raises(InputError, match="the configuration of a run that was trained"):
        cw.rerun(run.folder.config, tmp_path / "again", progress=False)
    with pytest.raises(InputError, match="a split with labels: test, val, but got unlabelled"):
        cw.evaluate(run, split=UNLABELLED, progress=False)
    with pytest.raises(InputError, match=r"a split of the scores: test, unlabelled, val, but got 'tset'.* test\?"):
        cw.evaluate(run, split="tset", progress=False)
    with pytest.raises(InputError, match="for which networks are trained"):
        cw.evaluate(run, decision="hedging", fit_split="5-fold", progress=False)


def test_no_label_is_a_label_of_the_last_node(made: Tool, tmp_path: Path) -> None:
    """Rows without a label have -1 for it, which must not be taken for a node."""
    found = made.decide(out=tmp_path / "run", fit_share=0)
    seen = recorded_scores.recorded_scores(found.run, f"test+{UNLABELLED}")
    assert int((seen.target == -1).sum()) == 20
    with pytest.raises(InputError, match="a split with labels"):
        scored(found.run, f"test+{UNLABELLED}")


def test_open_scores_take_no_options_of_reading(made: Tool) -> None:
    with pytest.raises(InputError, match="with options of reading"):
        decide(made.prediction, values="logits", progress=False)
    with pytest.raises(InputError, match="the taxonomy of the scores"):
        decide(made.prediction, Taxonomy.from_paths([("a",)]), progress=False)
    with pytest.raises(InputError, match="a taxonomy for the classes"):
        decide(made.scores, progress=False)
    with pytest.raises(InputError, match="a name for each of 5 columns, in classes="):
        decide(made.logits, TREE, values="logits", progress=False)


def test_rules_learn_from_as_many_short_lists_as_all_nodes_of_fit_in_memory(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = tool.logits.argsort(1)[:, ::-1][:, :2]
    shares = np.exp(np.take_along_axis(tool.logits, best, 1)) / np.exp(tool.logits).sum(1, keepdims=True)
    listed = pl.DataFrame(
        {
            "path": np.repeat(tool.paths, 2),
            "class": [LEAVES[leaf] for leaf in best.reshape(-1).tolist()],
            "score": shares.reshape(-1),
        }
    )
    chosen = {"values": "probabilities", "labels": tool.labels, "decision": "hedging:guarantee=0.5", "progress": False}
    whole = decide(listed, TREE, **chosen)  # type: ignore[arg-type]
    assert whole.rule().warnings == ()
    monkeypatch.setattr(scored_images, "CELLS_LEARNT_FROM", 20 * TREE.num_nodes)
    some = decide(listed, TREE, **chosen)  # type: ignore[arg-type]
    (said,) = some.rule().warnings
    assert said.startswith("hedging learnt from 20 random ones of the 50 images of val")
    assert some.evaluate().num_images == 50
