"""The losses that compare images of a batch: closed forms, slow twins, laws, and hostile numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.heads import ContrastiveHead
from cladewise.losses import ImageTextContrastLoss, LevelSoftmaxLoss, Loss
from cladewise.objectives import (
    ContrastiveLoss,
    HierarchicalContrastLoss,
    ProbedLoss,
    ProbedObjective,
    SupConLoss,
    TrainingBatch,
    supervised_contrast_loss,
)
from cladewise.objectives.hierarchical_contrast import rank_by_names
from cladewise.taxonomy import Taxonomy
from reference import losses_contrast as reference
from reference.trees import path
from strategies import taxonomies, taxonomies_with_nodes

PAIRS = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h"), ("i",)])
WIDTH = 4


def all_levels(taxonomy: Taxonomy) -> tuple[int, ...]:
    return tuple(range(1, taxonomy.num_levels + 1))


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("images", [2, 5])
def test_golden_supcon_of_equal_features(images: int) -> None:
    star = Taxonomy.from_paths([(str(k),) for k in range(images)])
    two_views = torch.arange(1, images + 1).repeat(2)
    losses = SupConLoss(star, WIDTH)(torch.ones(2 * images, WIDTH, dtype=torch.float64), two_views)
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(2 * images - 1)))


def test_golden_supcon_of_separated_classes() -> None:
    far = torch.eye(2, dtype=torch.float64)[[0, 0, 1, 1]]
    losses = SupConLoss(Taxonomy.from_paths([("a",), ("b",)]), 2, temperature=0.5, base_temperature=1.0)(
        far, torch.tensor([1, 1, 2, 2])
    )
    torch.testing.assert_close(losses, torch.full_like(losses, 0.5 * math.log(1 + 2 * math.exp(-2))))


def test_golden_hierarchical_contrast_of_equal_features() -> None:
    # 8 images of 4 leaves: log 7; then one a leaf: log 3; weights 2 and the root of 2, over 3 columns
    equal, target = torch.ones(8, WIDTH, dtype=torch.float64), torch.tensor([2, 3, 5, 6]).repeat(2)
    finer, coarser = math.log(7), math.log(3)
    for penalty, constraint, expected in [
        (True, False, 2 * finer + 2**0.5 * coarser),
        (False, True, 2 * finer),
        (True, True, (2 + 2**0.5) * finer),
        (False, False, finer + coarser),
    ]:
        loss = HierarchicalContrastLoss(PAIRS, WIDTH, penalty=penalty, constraint=constraint)
        assert float(loss(equal, target).mean()) == pytest.approx(expected / 3)


def test_golden_images_keep_their_views_at_coarser_levels() -> None:
    # 12 images in two views, of 6 classes in 3 in 2: 24 anchors, then 12 of one image per class, then 6
    deep = Taxonomy.from_paths([(a, a + b, a + b + c) for a, b in (("p", "q"), ("p", "r"), ("s", "t")) for c in "xy"])
    target = torch.tensor(deep.leaf_nodes.repeat(2)).repeat_interleave(2)
    equal = torch.ones(24, WIDTH, dtype=torch.float64)
    for base in (2.0, math.e):
        loss = HierarchicalContrastLoss(deep, WIDTH, penalty_base=base)
        expected = base * math.log(23) + base ** (1 / 2) * math.log(11) + base ** (1 / 3) * math.log(5)
        assert float(loss(equal, target, views=2).mean()) == pytest.approx(expected / 4)


def test_distinct_classes_teach_with_two_views_only() -> None:
    for make in (SupConLoss, HierarchicalContrastLoss):
        loss = make(Taxonomy.from_paths([(str(k),) for k in range(4)]), WIDTH)
        for views in (1, 2):
            rows = torch.randn(4 * views, WIDTH, dtype=torch.float64, requires_grad=True)
            loss(rows, torch.arange(1, 5).repeat_interleave(views), views=views).mean().backward()
            assert rows.grad is not None
            assert bool(rows.grad.any()) is (views == 2)


def test_golden_image_text_of_equal_scores() -> None:
    target = torch.tensor([2, 2, 3, 5])
    zeros = torch.zeros(4, 4, dtype=torch.float64)
    flyp = ImageTextContrastLoss(PAIRS, (2,), weight=0.5)(zeros, target)
    torch.testing.assert_close(flyp, torch.full_like(flyp, math.log(4)))
    hmcf = ImageTextContrastLoss(PAIRS)(torch.zeros(4, 6, dtype=torch.float64), target)
    torch.testing.assert_close(hmcf, torch.full_like(hmcf, 4 * math.log(4)))


def test_golden_floor_of_coinciding_texts() -> None:
    # all texts of the batch are one: nothing that is learnt changes the rows' term, and none with the rivals left out
    target = torch.full((5,), 2)
    logits = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    single = ImageTextContrastLoss(PAIRS, (2,))(logits, target)
    column = torch.logsumexp(logits[:, 0], 0) - logits[:, 0]
    torch.testing.assert_close(single - column, torch.full_like(single, math.log(5)))
    rivals = ImageTextContrastLoss(PAIRS, (2,), targets="rivals")(logits, target)
    torch.testing.assert_close(rivals, torch.zeros_like(rivals))


# ---------------------------------------------------------------- slow twins


@settings(max_examples=12)
@given(
    tree=taxonomies_with_nodes(max_nodes=12, max_batch=7),
    seed=st.integers(0, 999),
    temperature=st.sampled_from([0.1, 1]),
)
def test_supcon_is_its_twin(tree: tuple[Taxonomy, list[int]], seed: int, temperature: float) -> None:
    taxonomy, nodes = tree
    rows = np.random.default_rng(seed).standard_normal((len(nodes), WIDTH))
    loss = SupConLoss(taxonomy, WIDTH, temperature=temperature)
    expected = reference.supcon(taxonomy, rows, nodes, all_levels(taxonomy), temperature, 0.07)
    np.testing.assert_allclose(loss(torch.tensor(rows), torch.tensor(nodes)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("penalty", [False, True])
@pytest.mark.parametrize("constraint", [False, True])
@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=12, max_batch=8), seed=st.integers(0, 999))
def test_hierarchical_contrast_is_its_twin(
    penalty: bool, constraint: bool, tree: tuple[Taxonomy, list[int]], seed: int
) -> None:
    taxonomy, images = tree
    for views in (1, 2, 3):
        nodes = np.repeat(images, views).tolist()
        rows = np.random.default_rng(seed).standard_normal((len(nodes), WIDTH))
        loss = HierarchicalContrastLoss(taxonomy, WIDTH, penalty=penalty, constraint=constraint)
        expected = reference.hierarchical_contrast(
            taxonomy,
            rows,
            nodes,
            all_levels(taxonomy),
            penalty=penalty,
            constraint=constraint,
            temperature=0.07,
            views=views,
        )
        found = loss(torch.tensor(rows), torch.tensor(nodes), views=views)
        assert found.shape == (len(nodes),)
        assert float(found.mean()) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("kind", "penalty", "constraint"), [("hmc", 1, 0), ("hce", 0, 1), ("hmce", 1, 1)])
@settings(max_examples=12)
@given(data=st.data(), seed=st.integers(0, 999), temperature=st.sampled_from([0.07, 0.1, 1.0]))
def test_hierarchical_contrast_is_the_published_algorithm(
    kind: str, penalty: bool, constraint: bool, data: st.DataObject, seed: int, temperature: float
) -> None:
    """On a tree of one depth whose classes are numbered in the order of their names, in two views."""
    depth = data.draw(st.integers(1, 3))
    leaves = data.draw(st.sets(st.tuples(*[st.integers(0, 2)] * depth), min_size=1, max_size=8))
    paths = [tuple("/".join(map(str, leaf[: k + 1])) for k in range(depth)) for leaf in sorted(leaves)]
    taxonomy = Taxonomy.from_paths(paths)
    own = data.draw(st.lists(st.integers(0, len(paths) - 1), min_size=2, max_size=9))
    numbers = np.array([[*sorted(leaves)[k], image] for image, k in enumerate(own)])
    rows = np.random.default_rng(seed).standard_normal((len(own), 2, WIDTH))
    for penalty_base in (2.0, math.e):
        expected, anchors = reference.himulcon_of_arrays(
            rows, numbers, kind=kind, temperature=temperature, base=0.07, penalty_base=penalty_base
        )
        loss = HierarchicalContrastLoss(
            taxonomy,
            WIDTH,
            penalty=bool(penalty),
            constraint=bool(constraint),
            penalty_base=penalty_base,
            temperature=temperature,
        )
        target = torch.tensor(taxonomy.leaf_nodes[np.array(own)]).repeat_interleave(2)
        found = loss(torch.tensor(rows.reshape(-1, WIDTH)), target, views=2)
        assert float(found.mean()) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert anchors[0] == 2 * len(own)
        classes = [len({tuple(row) for row in numbers[:, : depth - k].tolist()}) for k in range(depth - 1)]
        assert anchors[1:] == [2 * number for number in classes]


def test_the_objective_of_one_view_is_the_loss() -> None:
    target = torch.arange(RAGGED.num_nodes).repeat(2)
    loss = ProbedLoss(HierarchicalContrastLoss(RAGGED, WIDTH), LevelSoftmaxLoss(RAGGED))
    logits = torch.randn(len(target), loss.num_outputs, dtype=torch.float64)
    index = torch.arange(len(target))
    head = ContrastiveHead(RAGGED, 3, embedding=0, width=WIDTH)
    one = ProbedObjective(loss)(TrainingBatch(loss.prediction(logits), target, index, 1, head))
    torch.testing.assert_close(one, loss(logits, target))
    target = target.sort().values
    two = ProbedObjective(loss)(TrainingBatch(loss.prediction(logits), target, index // 2, 2, head))
    scores, vectors = logits.split([loss.num_outputs - WIDTH, WIDTH], dim=-1)
    torch.testing.assert_close(two, loss.contrast(vectors, target, views=2) + loss.probe(scores, target))
    assert not two.allclose(loss(logits, target))


@pytest.mark.parametrize("targets", ["single", "multi", "rivals"])
@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=12, max_batch=7), seed=st.integers(0, 999))
def test_image_text_is_its_twin(targets: str, tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    loss = ImageTextContrastLoss(taxonomy, targets=targets, weight=0.5)  # type: ignore[arg-type]
    logits = 2 * np.random.default_rng(seed).standard_normal((len(nodes), loss.num_outputs))
    expected = reference.image_text(taxonomy, logits, nodes, loss.levels, targets=targets, weight=0.5)
    np.testing.assert_allclose(loss(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=1e-9, atol=1e-9)


# ---------------------------------------------------------------- laws

EVERY: dict[str, Callable[[Taxonomy], Loss | ContrastiveLoss]] = {
    "supcon": lambda t: SupConLoss(t, WIDTH, temperature=0.5),
    "himulcon": lambda t: HierarchicalContrastLoss(t, WIDTH, temperature=0.5),
    "himulcone": lambda t: HierarchicalContrastLoss(t, WIDTH, constraint=True, temperature=0.5),
    "single": ImageTextContrastLoss,
    "multi": lambda t: ImageTextContrastLoss(t, targets="multi"),
    "rivals": lambda t: ImageTextContrastLoss(t, targets="rivals"),
    "probed": lambda t: ProbedLoss(SupConLoss(t, WIDTH), LevelSoftmaxLoss(t)),
}
every = pytest.mark.parametrize("kind", EVERY)


@every
def test_gradients_with_repeated_and_internal_labels(kind: str) -> None:
    loss = EVERY[kind](RAGGED)
    target = torch.arange(RAGGED.num_nodes).repeat(2)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(len(target), loss.num_outputs, dtype=torch.float64, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits, fast_mode=True)


@every
def test_extremes_stay_finite(kind: str) -> None:
    loss = EVERY[kind](RAGGED)
    target = torch.arange(RAGGED.num_nodes).repeat(2)
    for scale in (1e4, 0.0, 1e-30):
        generator = torch.Generator().manual_seed(1)
        logits = scale * torch.randn(len(target), loss.num_outputs, generator=generator).sign()
        losses = loss(logits.requires_grad_(), target)
        losses.sum().backward()
        assert losses.isfinite().all()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


@every
def test_no_image_and_one_image(kind: str) -> None:
    loss = EVERY[kind](RAGGED)
    for count in (0, 1):
        logits = torch.randn(count, loss.num_outputs, requires_grad=True)
        losses = loss(logits, torch.full((count,), 3))
        assert losses.shape == (count,)
        losses.sum().backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=12, max_batch=7), seed=st.integers(0, 999))
def test_sharing_the_target_out_changes_neither_sum_nor_gradient(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    generator = torch.Generator().manual_seed(seed)
    gradients, sums = [], []
    first = ImageTextContrastLoss(taxonomy)
    rows = torch.randn(len(nodes), first.num_outputs, dtype=torch.float64, generator=generator)
    for loss in (first, ImageTextContrastLoss(taxonomy, targets="multi")):
        logits = rows.clone().requires_grad_()
        total = loss(logits, torch.tensor(nodes)).sum()
        total.backward()
        sums.append(total.detach())
        gradients.append(logits.grad)
    torch.testing.assert_close(sums[0], sums[1])
    torch.testing.assert_close(gradients[0], gradients[1])


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=12, max_batch=7), seed=st.integers(0, 999))
def test_leaving_rivals_out_costs_less_and_nothing_at_best(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    target = torch.tensor(nodes)
    with_all, without = ImageTextContrastLoss(taxonomy), ImageTextContrastLoss(taxonomy, targets="rivals")
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(nodes), with_all.num_outputs, dtype=torch.float64, generator=generator)
    assert (without(logits, target) <= with_all(logits, target) + 1e-9).all()
    assert (without(logits, target) >= -1e-9).all()
    distinct = torch.tensor([nodes.count(node) == 1 for node in nodes])
    if taxonomy.num_levels == 1 and bool(distinct.all()):
        torch.testing.assert_close(without(logits, target), with_all(logits, target))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    target = torch.arange(RAGGED.num_nodes).repeat(3)
    found = []
    for chunk in (1 << 20, 50, 1):
        monkeypatch.setattr("cladewise.ops.batch_pairs.PAIRS_AT_ONCE", chunk)
        logits = torch.linspace(-1, 1, len(target) * WIDTH, dtype=torch.float64).sin().view(-1, WIDTH).requires_grad_()
        losses = SupConLoss(RAGGED, WIDTH)(logits, target)
        losses.sum().backward()
        found.append((losses.detach(), logits.grad))
    for losses, gradient in found[1:]:
        torch.testing.assert_close(losses, found[0][0])
        torch.testing.assert_close(gradient, found[0][1])


def test_anchors_may_be_some_of_the_others() -> None:
    z = torch.nn.functional.normalize(torch.randn(6, 3, dtype=torch.float64), dim=-1)
    labels = torch.tensor([[0, 1, 0, 1, -100, 0]])
    whole = supervised_contrast_loss(z, labels)
    part = supervised_contrast_loss(z[2:5], labels, others=z, first=2)
    torch.testing.assert_close(part.nats, whole.nats[:, 2:5])
    assert part.counts.equal(whole.counts[:, 2:5])
    assert whole.counts.tolist() == [[True, True, True, True, False, True]]


@settings(max_examples=12)
@given(taxonomies())
def test_names_in_order_rank_the_nodes(taxonomy: Taxonomy) -> None:
    def key(node: int) -> list[tuple[str, int]]:
        return [(str(taxonomy.names[v]), v) for v in path(taxonomy, node)]

    assert np.argsort(rank_by_names(taxonomy)).tolist() == sorted(range(taxonomy.num_nodes), key=key)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SupConLoss(PAIRS, 0), "an embedding of at least 1 number, but got 0."),
        (lambda: SupConLoss(PAIRS, 3, (3,)), "levels among 1 to 2, but got 3."),
        (lambda: SupConLoss(PAIRS, 3, temperature=0.0), "a temperature above 0, but got 0.0."),
        (lambda: HierarchicalContrastLoss(PAIRS, 3, base_temperature=math.nan), "a temperature above 0, but got nan."),
        (lambda: HierarchicalContrastLoss(PAIRS, 3, penalty_base=0.0), "a base of the penalty above 0, but got 0.0."),
        (
            lambda: SupConLoss(PAIRS, 3)(torch.ones(3, 3), torch.tensor([2, 2, 3]), views=2),
            "adjacent rows for the views of each image, but got 3 rows of 2 views.",
        ),
        (
            lambda: ImageTextContrastLoss(PAIRS, targets="all"),  # type: ignore[arg-type]
            "targets among single, multi, rivals, but got 'all'.",
        ),
        (
            lambda: ImageTextContrastLoss(PAIRS, (1,)),
            "ascending levels among 1 to 2, the finest among them, but got 1.",
        ),
        (lambda: ProbedLoss(SupConLoss(PAIRS, 3), LevelSoftmaxLoss(RAGGED)), "losses of one tree, but got"),
    ],
)
def test_settings_out_of_range(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make()
