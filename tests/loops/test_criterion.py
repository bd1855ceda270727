"""A criterion is its loss on nodes, however classes are numbered and whichever way the targets come."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cladewise import Taxonomy, losses, metrics
from cladewise.errors import InputError
from cladewise.loops import Criterion
from reference.small_trees import t9
from strategies import taxonomies

LOSSES = (
    losses.FlatSoftmaxLoss,
    losses.HXELoss,
    losses.HACELoss,
    losses.ConditionalSoftmaxLoss,
    losses.LevelSoftmaxLoss,
)


def drawn(taxonomy: Taxonomy, seed: int, num: int) -> tuple[Tensor, list[str]]:
    """Nodes of some classes in any order, and their names."""
    generator = torch.Generator().manual_seed(seed)
    nodes = 1 + torch.randperm(taxonomy.num_nodes - 1, generator=generator)[:num]
    return nodes, [taxonomy.path_name(node) for node in nodes.tolist()]


@settings(max_examples=30, deadline=None)
@given(taxonomies(min_nodes=3), st.integers(0, 999), st.sampled_from(LOSSES))
def test_it_is_the_mean_loss_of_the_classes_nodes(taxonomy: Taxonomy, seed: int, kind: type[losses.Loss]) -> None:
    loss = kind(taxonomy)
    nodes, names = drawn(taxonomy, seed, 5)
    criterion = Criterion(loss, names)
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(7, criterion.num_outputs, generator=generator)
    index = torch.randint(len(names), (7,), generator=generator)
    logits = criterion.prediction(outputs).logits
    expected = loss(logits, nodes[index])
    assert torch.equal(criterion(outputs, index), expected.mean())
    assert torch.equal(Criterion(loss, names, reduction="none")(outputs, index), expected)
    assert torch.equal(Criterion(loss, names, reduction="sum")(outputs, index), expected.sum())
    torch.testing.assert_close(criterion(outputs, index, num_items_in_batch=torch.tensor(21)), expected.sum() / 21)
    assert torch.equal(logits.sort().values, outputs.sort().values)


@settings(max_examples=30, deadline=None)
@given(taxonomies(min_nodes=3), st.integers(0, 999), st.sampled_from(LOSSES[:3]))
def test_the_first_outputs_are_the_classes_where_each_has_one(taxonomy: Taxonomy, seed: int, kind) -> None:
    leaves = torch.from_numpy(taxonomy.leaf_nodes.copy())
    leaves = leaves[torch.randperm(len(leaves), generator=torch.Generator().manual_seed(seed))]
    names = [taxonomy.path_name(node) for node in leaves.tolist()]
    criterion = Criterion(kind(taxonomy), names)
    assert criterion.output_names[: len(names)] == names
    outputs = torch.full((len(names), criterion.num_outputs), -1e4)
    outputs[torch.arange(len(names)), torch.arange(len(names))] = 1e4
    assert torch.equal(criterion.prediction(outputs).best_leaf().node, leaves)
    assert criterion(outputs, torch.arange(len(names))).isfinite()


def test_a_class_without_a_logit_leaves_the_outputs_in_the_order_of_the_loss() -> None:
    tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
    criterion = Criterion(losses.FlatSoftmaxLoss(tree), ["moth", "bird"])
    assert criterion.output_names == ["bird/wren", "bird/robin", "moth"]
    assert criterion(torch.zeros(1, 3), torch.tensor([1])).exp().item() == pytest.approx(1.5)
    assert Criterion(losses.HACELoss(tree), ["moth", "bird"]).output_names[:2] == ["moth", "bird"]


def test_shares_of_classes_weight_the_losses() -> None:
    criterion = Criterion(losses.HXELoss(t9()), [t9().path_name(node) for node in t9().leaf_nodes[::-1]])
    outputs = torch.randn(3, criterion.num_outputs, requires_grad=True)
    shares = torch.tensor([[0.25, 0, 0, 0.75, 0], [0, 1, 0, 0, 0], [0.5, 0.5, 0, 0, 0]])
    criterion.reduction = "none"
    by_class = torch.stack([criterion(outputs, torch.full((3,), c)) for c in range(5)], 1)
    torch.testing.assert_close(criterion(outputs, shares), (by_class * shares).sum(1))
    torch.testing.assert_close(criterion(outputs, shares.bfloat16()), (by_class * shares).sum(1))
    criterion(outputs, shares).sum().backward()
    assert outputs.grad is not None


def test_nodes_are_targets_without_classes() -> None:
    loss = losses.HACELoss(t9())
    outputs, target = torch.randn(4, loss.num_outputs), torch.tensor([8, 1, 0, 3])
    assert torch.equal(Criterion(loss)(SimpleNamespace(logits=outputs), target), loss(outputs, target).mean())


def test_its_metrics_are_those_of_the_prediction() -> None:
    names = [t9().path_name(node) for node in t9().leaf_nodes[::-1]]
    criterion = Criterion(losses.HACELoss(t9()), names)
    outputs, index = torch.randn(12, criterion.num_outputs), torch.arange(12) % 5
    expected = metrics.measure(
        criterion.prediction(outputs), torch.from_numpy(t9().leaf_nodes[::-1].copy())[index], decision="majority"
    )
    collection = criterion.metrics(["top1", "severity", "ap"], decision="majority", prefix="val_")
    for rows in torch.arange(12).split(5):
        collection.update(outputs[rows], index[rows])
    found = {name.removeprefix("val_"): value.item() for name, value in collection.compute().items()}
    assert found == pytest.approx({name: expected[name] for name in found})
    collection = criterion.metrics()
    assert set(collection(outputs, index)) == {"top1", "level_accuracy", "severity", "correct"}


def test_it_adds_nothing_to_a_model() -> None:
    model = nn.ModuleDict({"linear": nn.Linear(3, 5), "criterion": Criterion(losses.FlatSoftmaxLoss(t9()), ["7", "8"])})
    assert set(model.state_dict()) == {"linear.weight", "linear.bias"}
    copied = copy.deepcopy(model)
    assert copied["criterion"].loss.taxonomy is model["criterion"].loss.taxonomy  # type: ignore[union-attr]
    half = model.half()["criterion"]
    assert half(torch.zeros(1, 5, dtype=torch.float16), torch.tensor([0])).dtype == torch.float32  # type: ignore[operator]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda c: c(torch.zeros(2, 4), torch.tensor([0, 1])),
            r"logits \[batch, 5\], but got shape \[2, 4\].*num_outputs",
        ),
        (lambda c: c((torch.zeros(2, 5),), torch.tensor([0, 1])), r"logits \[batch, 5\], but got tuple"),
        (lambda c: c(torch.zeros(2, 5), torch.tensor([0, 5])), "class indices, 0 to 4, but got 5"),
        (lambda c: c(torch.zeros(2, 5), torch.tensor([0, -100])), "class indices, 0 to 4, but got -100"),
        (lambda c: c(torch.zeros(2, 5), torch.zeros(2, 4)), r"shares \[batch, 5\], but got shape \[2, 4\]"),
        (lambda c: c(torch.zeros(2, 5), torch.tensor([1])), "targets"),
        (lambda c: Criterion(c.loss, ["7"], reduction="average"), "a reduction: mean, sum, none, but got 'average'"),
    ],
)
def test_mistakes_in_a_loop_are_named(call, text: str) -> None:
    criterion = Criterion(losses.FlatSoftmaxLoss(t9()), [t9().path_name(node) for node in t9().leaf_nodes])
    with pytest.raises(InputError, match=text):
        call(criterion)


def test_smoothed_targets_are_refused() -> None:
    tree = Taxonomy.from_paths([(f"{i // 4}", f"leaf {i}") for i in range(12)])
    criterion = Criterion(losses.FlatSoftmaxLoss(tree), [f"leaf {i}" for i in range(12)])
    with pytest.raises(InputError, match=r"at most 8 classes per image, but got more\. Smoothed labels"):
        criterion(torch.zeros(3, 12), torch.full((3, 12), 1 / 12))


def test_the_targets_of_timms_mixup_have_a_column_per_output() -> None:
    from timm.data import Mixup

    names = [t9().path_name(node) for node in t9().leaf_nodes]
    criterion = Criterion(losses.HACELoss(t9()), names)
    mixup = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, label_smoothing=0.0, num_classes=criterion.num_outputs)
    _, shares = mixup(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 4]))
    assert shares.shape == (4, criterion.num_outputs)
    outputs = torch.randn(4, criterion.num_outputs)
    assert torch.equal(criterion(outputs, shares), criterion(outputs, shares[:, :5]))
    with pytest.raises(InputError, match="class indices, 0 to 4, but got 7"):
        criterion(outputs, torch.eye(9)[[0, 1, 2, 7]])


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), "hace", losses.HACELoss])
def test_a_loss_of_another_kind_is_refused(loss) -> None:
    with pytest.raises(InputError, match=r"a loss of cladewise\.losses"):
        Criterion(loss)
