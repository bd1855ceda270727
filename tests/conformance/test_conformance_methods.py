"""Laws that every method obeys; a new method enters by existing."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch

from cladewise import Taxonomy, methods
from cladewise.decisions import Decision, LabelSets, Nodes
from cladewise.heads import Head
from cladewise.losses import Loss
from cladewise.methods import Method, Represented, Seen
from cladewise.ops import is_ancestor
from cladewise.predictions import Coherence, Fittable, Prediction, storage
from reference.small_trees import reordered

RAGGED = Taxonomy.from_paths(
    [
        ("bird", "warbler", "wood warbler"),
        ("bird", "warbler", "reed warbler"),
        ("bird", "wren"),
        ("moth", "hawk moth"),  # an only child
        ("fern",),
        ("fish", "", "eel"),  # a row that skips a level
    ]
)
STAR = Taxonomy.from_paths([(name,) for name in "abcde"])
CHAIN = Taxonomy.from_paths([("a", "b", "c", "d")])
REAL_ROOT = Taxonomy.from_parents([-1, 0, 0, 1, 1, 2], ["thing", "animal", "plant", "dog", "cat", "fern"])
TREES = {"ragged": RAGGED, "star": STAR, "chain": CHAIN, "real-root": REAL_ROOT}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
FEATURES = 12


def with_every_choice() -> dict[str, Method]:
    """Every method with its defaults, and with each other choice that one of its options offers."""
    made: dict[str, Method] = {}
    for name, kind in methods.available().items():
        made[name] = kind()
        types = get_type_hints(kind)
        for field in dataclasses.fields(kind):
            for choice in choices_of(types[field.name]):
                if choice != field.default:
                    made[f"{name}:{field.name}={choice}"] = kind(**{field.name: choice})
    return made


def choices_of(kind: object) -> tuple[object, ...]:
    """The few values that an option can have, if it has a few."""
    return get_args(kind) if get_origin(kind) is Literal else (False, True) if kind is bool else ()


METHODS = with_every_choice()
every_method = pytest.mark.parametrize("name", METHODS)
every_tree = pytest.mark.parametrize("tree", TREES)
every_device = pytest.mark.parametrize("device", DEVICES)


def a_batch(method: Method, taxonomy: Taxonomy, device: str = "cpu") -> tuple[Head, torch.Tensor, torch.Tensor]:
    """A head, features, and a label at every node."""
    torch.manual_seed(0)
    head = method.head(taxonomy, FEATURES).to(device)
    target = torch.arange(taxonomy.num_nodes, device=device)
    return head, torch.randn(taxonomy.num_nodes, FEATURES, device=device), target


def loss_of(method: Method, taxonomy: Taxonomy) -> Loss:
    """The loss for training images with a label at every node."""
    return method.loss(taxonomy).for_labels(torch.ones(taxonomy.num_nodes, dtype=torch.int64))


def ready(method: Method, prediction: Prediction, target: torch.Tensor) -> Decision:
    """The decision, fitted where it has something to learn."""
    rule = method.decision()
    if not isinstance(rule, Fittable):
        return rule
    learnt = rule.fit(prediction.detach(), target)
    assert isinstance(learnt, Decision)
    return learnt


def said(answer: object) -> torch.Tensor:
    """What is answered: nodes, or which nodes are in the set."""
    return answer.chosen if isinstance(answer, LabelSets) else answer.node  # type: ignore[attr-defined]


@every_device
@every_method
@every_tree
def test_prediction_keeps_its_promise(name: str, tree: str, device: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, _ = a_batch(method, taxonomy, device)
    prediction: Prediction = head(features)
    p = prediction.log_prob.exp().double()
    assert p.shape == (len(features), taxonomy.num_nodes)
    assert prediction.log_prob.dtype == torch.float32
    torch.testing.assert_close(p[:, 0], torch.ones_like(p[:, 0]), atol=1e-5, rtol=0)
    below = torch.zeros_like(p).index_add_(1, torch.tensor(taxonomy.parents[1:].copy(), device=device), p[:, 1:])
    inner = torch.tensor(~taxonomy.is_leaf, device=device)
    if prediction.coherence is Coherence.EXACT:
        torch.testing.assert_close(below[:, inner], p[:, inner], atol=1e-5, rtol=1e-4)
    if prediction.coherence is Coherence.SUPERADDITIVE:
        assert (below <= p + 1e-5)[:, inner].all()
    if prediction.coherence is not Coherence.NONE:
        parents = torch.tensor(taxonomy.parents[1:].copy(), device=device)
        assert (p[:, 1:] <= p[:, parents] + 1e-5).all()
    if prediction.coherence in (Coherence.EXACT, Coherence.SUPERADDITIVE):
        own = prediction.own_log_prob.exp().double()
        torch.testing.assert_close(own.sum(-1), torch.ones_like(own[:, 0]), atol=1e-4, rtol=0)


@every_method
@every_tree
def test_loss_has_a_value_and_a_gradient_for_a_label_at_any_node(name: str, tree: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, target = a_batch(method, taxonomy)
    losses = loss_of(method, taxonomy)(head(features).logits, target)
    assert losses.shape == target.shape
    assert losses.isfinite().all()
    bound = method.loss(taxonomy).lower_bound
    assert math.isfinite(bound)
    assert (losses > bound - 1e-5).all()
    losses.sum().backward()
    gradients = [p.grad for p in head.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@every_method
@every_tree
def test_extreme_logits_stay_finite(name: str, tree: str, dtype: torch.dtype) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, target = a_batch(method, taxonomy)
    signs = torch.randn_like(head(features).logits).sign()
    logits = (1e4 * signs).to(dtype).requires_grad_()
    losses = loss_of(method, taxonomy)(logits, target)
    assert losses.dtype == torch.float32
    assert losses.isfinite().all()
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@every_method
@pytest.mark.parametrize("training", [True, False])
def test_batch_order_changes_nothing(name: str, training: bool) -> None:
    method = METHODS[name]
    head, features, target = a_batch(method, RAGGED)
    head.train(training)
    order = torch.randperm(len(target))
    loss = loss_of(method, RAGGED)
    straight = loss(head(features).logits, target)
    torch.testing.assert_close(loss(head(features[order]).logits, target[order]), straight[order])
    torch.testing.assert_close(head(features[order]).log_prob, head(features).log_prob[order])


@every_device
@every_method
def test_images_do_not_see_each_other_in_evaluation(name: str, device: str) -> None:
    head, features, _ = a_batch(METHODS[name], RAGGED, device)
    head(features)  # what it may learn of a batch in training
    head.eval()
    whole = head(features).log_prob
    torch.testing.assert_close(torch.cat([head(features[i : i + 1]).log_prob for i in range(len(features))]), whole)
    assert head(features[:0]).log_prob.shape == (0, RAGGED.num_nodes)


@every_method
@every_tree
def test_a_batch_of_one_image_trains(name: str, tree: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, target = a_batch(method, taxonomy)
    loss_of(method, taxonomy)(head(features[-1:]).logits, target[-1:]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@every_method
@every_tree
def test_a_head_takes_the_features_of_every_tower(name: str, tree: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, _ = a_batch(method, taxonomy)
    head.eval()
    count = method.towers(taxonomy)
    assert count >= 1
    if count > 1:
        stacked = features[:, None].expand(-1, count, -1)
        torch.testing.assert_close(head(stacked).log_prob, head(features).log_prob)


def columns(prediction: Prediction, number: Sequence[int]) -> dict[tuple[tuple[int, ...], int], int]:
    """Column of every logit by the new numbers of its nodes; the second of the key tells those of the same apart."""
    found: dict[tuple[tuple[int, ...], int], int] = {}
    seen: Counter[tuple[int, ...]] = Counter()
    assert prediction.logit_nodes.shape[0] == prediction.logits.shape[-1]
    for column, nodes in enumerate(prediction.logit_nodes.tolist()):
        key = tuple(int(number[node]) if node >= 0 else node for node in nodes)
        found[key, seen[key]] = column
        seen[key] += 1
    return found


@every_device
@every_method
@pytest.mark.parametrize("tree", ["ragged", "real-root"])
def test_the_order_of_siblings_changes_nothing(name: str, tree: str, device: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    moved, number = reordered(taxonomy, seed=1)
    assert not (number == range(taxonomy.num_nodes)).all()
    head, features, target = a_batch(method, taxonomy, device)
    prediction = head(features)
    place = columns(method.head(moved, FEATURES).to(device)(features), range(moved.num_nodes))
    before = columns(prediction, number.tolist())
    assert before.keys() == place.keys()
    logits = torch.empty_like(prediction.logits)
    for key, column in before.items():
        logits[:, place[key]] = prediction.logits[:, column]
    again = dataclasses.replace(prediction.map(lambda _: logits), taxonomy=moved)
    new = torch.as_tensor(number, device=device)
    torch.testing.assert_close(again.log_prob[:, new], prediction.log_prob)
    losses = [
        loss_of(method, t).eval()(z, y) for t, z, y in ((taxonomy, prediction.logits, target), (moved, logits, new))
    ]
    torch.testing.assert_close(*losses)


@every_device
@every_method
@pytest.mark.parametrize("tree", ["real-root", "chain"])
def test_the_gradient_is_that_of_the_loss(name: str, tree: str, device: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, target = a_batch(method, taxonomy, device)
    loss = loss_of(method, taxonomy).eval()
    logits = head(features).logits.detach().double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits, fast_mode=True)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@every_device
@every_method
def test_autocast_costs_the_head_alone(name: str, half: torch.dtype, device: str) -> None:
    method = METHODS[name]
    head, features, target = a_batch(method, RAGGED, device)
    loss = loss_of(method, RAGGED).eval()
    with torch.autocast(device, dtype=half):
        prediction = head(features)
        assert prediction.log_prob.dtype == torch.float32
        losses = loss(prediction.logits, target)
        rule = ready(method, prediction, target)
        answer = said(rule(prediction))
    assert losses.dtype == torch.float32
    exact = prediction.map(torch.Tensor.float)
    torch.testing.assert_close(losses, loss(exact.logits, target))
    torch.testing.assert_close(prediction.log_prob, exact.log_prob)
    assert answer.equal(said(rule(exact)))
    losses.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@every_method
@every_tree
def test_decision_gives_nodes_of_the_tree(name: str, tree: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, target = a_batch(method, taxonomy)
    prediction = head(features)
    answer = ready(method, prediction, target)(prediction)
    if isinstance(answer, LabelSets):
        assert answer.chosen.shape == prediction.log_prob.shape
    else:
        assert ((answer.node >= 0) & (answer.node < taxonomy.num_nodes)).all()
    assert (answer.log_prob <= 1e-5).all()
    watched = method.watched()(prediction)
    assert not isinstance(watched, LabelSets), "accuracy is told of nodes"


@every_method
@every_tree
def test_a_settled_prediction_is_the_same(name: str, tree: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, features, _ = a_batch(method, taxonomy)
    prediction = head(features)
    settled = prediction.settled()
    assert settled.settled() is settled
    assert sum(x.numel() for x in settled.tensors().values()) <= sum(x.numel() for x in prediction.tensors().values())
    torch.testing.assert_close(settled.log_prob, prediction.log_prob)
    torch.testing.assert_close(settled.own_log_prob, prediction.own_log_prob)
    torch.testing.assert_close(settled.scores, prediction.scores)
    assert settled.has_score.equal(prediction.has_score)
    assert settled.scored_nodes.equal(prediction.scored_nodes)
    assert settled.logits.shape[-1] == len(settled.scored_nodes)
    assert settled.coherence is prediction.coherence
    assert settled.ranking(3).equal(prediction.ranking(3))
    for level in range(1, taxonomy.num_levels + 1):
        torch.testing.assert_close(settled.level_log_prob(level), prediction.level_log_prob(level))


@every_method
def test_the_ranking_that_is_watched_begins_with_the_answer(name: str) -> None:
    method, taxonomy = METHODS[name], TREES["ragged"]
    head, features, _ = a_batch(method, taxonomy)
    prediction, rule = head(features), method.watched()
    answer = rule(prediction)
    assert not isinstance(answer, LabelSets)
    first = answer.node if isinstance(answer, Nodes) else answer.node[..., -1]
    for k in (1, 5, 20):
        assert rule.ranking(prediction, k, answer)[..., 0].equal(first)


@every_method
def test_prediction_survives_the_disk(name: str, tmp_path: object) -> None:
    method = METHODS[name]
    head, features, target = a_batch(method, RAGGED)
    prediction = head(features)
    path = tmp_path / "scores.safetensors"  # type: ignore[operator]
    path.write_bytes(storage.to_bytes(prediction, extra={"target": target}, about={"note": "x"}))
    again, rest, about = storage.load_prediction(path, RAGGED)
    assert type(again) is type(prediction)
    torch.testing.assert_close(again.log_prob, prediction.log_prob.detach())
    assert about["note"] == "x"
    assert rest["target"].equal(target)
    part = prediction[2:5]
    torch.testing.assert_close(part.log_prob, prediction.log_prob[2:5])


@every_method
@every_tree
@pytest.mark.parametrize("images", [0, 1, 9])
def test_an_objective_has_a_value_and_a_gradient_for_every_view(name: str, tree: str, images: int) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    nodes = np.arange(9) % taxonomy.num_nodes
    objective = method.objective(taxonomy, np.where(np.arange(9) == 5, -1, nodes))
    if objective is None:
        return
    head, _, _ = a_batch(method, taxonomy)
    head.train(images > 1)
    index = torch.arange(images).repeat_interleave(method.views())
    features, target = torch.randn(len(index), FEATURES), torch.from_numpy(nodes)[index]
    represented = Represented(torch.randn(9, 4), torch.from_numpy(nodes), torch.arange(9))
    for epoch in (0, 1000):
        objective.begin_epoch(epoch, 0, lambda: represented)
        for scale in (1.0, 1.0, 1e4):
            head.zero_grad()
            with torch.no_grad():
                followed = head(features.flip(1) * scale) if method.momentum() else None
            prediction = head(features * scale)
            seen = Seen(prediction, target, index, method.views(), head, followed)
            nats = objective(seen)
            assert nats.shape == target.shape
            assert nats.isfinite().all()
            assert (nats > -1e-4).all()
            nats.sum().backward()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    assert all(math.isfinite(value) for value in objective.state().values())
    again = method.objective(taxonomy, np.where(np.arange(9) == 5, -1, nodes))
    assert again is not None
    again.load_state_dict(objective.state_dict())


@every_method
@every_tree
def test_what_a_method_tells_of_itself_can_stand_in_the_log(name: str, tree: str) -> None:
    taxonomy, method = TREES[tree], METHODS[name]
    head, _, _ = a_batch(method, taxonomy)
    objective = method.objective(taxonomy, np.arange(9) % taxonomy.num_nodes)
    told = [*head.state().items(), *({} if objective is None else objective.state()).items()]
    names = [one for one, _ in told]
    assert len(set(names)) == len(names)
    assert not set(names) & {"event", "epoch", "lr", "seconds"}
    assert not any(one.endswith("_loss") or one.startswith("val_") for one in names)  # they are drawn as such
    assert all(type(value) is float and math.isfinite(value) for _, value in told)


@every_method
def test_a_few_steps_learn_a_few_images(name: str) -> None:
    method = METHODS[name]
    head, _, _ = a_batch(method, RAGGED)
    target = torch.tensor(RAGGED.leaf_nodes.copy())
    features = torch.eye(FEATURES)[: len(target)] * 3
    loss, optimizer = loss_of(method, RAGGED), torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(200):  # slowly, for heads with wide layers
        optimizer.zero_grad()
        loss(head(features).logits, target).mean().backward()
        optimizer.step()
    prediction = head.eval()(features)
    answer = ready(method, prediction, target)(prediction)
    if isinstance(answer, LabelSets):
        path = is_ancestor(torch.arange(RAGGED.num_nodes), target[:, None], RAGGED)
        assert answer.chosen[:, 1:].equal(path[:, 1:])
        return
    node = answer.node if isinstance(answer, Nodes) else answer.node[:, -1]
    assert node.equal(target)


@pytest.mark.parametrize("name", methods.available())
def test_method_says_what_it_is(name: str) -> None:
    kind = methods.available()[name]
    assert kind.title
    assert str(kind.citation.year) in str(kind.citation)
    assert kind.__doc__
    for field in dataclasses.fields(kind):
        assert field.metadata["help"], f"{name}.{field.name} has no explanation"
    assert methods.make(name, **kind().options()) == kind()
