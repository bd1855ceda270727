"""Laws that every inference obeys on every kind of prediction; a new one of either enters by existing.

A law runs over the variants of a rule, the kinds and the trees; rules are fitted once, and results are shared.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from cladewise import Taxonomy, catalogue, inference
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.predictions import Coherence, Fittable, Prediction, level_width, storage, transition_layout
from reference.given_predictions import FROM_HEADS, built_in_kinds
from reference.given_predictions import KINDS as MADE
from reference.laws import CHAIN, DEVICE, LONE, STAR, case
from reference.laws import LATE as RAGGED

TREES = {"ragged": RAGGED, "star": STAR, "chain": CHAIN, "lone": LONE}

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "calibrate": [
        {},
        {"by": "level"},
        {"kind": "isotonic"},
        {"kind": "isotonic", "by": "level"},
        {"kind": "beta", "by": "level"},
    ],
    "diffusion": [
        {},
        {"steps": 3, "rescale": True},
        {"top": 1, "readout": "level"},
        {"shift": "level-min", "readout": "level"},
    ],
    "differentiable-diffusion": [{"epochs": 2}, {"epochs": 2, "form": "neighbourhood", "radius": 1}],
    "level-top-down": [{"form": "levels"}, {"form": "two-level"}],
    "prohoc": [{}, {"form": "complement", "root": 1.0}],
    "subset": [{"allowed": (0,)}, {"allowed": "the last leaf"}],
    "prior": [{"table": "uneven"}, {"table": "uneven", "strength": 0.5}, {"table": "the last leaf", "unlisted": 0.0}],
}
"""Options that a rule is tried with; those that are not here, with none."""

SETTINGS: dict[str, dict[str, Any]] = {
    "rootless NodeSoftmax": {"with_root": False},
    "tied LevelSoftmax": {"tied": True},
    "low-rank LevelTransition": {"rank": 2},
    "coarse-to-fine LevelTransition": {"order": "c2f"},
    "embedding EmbeddedLevelSoftmax": {"width": 3},
}
"""Settings that a kind is tried with besides its own."""
KINDS = [*built_in_kinds(), *SETTINGS]
LAST = inference.Subset((int(RAGGED.leaf_nodes[-1]),))
UNDEFINED = {("top-down", kind) for kind in ("LeafSoftmax", "ProjectedLeafSoftmax", "SubspaceNorms")}
"""Rules that need scores at inner nodes, and the heads that have none."""
IMAGES = 6

every_rule = pytest.mark.parametrize("name", inference.available())
pytestmark = pytest.mark.filterwarnings("ignore:calibrate.*labelled images")


@cache
def predicted(kind: str, taxonomy: Taxonomy, scale: float = 2.0) -> Prediction:
    """A prediction of a kind for a few images."""
    generator = torch.Generator().manual_seed(3)
    levels = tuple(range(1, taxonomy.num_levels + 1))
    widths = {
        "LeafSoftmax": taxonomy.num_leaves,
        "ProjectedLeafSoftmax": taxonomy.num_leaves,
        "NodeSoftmax": taxonomy.num_nodes,
        "ListedNodes": taxonomy.num_nodes,
        "LevelSoftmax": level_width(taxonomy, levels, tied=False),
        "tied LevelSoftmax": level_width(taxonomy, levels, tied=True),
        "LevelTransition": transition_layout(taxonomy).width,
        "EmbeddedLevelSoftmax": level_width(taxonomy, levels, tied=False),
        "embedding EmbeddedLevelSoftmax": level_width(taxonomy, levels, tied=False) + 3,
        "low-rank LevelTransition": transition_layout(taxonomy, rank=2).width,
        "coarse-to-fine LevelTransition": transition_layout(taxonomy, order="c2f").width,
    }
    logits = torch.randn(IMAGES, widths.get(kind, taxonomy.num_nodes - 1), generator=generator)
    logits = scale * (logits if scale < 1e3 else logits.sign())
    return MADE[kind.split()[-1]](taxonomy, logits, **SETTINGS.get(kind, {}))


FOLDER = tempfile.TemporaryDirectory()  # removed with the last reference


@cache
def prior_table(which: str, taxonomy: Taxonomy) -> str:
    """A file with a weight for every leaf, or for the last one alone."""
    leaves = [int(v) for v in taxonomy.leaf_nodes]
    chosen = leaves[-1:] if which == "the last leaf" else leaves
    path = Path(FOLDER.name) / f"{which}-{taxonomy.fingerprint}.csv"
    rows = [f'"{taxonomy.path_name(v) or taxonomy.names[0]}",{1 + v % 3}' for v in chosen]
    path.write_text("\n".join(["label,weight", *rows]) + "\n")
    return str(path)


@cache
def rule_for(name: str, variant: int, kind: str, taxonomy: Taxonomy) -> Inference:
    """The rule, fitted if it can be."""
    options = dict(VARIANTS.get(name, [{}])[variant])
    if options.get("allowed") == "the last leaf":
        options["allowed"] = (int(taxonomy.leaf_nodes[-1]),)
    if name == "prior":
        options["table"] = prior_table(options["table"], taxonomy)
    rule = inference.make(name, **options)
    if isinstance(rule, Fittable):
        return rule.fit(predicted(kind, taxonomy), torch.arange(IMAGES) % taxonomy.num_nodes)
    return rule


@cache
def result_of(name: str, variant: int, kind: str, taxonomy: Taxonomy) -> Prediction:
    """The prediction after the rule."""
    return rule_for(name, variant, kind, taxonomy)(predicted(kind, taxonomy))


def takes(name: str, kind: str, taxonomy: Taxonomy) -> bool:
    """Whether the rule can be applied to such a prediction."""
    if kind.startswith("rootless") and taxonomy.num_nodes == 1:
        return False  # a softmax over no node at all
    return (name, kind) not in UNDEFINED or taxonomy.num_nodes <= taxonomy.num_leaves + 1


def cases(name: str, trees: dict[str, Taxonomy]) -> Iterator[tuple[int, str, Taxonomy]]:
    """Every variant of a rule, kind and tree that go together."""
    for variant in range(len(VARIANTS.get(name, [{}]))):
        for kind in KINDS:
            for taxonomy in trees.values():
                if takes(name, kind, taxonomy):
                    yield variant, kind, taxonomy


ONE = {"ragged": RAGGED}


@pytest.mark.parametrize(("name", "kind"), sorted(UNDEFINED))
def test_a_rule_refuses_a_head_without_the_scores_it_needs(name: str, kind: str) -> None:
    with pytest.raises(InputError, match=kind):
        inference.make(name)(predicted(kind, RAGGED))
    with pytest.raises(InputError, match=kind):
        inference.make(name)(predicted(kind, CHAIN))


@every_rule
@pytest.mark.device
def test_result_keeps_its_promise(name: str) -> None:
    for variant, kind, taxonomy in cases(name, TREES):
        with case(variant, kind, taxonomy):
            result = result_of(name, variant, kind, taxonomy)
            if DEVICE != "cpu":
                result = rule_for(name, variant, kind, taxonomy)(predicted(kind, taxonomy).to(DEVICE))
            check(result, taxonomy)


def check(result: object, taxonomy: Taxonomy) -> None:
    """Check that the result has the coherence that it declares."""
    assert isinstance(result, Prediction)
    assert result.log_prob.shape == (IMAGES, taxonomy.num_nodes)
    assert not result.log_prob.isnan().any()
    assert (result.log_prob <= 1e-5).all()
    assert result.log_prob.dtype == torch.float32
    p = result.log_prob.exp().double().cpu()
    torch.testing.assert_close(p[:, 0], torch.ones_like(p[:, 0]), atol=1e-5, rtol=0)
    parents = torch.tensor(taxonomy.parents[1:].copy())
    below = torch.zeros_like(p).index_add_(1, parents, p[:, 1:])
    inner = torch.tensor(~taxonomy.is_leaf)
    if result.coherence is Coherence.EXACT:
        torch.testing.assert_close(below[:, inner], p[:, inner], atol=1e-5, rtol=1e-4)
    if result.coherence is Coherence.SUPERADDITIVE:
        assert (below <= p + 1e-5)[:, inner].all()
    if result.coherence is not Coherence.NONE:
        assert (p[:, 1:] <= p[:, parents] + 1e-5).all()
    assert not result.ranking(3).lt(0).any()


@every_rule
def test_images_are_independent(name: str) -> None:
    order = torch.randperm(IMAGES)
    for variant, kind, taxonomy in cases(name, ONE):
        with case(variant, kind):
            rule, prediction = rule_for(name, variant, kind, taxonomy), predicted(kind, taxonomy)
            result = result_of(name, variant, kind, taxonomy)
            torch.testing.assert_close(rule(prediction[order]).log_prob, result.log_prob[order])
            torch.testing.assert_close(rule(prediction[2:3]).log_prob, result.log_prob[2:3])
            torch.testing.assert_close(result[2:4].log_prob, result.log_prob[2:4])
            torch.testing.assert_close(rule(prediction[0]).log_prob, result.log_prob[0])
            assert rule(prediction[:0]).log_prob.shape == (0, taxonomy.num_nodes)


@every_rule
def test_result_survives_the_disk(name: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.safetensors"
    for variant, kind, taxonomy in cases(name, ONE):
        with case(variant, kind):
            result = result_of(name, variant, kind, taxonomy)
            path.write_bytes(storage.to_bytes(result, extra={}, about={}))
            again, _, _ = storage.load_prediction(path, taxonomy)
            assert type(again) is type(result)
            torch.testing.assert_close(again.log_prob, result.log_prob.detach())


@every_rule
def test_gradients_are_finite_at_extreme_scores(name: str) -> None:
    for variant, kind, taxonomy in cases(name, TREES):
        if kind.split()[-1] not in FROM_HEADS:
            continue
        with case(variant, kind, taxonomy):
            rule, prediction = rule_for(name, variant, kind, taxonomy), predicted(kind, taxonomy, 1e4)
            logits = prediction.logits.clone().requires_grad_()
            result = rule(prediction.map(lambda _, logits=logits: logits)).log_prob
            assert not result.isnan().any()
            if result.requires_grad:
                result.masked_fill(result == -torch.inf, 0.0).sum().backward()
                assert logits.grad is not None
                assert logits.grad.isfinite().all()


@every_rule
def test_half_precision_is_taken(name: str) -> None:
    for variant, kind, taxonomy in cases(name, ONE):
        with case(variant, kind):
            prediction = predicted(kind, taxonomy).to(torch.float16)
            rule = rule_for(name, variant, kind, taxonomy)
            result, single = rule(prediction).log_prob, rule(prediction.to(torch.float32)).log_prob
            assert result.dtype == torch.float32
            torch.testing.assert_close(result, single, atol=1e-4, rtol=1e-4)


@every_rule
@pytest.mark.parametrize("after", inference.available())
def test_rules_compose(name: str, after: str) -> None:
    options = {
        "subset": {"allowed": ("warbler",)},
        "prior": {"table": prior_table("uneven", RAGGED)},
        "differentiable-diffusion": {"epochs": 1},
    }.get(after, {})
    second = inference.make(after, **options)
    for variant, kind, taxonomy in cases(name, ONE):
        if kind not in ("LeafSoftmax", "NodeSoftmax", "LevelSoftmax", "LevelTransition", "NodeSigmoid"):
            continue
        with case(variant, kind):
            first = rule_for(name, variant, kind, taxonomy)
            if len({rule.fits_on for rule in (first, second) if isinstance(rule, Fittable)}) > 1:
                with pytest.raises(InputError, match="fitted on one split"):
                    inference.chain(first, second)
                continue
            both = inference.chain(first, second)
            assert both.handle == f"{first.handle}+{both.rules[1].handle}"  # type: ignore[attr-defined]
            if after == "top-down" and not bool(result_of(name, variant, kind, taxonomy).has_score[1:].all()):
                continue
            if isinstance(both, Fittable):
                both = both.fit(predicted(kind, taxonomy), torch.arange(IMAGES))
            leaves_last = first.handle == LAST.handle or VARIANTS.get(name, [{}])[variant].get("unlisted") == 0
            if leaves_last and after == "subset" and not kind.endswith("Sigmoid"):
                with pytest.raises(InputError, match="an allowed leaf that earlier rules left"):
                    both(predicted(kind, taxonomy))
                continue
            result = both(predicted(kind, taxonomy))
            assert not result.log_prob.isnan().any()
            torch.testing.assert_close(result.log_prob[:, 0], torch.zeros(IMAGES), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", inference.available())
def test_inference_says_what_it_is(name: str) -> None:
    kind = inference.available()[name]
    assert kind.__doc__
    assert "References:" in kind.__doc__ or name == "subset"
    rule = inference.make(name)
    assert rule.handle == name
    for option in catalogue.options_of(kind):
        assert f"{option}:" in kind.__doc__, f"{name} does not explain {option}"
    assert dataclasses.replace(rule) == rule
