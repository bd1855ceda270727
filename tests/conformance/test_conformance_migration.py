"""Laws of migration that every method obeys, under every kind of edit; a new method enters by existing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from cladewise import Taxonomy, methods
from cladewise.decisions import Answer, LabelSets, Leaf, LevelNodes, Nodes
from cladewise.engine.answering.translated import Translated
from cladewise.heads import Head
from cladewise.methods import Method
from cladewise.migration import rewritten_head
from cladewise.predictions import CarriedPrediction, Coherence
from cladewise.taxonomy.carry_over import CarryOver
from reference.laws import RAGGED, REAL_ROOT, case
from reference.random_edits import EDITS, random_edits

FEATURES = 12
IMAGES = 40
TREES = {"ragged": RAGGED, "real-root": REAL_ROOT}

NEVER_BY_ROWS = ("merge", "split", "add", "remove")
"""Edits after which no head can be rewritten row by row."""
MADE_OF_NAMES = ("flyp", "hmcf", "hisce-text")
"""Methods whose scores follow from the names of the nodes, so that a new name gives another head."""
BY_ROWS_WHEN_MOVED = (
    *("ancor", "coarse-cross-entropy", "coarse-moco", "descendant-softmax", "flat-softmax", "hab", "hace"),
    *("hace-smooth", "hace-soft", "hcm", "hxe", "mc", "moco", "multilabel-focal", "soft-labels", "soft-max-margin"),
    "vanilla",
)
"""Methods whose nodes are scored each by itself, as the documentation lists them."""


@cache
def trained(name: str, tree: str) -> tuple[Method, Head, torch.Tensor]:
    """A head in evaluation mode with random weights, and features."""
    torch.manual_seed(0)
    method = methods.make(name)
    head = method.head(TREES[tree], FEATURES)
    features = 3 * torch.randn(IMAGES, FEATURES)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        head(features)  # statistics of a batch
    return method, head.eval(), features


def edited(kind: str, taxonomy: Taxonomy) -> CarryOver | None:
    """The map of one edit, if the tree allows it."""
    found, done = random_edits(taxonomy, 1, 2, (kind,))
    return CarryOver.of(found) if done else None


def every_edit(law: Callable[[str, str, str, CarryOver], None]) -> Callable[[str], None]:
    """Makes a law a test of every method, on every tree and edit."""

    @pytest.mark.parametrize("name", methods.available())
    def test(name: str) -> None:
        done = 0
        for tree, taxonomy in TREES.items():
            for kind in EDITS:
                carried = edited(kind, taxonomy)
                if carried is not None:
                    with case(tree, kind):
                        law(name, tree, kind, carried)
                        done += 1
        assert done > 10

    test.__doc__ = law.__doc__
    return test


@every_edit
def test_probabilities_stay_coherent_and_untouched_leaves_keep_every_bit(
    name: str, tree: str, kind: str, carried: CarryOver
) -> None:
    _, head, features = trained(name, tree)
    with torch.inference_mode():
        before = head(features).settled()
        after = CarriedPrediction.of(before, carried)
        p, new = after.log_prob.exp().double(), carried.after
    assert not after.log_prob.isnan().any()
    torch.testing.assert_close(p[:, 0], torch.ones_like(p[:, 0]), atol=1e-5, rtol=0)
    parents = torch.tensor(new.parents[1:].copy())
    below = torch.zeros_like(p).index_add_(1, parents, p[:, 1:])
    inner = torch.tensor(~new.is_leaf)
    if after.coherence is Coherence.EXACT:
        torch.testing.assert_close(below[:, inner], p[:, inner], atol=1e-5, rtol=1e-4)
    if after.coherence is Coherence.SUPERADDITIVE:
        assert (below <= p + 1e-5)[:, inner].all()
    if after.coherence is not Coherence.NONE:
        assert (p[:, 1:] <= p[:, parents] + 1e-5).all()
    kept = np.flatnonzero(carried.untouched & carried.before.is_leaf)
    kept = kept[new.is_leaf[carried.place[kept]]]
    assert kept.size
    assert after.log_prob[:, carried.place[kept]].equal(before.log_prob[:, kept])


def nodes_of(answer: Answer) -> torch.Tensor:
    """One node per image, or -1 for answers that are sets."""
    if isinstance(answer, LabelSets):
        return torch.full(answer.chosen.shape[:1], -1)
    return answer.node if isinstance(answer, Nodes) else answer.node[..., -1]


@every_edit
def test_an_answer_about_what_did_not_change_does_not_change(
    name: str, tree: str, kind: str, carried: CarryOver
) -> None:
    method, head, features = trained(name, tree)
    place = torch.tensor(carried.place.copy())
    with torch.inference_mode():
        before = head(features).settled()
        after = CarriedPrediction.of(before, carried)
        for rule in (Leaf(), method.watched()):
            old, new = rule(before), Translated(rule)(after)
            assert type(old) is type(new)
            if isinstance(new, LabelSets):
                continue
            assert ((new.node >= 0) & (new.node < carried.after.num_nodes)).all()
            assert (new.log_prob <= 1e-5).all()
            if isinstance(new, LevelNodes):
                assert new.node.shape == (IMAGES, carried.after.num_levels)
            answered = nodes_of(old)
            same = torch.tensor(carried.keeps_content.copy())[answered]
            assert nodes_of(new)[same].equal(place[answered[same]])
            leaf = torch.tensor(carried.untouched & carried.before.is_leaf)
            for label in torch.nonzero(leaf).flatten().tolist():  # right before is right after, and the reverse
                assert (answered == label).equal(nodes_of(new) == place[label])
            ranking = Translated(rule).ranking(after, 3, new)
            assert ranking[:, 0].equal(nodes_of(new))


@every_edit
def test_rows_move_bit_for_bit_exactly_where_the_documentation_says(
    name: str, tree: str, kind: str, carried: CarryOver
) -> None:
    method, head, features = trained(name, tree)
    made = rewritten_head(head, method, carried.after, carried, FEATURES)
    if isinstance(made, str):
        assert kind != "rename" or name in MADE_OF_NAMES, made
        assert kind != "move" or name not in BY_ROWS_WHEN_MOVED or "levels" in made or "another level" in made, made
        return
    assert kind not in NEVER_BY_ROWS
    assert name not in MADE_OF_NAMES
    with torch.inference_mode():
        expected = CarriedPrediction.of(head(features).settled(), carried).log_prob.exp()
        torch.testing.assert_close(made(features).settled().log_prob.exp(), expected, atol=1e-5, rtol=1e-4)
    for tensor, nodes in made.rows().items():
        new, old = made.state_dict()[tensor], head.state_dict()[tensor]
        moved = {tuple(row.flatten().tolist()) for row in old} == {tuple(row.flatten().tolist()) for row in new}
        assert moved, tensor
        assert len(nodes) == len(new)
