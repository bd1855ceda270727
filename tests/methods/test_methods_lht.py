"""Label hierarchy transition as a method: its head, its options, and what it refuses to allocate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cladewise import InputError, Taxonomy, methods
from cladewise.heads import TransitionHead
from cladewise.predictions import LevelTransition

TREE = Taxonomy.from_paths(
    [("a", "b", "c"), ("a", "b", "d"), ("a", "e", "f"), ("g", "h", "i"), ("j",)],
    level_names=["order", "family", "species"],
)


def head_of(**options: object) -> TransitionHead:
    head = methods.make("lht", **options).head(TREE, 7)
    assert isinstance(head, TransitionHead)
    return head


@pytest.mark.parametrize("order", ["f2c", "c2f"])
@pytest.mark.parametrize("transition", ["full", "low-rank"])
@pytest.mark.parametrize("levels", ["all", "1,3", "3", 3, "order,species"])
def test_the_loss_takes_what_the_head_gives(order: str, transition: str, levels: str | int) -> None:
    method = methods.make("lht", order=order, transition=transition, levels=levels)
    prediction = method.head(TREE, 7)(torch.randn(6, 7))
    assert isinstance(prediction, LevelTransition)
    loss = method.loss(TREE)
    assert prediction.logits.shape == (6, loss.num_outputs)
    assert loss(prediction.logits, torch.arange(6)).isfinite().all()
    chosen = {"all": (1, 2, 3), "1,3": (1, 3), "order,species": (1, 3)}.get(str(levels), (3,))
    assert (prediction.levels, prediction.order) == (chosen, order)
    assert prediction.rank == (2 if transition == "low-rank" else None)


def test_every_level_has_its_part_of_the_embedding() -> None:
    """A transition looks at the part of the level that it leads to."""
    head = head_of(transition="low-rank", rank=3, embedding=16).eval()
    assert head.widths == [6, 5, 5]
    sizes = [TREE.level_nodes(level).size for level in (3, 2, 1)]
    outputs = [sizes[0], 3 * (sizes[0] + sizes[1]), 3 * (sizes[1] + sizes[2])]
    assert [(layer.in_features, layer.out_features) for layer in head.layers] == list(
        zip([6, 5, 5], outputs, strict=True)
    )
    features = torch.randn(4, 7)
    before = head(features)
    with torch.no_grad():
        head.layers[2].weight.zero_()  # what leads to the coarsest level
    after = head(features)
    for level in (2, 3):
        torch.testing.assert_close(after.level_log_prob(level), before.level_log_prob(level))
    assert not torch.allclose(after.level_log_prob(1).log_prob, before.level_log_prob(1).log_prob)


@pytest.mark.parametrize("transition", ["full", "low-rank"])
def test_without_an_embedding_the_features_themselves_are_split(transition: str) -> None:
    head = head_of(transition=transition, embedding=0)
    assert head.widths == [3, 2, 2]
    assert not [module for module in head.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    features = torch.randn(4, 7)
    assert head.represent(features) is features
    species = head(features).level_log_prob(3).log_prob
    by_hand = (features[:, :3] @ head.layers[0].weight.mT + head.layers[0].bias).log_softmax(-1)
    torch.testing.assert_close(species, by_hand)


def test_the_bonus_is_one_number_a_transition_and_starts_at_1() -> None:
    head = head_of(transition="low-rank")
    assert head.bonus is not None
    assert head.bonus.tolist() == [1.0, 1.0]
    logits = head(torch.randn(4, 7)).logits
    for step in head.layout.steps:
        assert logits[:, step.columns.stop - 1].tolist() == [1.0] * 4
    assert head_of().bonus is None
    assert head_of(transition="low-rank", levels="3").bonus is None


def tree_of(*sizes: int) -> Taxonomy:
    """A tree with levels of these sizes."""
    parents, start = [np.array([-1])], 0
    for size in sizes:
        above = parents[-1].size
        parents.append(start + np.arange(size) * above // size)
        start += above
    flat = np.concatenate(parents)
    return Taxonomy.from_parents(flat, [str(v) for v in range(flat.size)])


def test_what_would_not_fit_is_refused_before_it_is_allocated() -> None:
    tree = tree_of(1103, 10_000)
    with pytest.raises(
        InputError,
        match=r"weights that take at most 4 GB in training, but got 3,323,\d+,\d+, which take 53\.2 GB with gradients "
        r"and two moments; 3,320,030,000 of them are of the transition from the 10,000 classes of level 2 to the "
        r"1,103 of level 1\. Set transition=low-rank, leave a level out",
    ):
        methods.make("lht").head(tree, 8)
    head = methods.make("lht", transition="low-rank").head(tree, 8)
    assert sum(p.numel() for p in head.parameters()) < 1e7 + 3e6
    assert sum(p.numel() for p in methods.make("lht", levels="2").head(tree, 8).parameters()) < 7e6
    with pytest.raises(InputError, match=r"at most 0\.0001 GB"):
        head_of(memory=0.0001)
    assert head_of(memory=0.01).layout.width > 0


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match="one of full, low-rank, but got 'sparse'"):
        methods.make("lht", transition="sparse")
    with pytest.raises(InputError, match="a rank of at least 1, but got 0"):
        head_of(transition="low-rank", rank=0)
    with pytest.raises(InputError, match="levels among 1 to 3 or order, family, species, or all, but got 'genus'"):
        head_of(levels="genus")
    with pytest.raises(InputError, match="the finest among them, but got 1, 2"):
        head_of(levels="1,2")
    with pytest.raises(InputError, match="an embedding of at least 3 numbers, 1 a level, but got 2"):
        head_of(embedding=2)
    assert methods.available()["lht"](confusion=0.0).loss(TREE).lower_bound == 0.0  # type: ignore[call-arg]


def test_c2f_and_f2c_learn_a_coarse_class_from_labels_at_internal_nodes() -> None:
    """Images that are labelled at the family alone still teach it."""
    torch.manual_seed(0)
    families = torch.tensor([TREE.find(name) for name in "beh"])
    features = torch.eye(7)[:3] * 3
    for order in ("f2c", "c2f"):
        method = methods.make("lht", order=order, confusion=0.0)
        head, loss = method.head(TREE, 7), method.loss(TREE)
        optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
        for _ in range(60):
            optimizer.zero_grad()
            loss(head(features).logits, families).sum().backward()
            optimizer.step()
        assert method.decision()(head(features)).node[:, 1].equal(families)  # type: ignore[union-attr]
