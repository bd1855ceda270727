"""Agreement of trees, against comparing every triple by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.statistics import tree_agreement
from cladewise.statistics import trees as module
from reference.induction_twin import triplet_agreement
from strategies import taxonomies


@settings(max_examples=15)
@given(taxonomies(12, min_nodes=4), taxonomies(12, min_nodes=4), st.integers(0, 99))
def test_triples_are_those_of_the_slow_twin(first: Taxonomy, second: Taxonomy, seed: int) -> None:
    size = min(first.num_leaves, second.num_leaves)
    assume(size >= 3)
    random = np.random.default_rng(seed)
    ours, theirs = random.permutation(first.leaf_nodes)[:size], random.permutation(second.leaf_nodes)[:size]
    found = tree_agreement(first, second, ours, theirs)
    if found.num_triplets == 0:
        assert np.isnan(found.triplets)
        return
    twin = triplet_agreement(first, second, list(zip(ours.tolist(), theirs.tolist(), strict=True)))
    assert (found.triplets, found.resolved, found.num_triplets) == pytest.approx(twin)


@given(taxonomies(20, min_nodes=4))
def test_a_tree_agrees_with_itself(tree: Taxonomy) -> None:
    found = tree_agreement(tree, tree, tree.leaf_nodes, tree.leaf_nodes)
    assert found.num_triplets == 0 or (found.triplets, found.resolved) == (1.0, 1.0)
    assert all(row.agreement.adjusted_rand == 1.0 for row in found.levels)


def test_many_triples_are_drawn_and_permuted_classes_give_a_third(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Taxonomy.from_paths([(f"a{k % 3}", f"b{k % 9}", f"c{k}") for k in range(60)])
    exact = tree_agreement(tree, tree, tree.leaf_nodes, tree.leaf_nodes).num_triplets
    shuffled = np.random.default_rng(1).permutation(tree.leaf_nodes)
    whole = tree_agreement(tree, tree, shuffled, tree.leaf_nodes)
    monkeypatch.setattr(module, "MOST_TRIPLETS", 20_000)
    drawn = tree_agreement(tree, tree, shuffled, tree.leaf_nodes)
    assert drawn.num_triplets < 20_000 < exact
    assert whole.triplets == pytest.approx(1 / 3, abs=0.03)
    assert drawn.triplets == pytest.approx(whole.triplets, abs=0.02)
    assert [row.num_groups for row in whole.levels] == [3, 9]


def test_other_numbers_of_classes_are_refused() -> None:
    tree = Taxonomy.from_paths([("a",), ("b",)])
    with pytest.raises(InputError, match="a node in both trees for every class"):
        tree_agreement(tree, tree, tree.leaf_nodes, tree.leaf_nodes[:1])
