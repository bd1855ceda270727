"""Trees from a trained run: its features, its confusions, and the worth of a proposal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import cladewise as cw
from cladewise import InputError, Taxonomy
from cladewise.engine import Run
from cladewise.errors import InputWarning
from cladewise.induction import (
    agreement_with,
    answers_of,
    induce,
    mistakes_in,
    nodes_in,
    random_agreement,
    train_on,
    write_proposal_page,
)
from cladewise.induction.run_evidence import features_of
from cladewise.metrics import hierarchical_distance
from cladewise.migration import migrate
from cladewise.taxonomy.correspondence import Correspondence

CLASSES = {"red", "orange", "navy", "sky", "green", "grey"}


@pytest.fixture
def run(trained: Callable[..., Run], tmp_path: Path) -> Run:
    from shared_runs import copy_of

    return copy_of(trained(method="flat-softmax", freeze=True, epochs=30, lr=0.05), tmp_path / "run")


def leaves(tree: Taxonomy) -> set[str]:
    return set(tree.names[tree.leaf_nodes].tolist())


@pytest.mark.filterwarnings("ignore::cladewise.errors.InputWarning")
def test_features_and_confusions_make_a_tree_of_the_classes(run: Run) -> None:
    for source, split in (("features", "train"), ("confusions", "val"), ("confusions", "train")):
        found = induce(run.path, source, split=split, groups=[2, 3], progress=False)
        assert leaves(found.taxonomy) == CLASSES, source
        assert found.taxonomy.num_levels == 3, source
        assert [np.unique(found.taxonomy.at_level(k)[found.nodes]).size for k in (1, 2)] == [2, 3], source
        again = induce(run, source, split=split, groups=[2, 3], progress=False)
        assert again.taxonomy == found.taxonomy, source
        assert again.taxonomy.columns["certainty"].tolist() == found.taxonomy.columns["certainty"].tolist(), source
        assert any(split in text for text in found.about), source


def test_mean_features_are_those_of_the_images(run: Run) -> None:
    seen = features_of(run, "train", None, progress=False)
    order = np.random.default_rng(0).permutation(seen.num_classes)
    means, has, resample = seen.means(order)
    for row, position in enumerate(order.tolist()):
        assert means[row] == pytest.approx(seen.rows[seen.classes == position].mean(0), rel=1e-5)
    assert has.all()
    random = np.random.default_rng(1)
    assert not np.array_equal(resample(random), resample(random))
    nodes = run.dataset.nodes[run.dataset.indices("train")]
    assert seen.num_images == run.taxonomy.is_leaf[nodes].sum()


def test_classes_without_images_are_told_and_put_at_the_top(run: Run) -> None:
    import dataclasses

    grey = run.taxonomy.find("grey")
    splits = {name: images[run.dataset.nodes[images] != grey] for name, images in run.dataset.splits.items()}
    data = dataclasses.replace(run.dataset, splits=splits)
    with pytest.warns(InputWarning, match="the split train has no image of 1 of the 6 classes"):
        found = induce(run, "features", data=data, progress=False)
    assert found.taxonomy.path_name(found.taxonomy.find("grey")) == "grey"
    assert [(q.label, q.found) for q in found.questions] == [("grey", "has no image; it is at the top")]
    with pytest.warns(InputWarning, match="no image of 1 of the 6"):
        found = induce(run, "confusions", split="train", data=data, progress=False)
    assert "grey" in [question.label for question in found.questions]
    assert leaves(found.taxonomy) == CLASSES


def test_severity_is_the_mean_distance_of_mistakes(run: Run) -> None:
    answers, labels = answers_of(run, "train+val+test", progress=False)
    random = np.random.default_rng(0)
    answers = np.where(random.random(answers.size) < 0.5, random.integers(6, size=answers.size), answers)
    tree, nodes = run.taxonomy, run.taxonomy.leaf_nodes
    found = mistakes_in(tree, answers, labels, nodes, "true")
    wrong = answers != labels
    distances = hierarchical_distance(torch.tensor(nodes[answers]), torch.tensor(nodes[labels]), tree).numpy()
    assert found.severity == pytest.approx(distances[wrong].mean())
    assert found.accuracy[tree.level_names[-1]] == pytest.approx((~wrong).mean())
    assert found.ratio == pytest.approx(found.severity / found.random_severity)
    assert np.isnan(mistakes_in(tree, labels, labels, nodes, "true").severity)


def test_mistakes_of_a_migrated_run_are_those_of_its_own_labels(run: Run, tmp_path: Path) -> None:
    tree = run.taxonomy
    names = ["" if node == 0 else f"new {name}" for node, name in enumerate(tree.names)]
    order = [0, *range(tree.num_nodes - 1, 0, -1)]  # children of a node change places, and so do node numbers
    new = Taxonomy.from_paths([tuple(names[v] for v in tree.path(u)[1:]) for u in order[1:] if tree.is_leaf[u]])
    pairs = [(u, new.find(names[u])) for u in range(1, tree.num_nodes)]
    done = migrate(
        run, Correspondence.from_pairs(tree, new, pairs), out=tmp_path / "new", rewrite=False, progress=False
    )
    before, after = (answers_of(each, "train", progress=False) for each in (run, done.run))
    assert before[1].size == after[1].size
    assert (before[0] == before[1]).tolist() == (after[0] == after[1]).tolist()


def test_a_proposal_is_compared_with_the_true_tree(run: Run, tmp_path: Path) -> None:
    found = induce(run, "features", groups=[2], progress=False)
    run.taxonomy.write(tmp_path / "true.csv")
    true = Taxonomy.read(tmp_path / "true.csv")
    nodes = nodes_in(true, found)
    assert true.names[nodes].tolist() == list(found.classes)
    own = agreement_with(induce(list(found.classes), true), true, nodes)
    assert own.triplets == own.resolved == 1.0
    assert agreement_with(found, true, nodes).num_triplets == random_agreement(found, true, nodes).num_triplets > 0
    with pytest.raises(InputError, match=r"each class as one leaf, but got 1 that it has not: 'grey'"):
        nodes_in(Taxonomy.from_paths([(name,) for name in sorted(CLASSES - {"grey"})]), found)


def test_methods_are_trained_on_the_proposal(run: Run, tmp_path: Path) -> None:
    found = induce(run, "features", groups=[2], progress=False)
    true = {"true": (run.taxonomy, nodes_in(run.taxonomy, found))}
    rows = train_on(found, run, tmp_path / "out", trees=true, epochs=2, progress=False)
    assert [row.method for row in rows] == ["flat-softmax", "hace"]
    readable = answers_of(run, "test", progress=False)[0].size
    for row in rows:
        assert row.num_images == readable > 0
        assert [tree.tree for tree in row.mistakes] == ["proposed", "true"]
        shares = [list(tree.accuracy.values())[-1] for tree in row.mistakes]
        assert shares[0] == shares[1]
    again = cw.Run.open(tmp_path / "out" / "hace")
    assert again.taxonomy == Taxonomy.read(tmp_path / "out" / "classes.csv") == found.taxonomy
    assert len(again.dataset.indices("train")) > 0
    page = write_proposal_page(found, tmp_path / "page.html", trained=rows).read_text()
    assert "Trained on this tree" in page
    assert "hace" in page
