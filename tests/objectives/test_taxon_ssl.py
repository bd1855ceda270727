"""Pseudo-labels at open levels and contrast of images that agree: a twin that goes image by image, and closed forms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.heads import ContrastiveHead
from cladewise.objectives import TaxonSSLObjective, TrainingBatch, graph_contrast_loss
from cladewise.predictions import EmbeddedLevelSoftmax, level_width
from cladewise.taxonomy import Taxonomy
from reference.losses_contrast import label, log_sum_exp, unit
from reference.small_trees import ragged_taxonomies

WIDTH = 3
PAIRS = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
Rows = NDArray[np.float64]


def levels_of(tree: Taxonomy) -> tuple[int, ...]:
    return tuple(range(1, tree.num_levels + 1))


class Twin:
    """The objective of the formulas, one image and one level at a time, with lists for what it remembers."""

    def __init__(self, tree: Taxonomy, kept: int, **options: float) -> None:
        self.tree, self.kept, self.options = tree, kept, options
        self.means: list[list[Rows]] = [[] for _ in levels_of(tree)]
        self.scores: list[list[float]] = [[] for _ in levels_of(tree)]

    def __call__(self, logits: Rows, nodes: Sequence[int], views: int, share: float) -> list[float]:
        tree, o = self.tree, self.options
        images = len(nodes)
        first, second, third = 0, min(1, views - 1), 2 if views > 2 else 0
        total, said, start = np.zeros(images), [[] for _ in range(images)], 0
        for place, level in enumerate(levels_of(tree)):
            classes = tree.level_nodes(level).tolist()
            scores = logits[:, start : start + len(classes)]
            start += len(classes)
            log_prob = np.array([row - log_sum_exp(row.tolist()) for row in scores]).reshape(images, views, -1)
            known = [label(tree, node, level) for node in nodes]
            told = [i for i in range(images) if known[i] is not None]
            for i in told:
                total[i] -= log_prob[i, first, classes.index(known[i])] * images / len(told)
            of_first = np.exp(log_prob[:, first])
            self.means[place] = [*self.means[place], of_first.mean(0)][-32:]
            aligned = of_first / np.mean(self.means[place], axis=0)
            aligned /= aligned.sum(1, keepdims=True)
            self.scores[place] = [*self.scores[place], *aligned.max(1).tolist()][-self.kept :]
            best = sorted(self.scores[place], reverse=True)
            bar = best[max(1, int(len(best) * share + 1e-9)) - 1]
            for i in range(images):
                chosen = int(aligned[i].argmax())
                said[i].append(chosen)
                if aligned[i, chosen] >= bar:
                    total[i] -= o["pseudo"] * log_prob[i, second, chosen]
        z = unit(logits[:, start:]).reshape(images, views, -1)
        for i in range(images):
            similar = [float(z[i, second] @ z[j, third]) / o["temperature"] for j in range(images)]
            group = [similar[j] for j in range(images) if said[j] == said[i]]
            total[i] += o["contrast"] * (log_sum_exp(similar) - float(np.mean(group)))
        return np.repeat(total, views).tolist()


@settings(max_examples=25, deadline=None)
@given(
    ragged_taxonomies().filter(lambda tree: tree.num_levels > 0),
    st.integers(1, 4),
    st.integers(1, 40),
    st.sampled_from([0.0, 1.0, 2.5]),
    st.integers(0, 10**6),
)
def test_the_objective_is_that_of_the_twin(tree: Taxonomy, views: int, kept: int, weight: float, seed: int) -> None:
    options = {"pseudo": weight, "contrast": 1.0, "temperature": 0.2}
    objective = TaxonSSLObjective(tree, kept, trusted=0.7, ramp=4, **options).double()
    twin, random = Twin(tree, kept, **options), np.random.default_rng(seed)
    head = ContrastiveHead(tree, 2, embedding=0, width=WIDTH)
    width = level_width(tree, levels_of(tree), tied=False) + WIDTH
    for step in range(36):  # more batches than are averaged
        epoch = step // 6
        objective.begin_epoch(epoch, 0, lambda: pytest.fail("it needs no vectors of all images"))
        share = min(0.7, 0.05 + 0.65 * epoch / 4)
        assert objective.state() == {"trusted_share": pytest.approx(share)}
        images = int(random.integers(2, 6))  # one image is aligned with itself, and all its classes are equal
        nodes = random.integers(tree.num_nodes, size=images)
        logits = random.normal(size=(images * views, width)) * 2
        prediction = EmbeddedLevelSoftmax(tree, torch.from_numpy(logits), WIDTH)
        target, index = (torch.from_numpy(np.repeat(x, views)) for x in (nodes, np.arange(images)))
        found = objective(TrainingBatch(prediction, target, index, views, head))
        np.testing.assert_allclose(found.numpy(), twin(logits, nodes.tolist(), views, share), atol=1e-9)


def a_batch(seed: int = 0) -> TrainingBatch:
    torch.manual_seed(seed)
    prediction = EmbeddedLevelSoftmax(PAIRS, torch.randn(12, 6 + WIDTH), WIDTH)
    head = ContrastiveHead(PAIRS, 2, embedding=0, width=WIDTH)
    target = torch.tensor([1, 2, 4, 0]).repeat_interleave(3)
    return TrainingBatch(prediction, target, torch.arange(4).repeat_interleave(3), 3, head)


def test_golden_uniform_classifiers_and_equal_vectors() -> None:
    """Two and four classes, all images alike: log 2 and log 4 at determined levels and as pseudo-labels, and log 4."""
    prediction = EmbeddedLevelSoftmax(PAIRS, torch.ones(12, 6 + WIDTH, dtype=torch.float64), WIDTH)
    batch = dataclasses.replace(a_batch(), prediction=prediction)
    found = TaxonSSLObjective(PAIRS, 4, trusted=1.0, ramp=0)(batch)[::3].tolist()
    always = math.log(2) + math.log(4) + math.log(4)  # pseudo-labels of two levels, and one's own key among four
    fine = math.log(4) * 4  # one of four labels determines the leaf
    coarse = math.log(2) * 4 / 3  # three determine the category
    assert found == pytest.approx([coarse + always, coarse + fine + always, coarse + always, always])


def test_what_it_remembers_survives_a_checkpoint() -> None:
    objective, again = (TaxonSSLObjective(PAIRS, 5) for _ in range(2))
    for seed in range(3):
        objective(a_batch(seed))
    again.load_state_dict(objective.state_dict())
    assert again(a_batch(7)).equal(objective(a_batch(7)))
    assert not TaxonSSLObjective(PAIRS, 5)(a_batch(7)).equal(again(a_batch(7)))


def test_no_gradient_passes_through_pseudo_labels_or_is_remembered_in_evaluation() -> None:
    objective, batch = TaxonSSLObjective(PAIRS, 5, pseudo=0.0, contrast=0.0), a_batch()
    logits = batch.prediction.logits.clone().requires_grad_()
    objective(dataclasses.replace(batch, prediction=EmbeddedLevelSoftmax(PAIRS, logits, WIDTH))).sum().backward()
    assert logits.grad is not None
    assert (logits.grad.reshape(4, 3, -1)[:, 1:] == 0).all()  # only the first view is supervised
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    objective.eval()(batch)
    assert all(value.equal(before[name]) for name, value in objective.state_dict().items())


# ---------------------------------------------------------------- the contrast


def test_golden_contrast_of_groups() -> None:
    far = torch.eye(3, dtype=torch.float64)
    alone = graph_contrast_loss(far, far, torch.tensor([5, 6, 7]), temperature=0.5)
    assert alone.tolist() == pytest.approx([math.log(math.e**2 + 2) - 2] * 3)
    together = graph_contrast_loss(far, far, torch.tensor([5, 5, 7]), temperature=0.5)
    assert together.tolist() == pytest.approx([math.log(math.e**2 + 2) - 1] * 2 + [math.log(math.e**2 + 2) - 2])


def test_many_images_are_compared_in_chunks_with_the_same_gradient() -> None:
    torch.manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(2, 1100, 4, dtype=torch.float64), dim=-1).requires_grad_()
    groups = torch.randint(50, (1100,))
    graph_contrast_loss(rows[0], rows[1], groups, temperature=0.3).sum().backward()
    assert rows.grad is not None
    chunked, rows.grad = rows.grad, None
    same = (groups[:, None] == groups).double()
    log_share = (rows[0] @ rows[1].T / 0.3).log_softmax(1)
    (-(log_share * same).sum(1) / same.sum(1)).sum().backward()
    torch.testing.assert_close(chunked, rows.grad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "a temperature above 0"),
        ({"pseudo": -1.0}, "weights of at least 0, but got -1"),
        ({"trusted": 0.0}, r"a share of trusted pseudo-labels in \(0, 1\], but got 0"),
        ({"ramp": -1}, "a number of epochs of at least 0, but got -1"),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TaxonSSLObjective(PAIRS, 5, **options)  # pyright: ignore[reportArgumentType]
