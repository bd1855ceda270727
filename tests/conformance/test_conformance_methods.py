"""Laws that every method obeys; a new method enters by existing.

A law runs over the trees, and over the variants of a method that differ in what the law is about.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch

from cladewise import Taxonomy, methods
from cladewise.decisions import Answer, Decision, LabelSets, Nodes
from cladewise.heads import Head
from cladewise.losses import Loss
from cladewise.methods import Method
from cladewise.objectives import TrainingBatch, TrainingVectors
from cladewise.ops import is_ancestor
from cladewise.predictions import Coherence, Fittable, Prediction, storage
from reference.laws import CHAIN, DEVICE, GRAPH, RAGGED, REAL_ROOT, STAR, case
from reference.small_trees import reordered

TREES = {"ragged": RAGGED, "star": STAR, "chain": CHAIN, "real-root": REAL_ROOT}
FEATURES = 12


def choices_of(kind: object) -> tuple[object, ...]:
    """The values of an option that has only a few, and none otherwise."""
    return get_args(kind) if get_origin(kind) is Literal else (False, True) if kind is bool else ()


def variants_of(name: str) -> dict[str, Method]:
    """A method with its defaults, and with each other choice that one of its options offers."""
    kind = methods.available()[name]
    made, types = {name: kind()}, get_type_hints(kind)
    for field in dataclasses.fields(kind):
        for choice in choices_of(types[field.name]):
            if choice != field.default:
                made[f"{name}:{field.name}={choice}"] = kind(**{field.name: choice})
    return made


VARIANTS = {name: variants_of(name) for name in methods.available()}
METHODS = {variant: method for variants in VARIANTS.values() for variant, method in variants.items()}


def every_variant(name: str) -> list[str]:
    """All variants: for laws of the loss."""
    return list(VARIANTS[name])


@cache
def with_own_head(name: str) -> list[str]:
    """The variants whose heads or decisions differ: for laws that use no loss."""
    return list({fingerprint(variant): variant for variant in reversed(VARIANTS[name])}.values())


def fingerprint(variant: str) -> str:
    """Everything that a method answers with: weights, outputs and settings of its heads, and its decisions."""
    method = METHODS[variant]
    rules = [repr(rule) for rule in (method.decision(), method.watched(), method.inference())]
    parts: list[object] = [*rules, method.views(), method.momentum(), method.pooling()]
    for taxonomy in TREES.values():
        head, features, _ = a_batch(method, taxonomy)
        parts += [method.towers(taxonomy), repr(head), sorted(head.state().items())]
        parts += [(key, value.numpy().tobytes()) for key, value in head.state_dict().items()]
        for training in (True, False):
            prediction = head.train(training)(features)
            parts += [type(prediction), repr(prediction.settings())]
            parts += [(key, value.detach().numpy().tobytes()) for key, value in prediction.tensors().items()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def with_objective(name: str) -> list[str]:
    """The variants that train with an objective of their own."""
    return [variant for variant, method in VARIANTS[name].items() if an_objective(method, RAGGED) is not None]


def with_towers(name: str) -> list[str]:
    """The variants that train several encoders."""
    return [
        variant for variant, method in VARIANTS[name].items() if any(method.towers(tree) > 1 for tree in TREES.values())
    ]


ALWAYS = (every_variant, with_own_head)
"""These choose at least one variant of every method, and need not be asked before the tests run."""


def for_each(
    chosen: Callable[[str], Iterable[str]], trees: Mapping[str, Taxonomy] = TREES
) -> Callable[[Callable[[Method, Taxonomy], None]], Callable[[str], None]]:
    """Makes a law of one method on one tree a test of every method that has such variants."""

    def decorate(law: Callable[[Method, Taxonomy], None]) -> Callable[[str], None]:
        @pytest.mark.parametrize("name", VARIANTS if chosen in ALWAYS else list(filter(chosen, VARIANTS)))
        def test(name: str) -> None:
            for variant in chosen(name):
                for tree, taxonomy in trees.items():
                    with case(variant, tree):
                        law(METHODS[variant], taxonomy)

        test.__doc__ = law.__doc__
        return test

    return decorate


def only(*names: str) -> dict[str, Taxonomy]:
    """Some of the trees."""
    return {name: TREES[name] for name in names}


def a_batch(method: Method, taxonomy: Taxonomy, device: str = "cpu") -> tuple[Head, torch.Tensor, torch.Tensor]:
    """A new head, features, and a label at every node."""
    torch.manual_seed(0)
    head = method.head(taxonomy, FEATURES).to(device)
    target = torch.arange(taxonomy.num_nodes, device=device)
    return head, torch.randn(taxonomy.num_nodes, FEATURES, device=device), target


@cache
def predicted(method: Method, taxonomy: Taxonomy, device: str = "cpu") -> Prediction:
    """The prediction of a new head in training mode, for laws that change neither the head nor the prediction."""
    head, features, _ = a_batch(method, taxonomy, device)
    return head(features).detach()


@cache
def loss_of(method: Method, taxonomy: Taxonomy) -> Loss:
    """The loss for training images with a label at every node."""
    return method.loss(taxonomy).for_labels(torch.ones(taxonomy.num_nodes, dtype=torch.int64))


def an_objective(method: Method, taxonomy: Taxonomy) -> object:
    """The objective for nine images, one of which is not trained on."""
    nodes = np.arange(9) % taxonomy.num_nodes
    return method.objective(taxonomy, np.where(np.arange(9) == 5, -1, nodes))


def ready(method: Method, prediction: Prediction, target: torch.Tensor) -> Decision:
    """The decision, fitted if it can be."""
    rule = method.decision()
    if not isinstance(rule, Fittable):
        return rule
    learnt = rule.fit(prediction.detach(), target)
    assert isinstance(learnt, Decision)
    return learnt


def said(answer: Answer) -> torch.Tensor:
    """The nodes answered, or a mask of the nodes in the set."""
    return answer.chosen if isinstance(answer, LabelSets) else answer.node


def check_gradients(head: Head) -> None:
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.device
@for_each(with_own_head)
def test_prediction_keeps_its_promise(method: Method, taxonomy: Taxonomy) -> None:
    prediction = predicted(method, taxonomy, DEVICE)
    p = prediction.log_prob.exp().double()
    assert p.shape == (taxonomy.num_nodes, taxonomy.num_nodes)
    assert prediction.log_prob.dtype == torch.float32
    torch.testing.assert_close(p[:, 0], torch.ones_like(p[:, 0]), atol=1e-5, rtol=0)
    parents = torch.tensor(taxonomy.parents[1:].copy(), device=DEVICE)
    below = torch.zeros_like(p).index_add_(1, parents, p[:, 1:])
    inner = torch.tensor(~taxonomy.is_leaf, device=DEVICE)
    if prediction.coherence is Coherence.EXACT:
        torch.testing.assert_close(below[:, inner], p[:, inner], atol=1e-5, rtol=1e-4)
    if prediction.coherence is Coherence.SUPERADDITIVE:
        assert (below <= p + 1e-5)[:, inner].all()
    if prediction.coherence is not Coherence.NONE:
        assert (p[:, 1:] <= p[:, parents] + 1e-5).all()
    if prediction.coherence in (Coherence.EXACT, Coherence.SUPERADDITIVE):
        own = prediction.own_log_prob.exp().double()
        torch.testing.assert_close(own.sum(-1), torch.ones_like(own[:, 0]), atol=1e-4, rtol=0)


@pytest.mark.device
@for_each(every_variant)
def test_loss_has_a_value_and_a_gradient_for_a_label_at_any_node(method: Method, taxonomy: Taxonomy) -> None:
    head, features, target = a_batch(method, taxonomy, DEVICE)
    losses = loss_of(method, taxonomy)(head(features).logits, target)
    assert losses.shape == target.shape
    assert losses.isfinite().all()
    bound = loss_of(method, taxonomy).lower_bound
    assert math.isfinite(bound)
    assert (losses > bound - 1e-5).all()
    losses.sum().backward()
    check_gradients(head)


@pytest.mark.device
@for_each(every_variant)
def test_extreme_logits_stay_finite(method: Method, taxonomy: Taxonomy) -> None:
    shape, target = predicted(method, taxonomy).logits.shape, torch.arange(taxonomy.num_nodes, device=DEVICE)
    signs = torch.randn(shape, generator=torch.Generator().manual_seed(1)).sign()
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        with case(dtype):
            logits = (1e4 * signs).to(DEVICE, dtype).requires_grad_()
            losses = loss_of(method, taxonomy)(logits, target)
            assert losses.dtype == torch.float32
            assert losses.isfinite().all()
            losses.sum().backward()
            assert logits.grad is not None
            assert logits.grad.isfinite().all()


@for_each(every_variant, only("ragged"))
def test_batch_order_changes_nothing(method: Method, taxonomy: Taxonomy) -> None:
    head, features, target = a_batch(method, taxonomy)
    loss, order = loss_of(method, taxonomy), torch.randperm(len(target))
    for training in (True, False):
        with case("training" if training else "evaluation"):
            head.train(training)
            straight, moved = head(features), head(features[order])
            torch.testing.assert_close(loss(moved.logits, target[order]), loss(straight.logits, target)[order])
            torch.testing.assert_close(moved.log_prob, straight.log_prob[order])


@pytest.mark.device
@for_each(with_own_head, only("ragged"))
def test_images_do_not_see_each_other_in_evaluation(method: Method, taxonomy: Taxonomy) -> None:
    head, features, _ = a_batch(method, taxonomy, DEVICE)
    head(features)  # lets it collect statistics of a batch
    head.eval()
    whole = head(features).log_prob
    torch.testing.assert_close(torch.cat([head(features[i : i + 1]).log_prob for i in range(len(features))]), whole)
    assert head(features[:0]).log_prob.shape == (0, taxonomy.num_nodes)


@for_each(every_variant)
def test_a_batch_of_one_image_trains(method: Method, taxonomy: Taxonomy) -> None:
    head, features, target = a_batch(method, taxonomy)
    loss_of(method, taxonomy)(head(features[-1:]).logits, target[-1:]).sum().backward()
    check_gradients(head)


@for_each(with_towers)
def test_a_head_takes_the_features_of_every_tower(method: Method, taxonomy: Taxonomy) -> None:
    head, features, _ = a_batch(method, taxonomy)
    head.eval()
    count = method.towers(taxonomy)
    assert count >= 1
    stacked = features[:, None].expand(-1, count, -1)
    torch.testing.assert_close(head(stacked if count > 1 else features).log_prob, head(features).log_prob)


@pytest.mark.parametrize("name", VARIANTS)
def test_there_is_an_encoder_at_least(name: str) -> None:
    for variant, method in VARIANTS[name].items():
        with case(variant):
            assert all(method.towers(taxonomy) >= 1 for taxonomy in TREES.values())


def columns(prediction: Prediction, number: Sequence[int]) -> dict[tuple[tuple[int, ...], int], int]:
    """Column of every logit by the new numbers of its nodes; a count tells logits of the same nodes apart."""
    found: dict[tuple[tuple[int, ...], int], int] = {}
    seen: Counter[tuple[int, ...]] = Counter()
    assert prediction.logit_nodes.shape[0] == prediction.logits.shape[-1]
    for column, nodes in enumerate(prediction.logit_nodes.tolist()):
        key = tuple(int(number[node]) if node >= 0 else node for node in nodes)
        found[key, seen[key]] = column
        seen[key] += 1
    return found


@pytest.mark.device
@for_each(every_variant, only("ragged", "real-root"))
def test_the_order_of_siblings_changes_nothing(method: Method, taxonomy: Taxonomy) -> None:
    moved, number = renumbered(taxonomy)
    prediction, other = predicted(method, taxonomy, DEVICE), predicted(method, moved, DEVICE)
    place, before = columns(other, range(moved.num_nodes)), columns(prediction, number.tolist())
    assert before.keys() == place.keys()
    logits = torch.empty_like(prediction.logits)
    logits[:, list(map(place.__getitem__, before))] = prediction.logits[:, list(before.values())]
    again = dataclasses.replace(prediction.map(lambda _: logits), taxonomy=moved)
    target, new = torch.arange(taxonomy.num_nodes, device=DEVICE), torch.as_tensor(number, device=DEVICE)
    torch.testing.assert_close(again.log_prob[:, new], prediction.log_prob)
    losses = [evaluated(method, t)(z, y) for t, z, y in ((taxonomy, prediction.logits, target), (moved, logits, new))]
    torch.testing.assert_close(*losses)


@cache
def renumbered(taxonomy: Taxonomy) -> tuple[Taxonomy, np.ndarray]:
    moved, number = reordered(taxonomy, seed=1)
    assert not (number == range(taxonomy.num_nodes)).all()
    return moved, number


@cache
def evaluated(method: Method, taxonomy: Taxonomy) -> Loss:
    """The loss as validation computes it."""
    return method.loss(taxonomy).for_labels(torch.ones(taxonomy.num_nodes, dtype=torch.int64)).eval()


@pytest.mark.device
@for_each(every_variant, only("real-root", "chain"))
def test_the_gradient_is_that_of_the_loss(method: Method, taxonomy: Taxonomy) -> None:
    loss, target = evaluated(method, taxonomy), torch.arange(taxonomy.num_nodes, device=DEVICE)
    logits = predicted(method, taxonomy, DEVICE).logits.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits, fast_mode=True)


@pytest.mark.device
@for_each(every_variant, only("ragged"))
def test_autocast_costs_the_head_alone(method: Method, taxonomy: Taxonomy) -> None:
    head, features, target = a_batch(method, taxonomy, DEVICE)
    loss = evaluated(method, taxonomy)
    for half in (torch.bfloat16, torch.float16):
        with case(half):
            with torch.autocast(DEVICE, dtype=half):
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
            head.zero_grad()
            losses.sum().backward()
            check_gradients(head)


@pytest.mark.device
@for_each(with_own_head)
def test_decision_gives_nodes_of_the_tree(method: Method, taxonomy: Taxonomy) -> None:
    prediction, target = predicted(method, taxonomy, DEVICE), torch.arange(taxonomy.num_nodes, device=DEVICE)
    answer = ready(method, prediction, target)(prediction)
    if isinstance(answer, LabelSets):
        assert answer.chosen.shape == prediction.log_prob.shape
    else:
        assert ((answer.node >= 0) & (answer.node < taxonomy.num_nodes)).all()
    assert (answer.log_prob <= 1e-5).all()
    watched = method.watched()(prediction)
    assert not isinstance(watched, LabelSets), "validation accuracy needs nodes"


@for_each(with_own_head)
def test_a_settled_prediction_is_the_same(method: Method, taxonomy: Taxonomy) -> None:
    prediction = predicted(method, taxonomy)
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
        with case("level", level):
            torch.testing.assert_close(settled.level_log_prob(level), prediction.level_log_prob(level))


@for_each(with_own_head, only("ragged"))
def test_the_ranking_that_is_watched_begins_with_the_answer(method: Method, taxonomy: Taxonomy) -> None:
    prediction, rule = predicted(method, taxonomy), method.watched()
    answer = rule(prediction)
    assert not isinstance(answer, LabelSets)
    first = answer.node if isinstance(answer, Nodes) else answer.node[..., -1]
    for k in (1, 5, 20):
        assert rule.ranking(prediction, k, answer)[..., 0].equal(first)


@for_each(with_own_head, only("ragged"))
def test_gradients_can_follow_predictions_in_inference_mode(method: Method, taxonomy: Taxonomy) -> None:
    names = [f"{name} of {method.name} {sorted(method.options().items())}" for name in taxonomy.names]
    fresh = Taxonomy(taxonomy.parents, names, level=taxonomy.level)  # for which no tables are kept yet
    head, features, target = a_batch(method, fresh)
    with torch.inference_mode():
        ready(method, head(features).settled(), target)(head(features).settled())
    prediction = head(features)
    finite = prediction.log_prob.isfinite()
    (prediction.log_prob[finite].sum() + method.loss(fresh)(prediction.logits, target).sum()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in head.parameters())
    assert any(p.grad is not None for p in head.parameters())


@pytest.mark.parametrize("name", VARIANTS)
def test_prediction_survives_the_disk(name: str, tmp_path: Path) -> None:
    for variant in with_own_head(name):
        with case(variant):
            prediction, target = predicted(METHODS[variant], RAGGED), torch.arange(RAGGED.num_nodes)
            path = tmp_path / "scores.safetensors"
            path.write_bytes(storage.to_bytes(prediction, extra={"target": target}, about={"note": "x"}))
            again, rest, about = storage.load_prediction(path, RAGGED)
            assert type(again) is type(prediction)
            torch.testing.assert_close(again.log_prob, prediction.log_prob)
            assert about["note"] == "x"
            assert rest["target"].equal(target)
            torch.testing.assert_close(prediction[2:5].log_prob, prediction.log_prob[2:5])


@for_each(with_objective)
def test_an_objective_has_a_value_and_a_gradient_for_every_view(method: Method, taxonomy: Taxonomy) -> None:
    nodes = torch.arange(9) % taxonomy.num_nodes
    represented = TrainingVectors(torch.randn(9, 4), nodes, torch.arange(9))
    for images in (0, 1, 9):
        objective, (head, _, _) = an_objective(method, taxonomy), a_batch(method, taxonomy)
        head.train(images > 1)
        index = torch.arange(images).repeat_interleave(method.views())
        features, target = torch.randn(len(index), FEATURES), nodes[index]
        for epoch in (0, 1000):
            objective.begin_epoch(epoch, 0, lambda: represented)
            for scale in (1.0, 1.0, 1e4):
                with case(images, "images", "epoch", epoch, "scale", scale):
                    head.zero_grad()
                    with torch.no_grad():
                        followed = head(features.flip(1) * scale) if method.momentum() else None
                    nats = objective(
                        TrainingBatch(head(features * scale), target, index, method.views(), head, followed)
                    )
                    assert nats.shape == target.shape
                    assert nats.isfinite().all()
                    assert (nats > -1e-4).all()
                    nats.sum().backward()
                    check_gradients(head)
        assert all(math.isfinite(value) for value in objective.state().values())
        an_objective(method, taxonomy).load_state_dict(objective.state_dict())


def trained_with(method: Method, taxonomy: Taxonomy) -> dict[str, torch.Tensor]:
    """Everything that a method learns from: its prediction, its losses and its objective, for fixed random numbers."""
    head, features, target = a_batch(method, taxonomy)
    prediction = head(features)
    found = {"prediction": prediction.log_prob, "loss": loss_of(method, taxonomy)(prediction.logits, target)}
    torch.manual_seed(1)
    own = head.own_loss()
    found |= {} if own is None else {"own": own}
    objective = an_objective(method, taxonomy)
    if objective is not None:
        nodes, index = torch.arange(9) % taxonomy.num_nodes, torch.arange(9).repeat_interleave(method.views())
        objective.begin_epoch(0, 0, lambda: TrainingVectors(torch.randn(9, 4), nodes, torch.arange(9)))
        features = torch.randn(len(index), FEATURES)
        with torch.no_grad():
            followed = head(features.flip(1)) if method.momentum() else None
        batch = TrainingBatch(head(features), nodes[index], index, method.views(), head, followed)
        found["objective"] = objective(batch)
    return {name: values.detach() for name, values in found.items()}


@for_each(every_variant, {"graph": GRAPH})
def test_further_parents_are_used_or_ignored_as_the_method_says(method: Method, taxonomy: Taxonomy) -> None:
    """A method that says it does not use them computes, to the last bit, what it would in the primary tree."""
    every, primary = trained_with(method, taxonomy), trained_with(method, taxonomy.primary_tree())
    assert every.keys() == primary.keys()
    changed = {name for name, values in every.items() if not torch.equal(values, primary[name])}
    if method.uses_further_parents:
        assert changed & {"loss", "own"}
        assert "prediction" not in changed  # before training
    else:
        assert not changed


@for_each(every_variant, {"graph": GRAPH})
def test_a_label_with_several_parents_has_a_finite_loss_and_gradient(method: Method, taxonomy: Taxonomy) -> None:
    head, features, target = a_batch(method, taxonomy)
    losses = loss_of(method, taxonomy)(head(features).logits, target)
    assert losses.isfinite().all()
    assert (losses > loss_of(method, taxonomy).lower_bound - 1e-5).all()
    losses.sum().backward()
    check_gradients(head)


@for_each(every_variant)
def test_what_a_method_tells_of_itself_can_stand_in_the_log(method: Method, taxonomy: Taxonomy) -> None:
    head, _, _ = a_batch(method, taxonomy)
    objective = an_objective(method, taxonomy)
    told = [*head.state().items(), *({} if objective is None else objective.state()).items()]
    names = [one for one, _ in told]
    assert len(set(names)) == len(names)
    assert not set(names) & {"event", "epoch", "lr", "seconds"}
    assert not any(one.endswith("_loss") or one.startswith("val_") for one in names)  # they are drawn as such
    assert all(type(value) is float and math.isfinite(value) for _, value in told)


@for_each(every_variant, only("ragged"))
def test_a_few_steps_learn_a_few_images(method: Method, taxonomy: Taxonomy) -> None:
    head, _, _ = a_batch(method, taxonomy)
    target = torch.tensor(taxonomy.leaf_nodes.copy())
    features = torch.eye(FEATURES)[: len(target)] * 3
    loss, optimizer = loss_of(method, taxonomy), torch.optim.Adam(head.parameters(), lr=0.03)
    for step in range(1, 201):  # text vectors without a projection take 180, all others at most 100
        optimizer.zero_grad()
        loss(head(features).logits, target).mean().backward()
        optimizer.step()
        if step % 20 == 0 and answers_with(target, method, head, features):
            return
    pytest.fail("200 steps did not learn six images")


def answers_with(target: torch.Tensor, method: Method, head: Head, features: torch.Tensor) -> bool:
    """Whether the method's decision answers every image with its label."""
    with torch.no_grad():
        prediction = head.eval()(features)
        head.train()
        answer = ready(method, prediction, target)(prediction)
    if isinstance(answer, LabelSets):
        path = is_ancestor(torch.arange(RAGGED.num_nodes), target[:, None], RAGGED)
        return answer.chosen[:, 1:].equal(path[:, 1:])
    node = answer.node if isinstance(answer, Nodes) else answer.node[:, -1]
    return node.equal(target)


@pytest.mark.parametrize("name", methods.available())
def test_method_says_what_it_is(name: str) -> None:
    kind = methods.available()[name]
    assert kind.title
    assert str(kind.citation.year) in str(kind.citation)
    assert kind.__doc__
    for field in dataclasses.fields(kind):
        assert field.metadata["help"], f"{name}.{field.name} has no explanation"
    assert methods.make(name, **kind().options()) == kind()
