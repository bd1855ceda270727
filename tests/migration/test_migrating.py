"""Migration of trained runs: what is exact, what is fitted again, folders, chains, kills and refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import cladewise as cw
from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.migration import answering_in, implied_tree, migrate
from cladewise.records import counts, read_config
from cladewise.records.migration import read_migration_report
from cladewise.taxonomy import Taxonomy, diff
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence, write_matched
from reference.random_edits import random_edits
from shared_runs import copy_of, listing

Trained = Callable[..., Run]
EARLY = Path(__file__).parents[1] / "engine" / "early_run"


@pytest.fixture(scope="module")
def flat(trained: Trained) -> Run:
    return trained(method="flat-softmax", freeze=True, epochs=2)


@pytest.fixture(scope="module")
def hace(trained: Trained) -> Run:
    return trained(method="hace", freeze=True, epochs=10, lr=0.05)


def edited(tree: Taxonomy) -> Correspondence:
    """``red`` is renamed, ``grey`` split, the blues are merged, ``green`` is moved, ``orange`` removed, one added."""
    new = Taxonomy.from_paths(
        [
            ("warm", "crimson"),
            ("cold", "blue", "navy or sky"),
            ("grey", "light"),
            ("grey", "dark"),
            ("plants", "green"),
            ("plants", "olive"),
        ],
        level_names=tree.level_names,
    )
    names = {
        "warm": ["warm"],
        "warm/red": ["warm/crimson"],
        "cold": ["cold"],
        "cold/blue": ["cold/blue"],
        "cold/blue/navy": ["cold/blue/navy or sky"],
        "cold/blue/sky": ["cold/blue/navy or sky"],
        "cold/green": ["plants/green"],
        "grey": ["grey/light", "grey/dark"],
    }
    pairs = [(tree.find(old), new.find(path)) for old, paths in names.items() for path in paths]
    return Correspondence.from_pairs(tree, new, pairs)


def renamed(tree: Taxonomy) -> Correspondence:
    """Every name is another."""
    new = Taxonomy(
        tree.parents,
        [name and f"new {name}" for name in tree.names.tolist()],
        level=tree.level,
        level_names=tree.level_names,
        synthetic_root=tree.synthetic_root,
    )
    return Correspondence.from_pairs(tree, new, [(v, v) for v in range(tree.num_nodes)])


# -------------------------------------------------------------------- exact without training


@pytest.mark.parametrize("kind", ["flat", "hace"])
def test_a_carried_run_answers_as_before_in_the_new_tree(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, colour_folder: Path
) -> None:
    run: Run = request.getfixturevalue(kind)
    before = listing(run.path)
    found = edited(run.taxonomy)
    done = migrate(run, found, out=tmp_path / "new", progress=False)
    assert listing(run.path) == before, "the old run was written into"
    new, report = done.run, done.report
    assert report == read_migration_report(new.folder.migration_report)
    assert (report.way, new.taxonomy) == ("carried", found.new)
    assert new.folder.model.read_bytes() == run.folder.model.read_bytes()
    assert report.changes == found.counts()
    assert [each.path for each in report.needs_images] == ["grey/light", "grey/dark", "plants/olive"]
    assert [each.origin for each in report.needs_images] == ["grey", "grey", ""]
    grey = int((run.dataset.nodes == run.taxonomy.find("grey")).sum())
    assert [each.ambiguous for each in report.needs_images] == [grey, grey, 0]
    untouched = report.untouched
    assert untouched is not None
    assert (untouched.right_before, untouched.above_before) == (untouched.right_after, untouched.above_after)
    place = CarryOver.of(found).place
    assert new.dataset.nodes.tolist() == place[run.dataset.nodes].tolist()
    files = sorted(colour_folder.glob("*/**/1.png"))
    old_answers, new_answers = cw.predict(run, files, progress=False), cw.predict(new, files, progress=False)
    nodes, translated = old_answers.node(), new_answers.node()
    kept = CarryOver.of(found).keeps_content[nodes]
    assert translated[kept].tolist() == place[nodes[kept]].tolist()
    navy, sky = (old_answers.log_prob[:, run.taxonomy.find(f"cold/blue/{name}")].exp() for name in ("navy", "sky"))
    union = new_answers.log_prob[:, new.taxonomy.find("navy or sky")].exp()
    torch.testing.assert_close(union, navy + sky, atol=1e-6, rtol=1e-4)
    red = old_answers.log_prob[:, run.taxonomy.find("red")]
    assert red.equal(new_answers.log_prob[:, new.taxonomy.find("crimson")])


def test_an_evaluation_of_a_carried_run_is_in_the_new_tree_and_is_reported(hace: Run, tmp_path: Path) -> None:
    new = migrate(hace, edited(hace.taxonomy), out=tmp_path / "new", progress=False).run
    for decision in (None, "leaf", "levels", "majority", "hedging"):
        found = cw.evaluate(new, decision=decision, progress=False)
        assert found.fingerprint == new.taxonomy.fingerprint
        assert found.num_images == 13
    again = cw.evaluate(Run.open(tmp_path / "new"), progress=False)  # from kept scores
    assert again.metrics["top1"].value == cw.evaluate(new, progress=False).metrics["top1"].value
    page = cw.compare([new.path], out=tmp_path / "report.html")
    assert "crimson" in Path(page if isinstance(page, (str, Path)) else tmp_path / "report.html").read_text()
    with pytest.raises(InputError, match="tree true for a migrated run"):
        cw.evaluate(new, tree="own", progress=False)


def test_a_rule_that_is_fitted_learns_in_the_old_tree_and_answers_in_the_new_one(hace: Run, tmp_path: Path) -> None:
    run = copy_of(hace, tmp_path / "old")
    found = edited(run.taxonomy)
    new = migrate(run, found, out=tmp_path / "new", progress=False).run
    rule = "hedging:guarantee=0.8"
    fitted = [cw.evaluate(each, decision=rule, fit_split="test", progress=False) for each in (run, new)]
    assert fitted[0].fitted == fitted[1].fitted
    assert fitted[0].promise == 0.8
    assert fitted[1].promise is None, "green was moved out of cold, so that an answer of cold promises less"


def test_scores_are_taken_over_and_labels_that_change_count(hace: Run, tmp_path: Path) -> None:
    run = copy_of(hace, tmp_path / "old")
    cw.evaluate(run, progress=False)
    new = migrate(run, edited(run.taxonomy), out=tmp_path / "new", progress=False).run
    kept = new.folder.scores("test")
    time = kept.stat().st_mtime_ns
    cw.evaluate(new, progress=False)
    assert kept.stat().st_mtime_ns == time, "the scores were computed again"


def test_rows_move_bit_for_bit_and_the_run_is_an_ordinary_one(hace: Run, flat: Run, tmp_path: Path) -> None:
    for run in (hace, flat):
        found = renamed(run.taxonomy)
        done = migrate(run, found, out=tmp_path / f"{run.config.method}-renamed", progress=False)
        assert done.report.way == "rewritten"
        assert not done.run.folder.carried_answers.is_file()
        assert Taxonomy.read(done.run.folder.taxonomy) == found.new
        old, new = (safetensors.torch.load_file(each.folder.model) for each in (run, done.run))
        assert all(new[name].equal(old[name]) for name in old)
        assert done.run.dataset.nodes.tolist() == run.dataset.nodes.tolist()
        assert not done.run.is_trained_on_other(done.run.dataset)
        assert cw.evaluate(done.run, progress=False).fingerprint == found.new.fingerprint
    moved, _ = random_edits(flat.taxonomy, 3, 4, ("move", "regroup", "dissolve"))
    done = migrate(flat, moved, out=tmp_path / "moved", progress=False)
    assert done.report.way == "rewritten"
    left, right = flat.taxonomy.leaf_start, CarryOver.of(moved).place
    old, new = (safetensors.torch.load_file(each.folder.model) for each in (flat, done.run))
    for node in flat.taxonomy.leaf_nodes.tolist():
        row = int(moved.new.leaf_start[right[node]])
        assert new["head.linear.weight"][row].equal(old["head.linear.weight"][left[node]])
    assert migrate(flat, moved, out=tmp_path / "kept", rewrite=False, progress=False).report.way == "carried"


def test_migrations_follow_each_other(hace: Run, tmp_path: Path) -> None:
    first = edited(hace.taxonomy)
    one = migrate(hace, first, out=tmp_path / "one", progress=False)
    second, _ = random_edits(first.new, 4, 0)
    two = migrate(one.run, second, out=tmp_path / "two", progress=False)
    assert two.report.way == "carried"
    both = CarryOver.of(first).then(CarryOver.of(second))
    assert two.run.carried is not None
    assert two.run.carried.place.tolist() == both.place.tolist()
    assert two.run.dataset.nodes.tolist() == both.place[hace.dataset.nodes].tolist()
    assert cw.evaluate(two.run, progress=False).fingerprint == second.new.fingerprint
    rewritten = migrate(hace, renamed(hace.taxonomy), out=tmp_path / "renamed", progress=False).run
    third, _ = random_edits(rewritten.taxonomy, 4, 0, ("merge", "split", "rename"))
    three = migrate(rewritten, third, out=tmp_path / "three", progress=False)
    assert three.report.way == "carried"
    place = CarryOver.of(third).place  # the renamed tree has the nodes of the old one
    assert three.run.dataset.nodes.tolist() == place[hace.dataset.nodes].tolist()
    assert cw.evaluate(three.run, progress=False).fingerprint == third.new.fingerprint


def test_a_run_of_an_early_version_migrates_without_its_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run.open(shutil.copytree(EARLY, tmp_path / "run"))
    found, _ = random_edits(run.taxonomy, 4, 1)
    done = migrate(run, found, out=tmp_path / "new", progress=False)
    assert done.report.untouched is not None
    with pytest.warns(UserWarning, match="scores kept from before are used"):
        assert cw.evaluate(done.run, progress=False).fingerprint == found.new.fingerprint


def test_a_run_that_was_trained_with_an_altered_tree_is_carried(trained: Trained, tmp_path: Path) -> None:
    run = trained(method="hace", freeze=True, epochs=2, hierarchy="random")
    assert not run.alteration.is_none
    done = migrate(run, edited(run.taxonomy), out=tmp_path / "new", progress=False)
    assert done.report.way == "carried"
    assert cw.evaluate(done.run, progress=False).fingerprint == done.run.taxonomy.fingerprint


# -------------------------------------------------------------------- fitted again


def test_the_head_is_fitted_again_on_translated_labels(hace: Run, tmp_path: Path) -> None:
    found = edited(hace.taxonomy)
    done = migrate(hace, found, out=tmp_path / "new", refit=True, progress=False)
    assert done.report.way == "refit"
    assert done.run.own_taxonomy == done.run.taxonomy == found.new
    assert done.run.dataset.nodes.tolist() == CarryOver.of(found).place[hace.dataset.nodes].tolist()
    assert not done.run.is_trained_on_other(done.run.dataset)
    assert cw.evaluate(done.run, progress=False).num_images == 13
    again = migrate(hace, found, out=tmp_path / "new", refit=True, progress=False)  # as after an interruption
    assert again.report == done.report
    other, _ = random_edits(hace.taxonomy, 2, 3)
    with pytest.raises(InputError, match="a free folder"):
        migrate(hace, other, out=tmp_path / "new", refit=True, progress=False)


def test_the_head_is_fitted_again_on_new_labels(hace: Run, colour_folder: Path, tmp_path: Path) -> None:
    found = edited(hace.taxonomy)
    tree = tmp_path / "classes.csv"
    found.new.write(tree)
    rows = ["path,label,split"]
    for number in range(12):
        split = "train" if number < 8 else "test"
        half = "light" if number % 2 else "dark"
        rows += [f"{colour_folder}/grey/{number}.png,grey/{half},{split}"]
        rows += [f"{colour_folder}/warm/red/{number}.png,warm/crimson,{split}"]
    (tmp_path / "images.csv").write_text("\n".join(rows) + "\n")
    done = migrate(
        hace, found, out=tmp_path / "new", taxonomy=tree, refit=True, data=tmp_path / "images.csv", progress=False
    )
    assert done.run.relabelling is None
    assert len(done.run.dataset) == 24
    assert (done.report.accuracy, done.report.split) == ((), "")  # images of other data are not those of before
    assert "the new labels are of other data" in done.report.note
    assert [each.path for each in done.report.needs_images] == ["plants/olive"]
    with pytest.raises(InputError, match="data= with refit=True"):
        migrate(hace, found, out=tmp_path / "other", data=tmp_path / "images.csv", progress=False)
    with pytest.raises(InputError, match=r"data labelled in the new tree.*taxonomy="):
        migrate(hace, found, out=tmp_path / "other", refit=True, data=hace.dataset, progress=False)


def test_the_encoder_of_a_run_that_was_trained_end_to_end_is_kept_and_frozen(trained: Trained, tmp_path: Path) -> None:
    run = trained(method="flat-softmax", epochs=1)
    done = migrate(run, edited(run.taxonomy), out=tmp_path / "new", refit=True, progress=False)
    config = read_config(done.run.folder.config)
    assert config.backbone.freeze
    old, new = run.backbone.encoder.state_dict(), done.run.backbone.encoder.state_dict()
    assert all(new[name].equal(old[name]) for name in old)
    several = trained(method="vanilla-multi", epochs=1)
    with pytest.raises(InputError, match="a run with one encoder"):
        migrate(several, edited(several.taxonomy), out=tmp_path / "several", refit=True, progress=False)
    carried = migrate(several, edited(several.taxonomy), out=tmp_path / "several", progress=False)
    assert carried.report.untouched is not None
    assert carried.report.untouched.right_before == carried.report.untouched.right_after


# -------------------------------------------------------------------- without migrating, refusals, kills


def test_a_run_answers_in_a_new_tree_without_being_migrated(hace: Run, colour_folder: Path, tmp_path: Path) -> None:
    run = copy_of(hace, tmp_path / "old")
    found = edited(run.taxonomy)
    new = answering_in(run, found.new, found)
    files = [colour_folder / "warm/red/1.png", colour_folder / "grey/1.png"]
    table = cw.predict(new, files, progress=False).to_frame()
    carried = migrate(run, found, out=tmp_path / "new", progress=False).run
    assert table.equals(cw.predict(carried, files, progress=False).to_frame())
    assert not run.folder.migration.exists()
    assert Run.open(run.path).taxonomy == run.taxonomy
    with pytest.raises(InputError, match="a run in the tree of its folder"):
        cw.evaluate(new, progress=False)
    same, plain = (cw.predict(each, files, progress=False) for each in (answering_in(run, run.taxonomy), run))
    assert same.node().tolist() == plain.node().tolist()
    said = r"beyond doubt, but got \d+ doubtful.*cladewise taxonomy match.*matched="
    with pytest.raises(InputError, match=said) as raised:
        answering_in(run, Taxonomy.from_paths([("warm", "redd"), ("cold", "bleu"), ("warm", "grey")]))
    assert "\n" not in str(raised.value)


def test_what_cannot_be_migrated_is_refused_in_one_line(hace: Run, tmp_path: Path) -> None:
    tree = hace.taxonomy
    nodes = [(v, v) for v in range(1, tree.num_nodes)]
    asked = Correspondence.from_pairs(tree, tree, nodes, ask=[True, *[False] * (len(nodes) - 1)])
    other = Correspondence.identity(Taxonomy.from_paths([("a",)]))
    (tmp_path / "taken").mkdir()
    cases = [
        (asked, "new", "all decided, but got 1 with ask"),
        (other, "new", "correspondences of"),
        (Correspondence.identity(tree), "taken", "a free folder"),
    ]
    for found, name, said in cases:
        with pytest.raises(InputError, match=said) as raised:
            migrate(hace, found, out=tmp_path / name, progress=False)
        assert "\n" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_trees_without_a_common_node_are_refused(hace: Run, tmp_path: Path) -> None:
    birds = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin")])
    nothing = Correspondence.from_pairs(hace.taxonomy, birds, [])
    with pytest.raises(InputError, match="trees without a common node"):
        migrate(hace, nothing, out=tmp_path / "new")
    with pytest.raises(InputError, match="trees without a common node"):
        answering_in(hace, birds, nothing)
    assert not (tmp_path / "new").exists()


def test_the_new_tree_follows_from_the_table_if_it_is_not_given(hace: Run, tmp_path: Path) -> None:
    found = edited(hace.taxonomy)
    write_matched(found, tmp_path / "matched.csv")
    assert implied_tree(tmp_path / "matched.csv", side="old").fingerprint == hace.taxonomy.fingerprint
    done = migrate(hace, tmp_path / "matched.csv", out=tmp_path / "new", progress=False)
    assert not diff(done.run.taxonomy, found.new), "children are in the order of the table"
    assert done.run.taxonomy.level_names == found.new.level_names
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="with a column new"):
        migrate(hace, tmp_path / "odd.csv", out=tmp_path / "odd", progress=False)


def test_files_of_a_migration_that_were_edited_are_refused(hace: Run, tmp_path: Path) -> None:
    new = migrate(hace, edited(hace.taxonomy), out=tmp_path / "new", progress=False).run
    answers = new.folder.carried_answers
    answers.write_text(answers.read_text().replace("warm/crimson", "warm/scarlet"))
    with pytest.raises(InputError, match=r"places in.*answers\.csv"):
        _ = Run.open(new.path).taxonomy


KILLED = """
import os, signal, sys
from cladewise.migration import migrating
def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(migrating, sys.argv[1], die)
migrating.migrate(sys.argv[2], sys.argv[3], out=sys.argv[4], progress=False)
"""


def test_a_kill_leaves_no_half_folder(hace: Run, tmp_path: Path) -> None:
    matched, out = tmp_path / "matched.csv", tmp_path / "runs" / "new"
    write_matched(edited(hace.taxonomy), matched)
    words = [sys.executable, "-c", KILLED, "_reported", str(hace.path), str(matched), str(out)]
    done = subprocess.run(words, env=dict(os.environ), capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    assert not out.exists()
    assert len(list(out.parent.iterdir())) == 1, "the temporary folder of the killed process"
    migrate(hace, matched, out=out, progress=False)
    assert [path.name for path in out.parent.iterdir()] == ["new"]


def test_what_looks_into_the_network_refuses_a_run_in_another_tree(trained: Trained, tmp_path: Path) -> None:
    run = trained(method="euclidean-cones", freeze=True, epochs=1)
    new = migrate(run, edited(run.taxonomy), out=tmp_path / "new", progress=False).run
    for look in (
        lambda: cw.explain(new, images=1, progress=False),
        lambda: cw.manifolds(new, progress=False),
        lambda: cw.entails(new, "warm", "crimson"),
    ):
        with pytest.raises(InputError, match="a run that answers in the tree of its network"):
            look()
    with pytest.raises(InputError, match="the configuration of a run that was trained"):
        cw.rerun(new.folder.config, tmp_path / "again", progress=False)
    assert len(cw.look_alikes(copy_of(new, tmp_path / "copy"), progress=False)) > 0
    few = cw.few_shot(new, ways=2, shots=1, episodes=2, queries=1, progress=False)
    assert few.fingerprint == new.taxonomy.fingerprint


def test_labels_at_inner_nodes_and_counts_are_translated(hace: Run, colours: Dataset, tmp_path: Path) -> None:
    found = edited(hace.taxonomy)
    new = migrate(hace, found, out=tmp_path / "new", progress=False).run
    warm = colours.nodes == colours.taxonomy.find("warm")
    assert warm.any()
    orange = colours.nodes == colours.taxonomy.find("warm/orange")
    assert (new.dataset.nodes[warm | orange] == found.new.find("warm")).all()
    by_split = counts.read_counts(new.folder.counts, found.new.num_nodes)
    for split, rows in colours.splits.items():
        expected = np.bincount(new.dataset.nodes[rows], minlength=found.new.num_nodes)
        assert by_split[split].tolist() == expected.tolist()
