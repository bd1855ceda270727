"""Laws that every inference obeys on every kind of prediction; a new one of either enters by existing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from cladewise import Taxonomy, catalogue, inference
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.predictions import Coherence, Fittable, Prediction, level_width, storage, transition_layout
from reference.given_predictions import built_in_kinds

RAGGED = Taxonomy.from_paths(
    [
        ("bird", "warbler", "wood warbler"),
        ("bird", "warbler", "reed warbler"),
        ("bird", "wren"),
        ("moth", "hawk moth"),  # an only child
        ("fern",),
        ("fish", "", "eel"),  # a row that skips a level
        ("", "alga"),  # one that begins below the first
    ]
)
STAR = Taxonomy.from_paths([(name,) for name in "abcde"])
CHAIN = Taxonomy.from_paths([("a", "b", "c", "d")])
LONE = Taxonomy.from_parents([-1], ["thing"])
TREES = {"ragged": RAGGED, "star": STAR, "chain": CHAIN, "lone": LONE}

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "diffusion": [
        {},
        {"steps": 3, "rescale": True},
        {"top": 1, "readout": "level"},
        {"shift": "level-min", "readout": "level"},
    ],
    "differentiable-diffusion": [{"epochs": 2}, {"epochs": 2, "form": "neighbourhood", "radius": 1}],
    "level-top-down": [{"form": "levels"}, {"form": "two-level"}],
    "subset": [{"allowed": (0,)}, {"allowed": "the last leaf"}],
}
"""Options that a rule is tried with; those that are not here, with none."""

CASES = [(name, i) for name in inference.available() for i in range(len(VARIANTS.get(name, [{}])))]
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
UNDEFINED = {("top-down", "LeafSoftmax"), ("top-down", "ProjectedLeafSoftmax")}
"""Rules that need scores at inner nodes, and the heads that have none."""
IMAGES = 6

every_case = pytest.mark.parametrize(("name", "variant"), CASES)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_tree = pytest.mark.parametrize("tree", TREES)


def predicted(kind: str, taxonomy: Taxonomy, scale: float = 2.0) -> Prediction:
    """A prediction of a kind for a few images."""
    generator = torch.Generator().manual_seed(3)
    levels = tuple(range(1, taxonomy.num_levels + 1))
    widths = {
        "LeafSoftmax": taxonomy.num_leaves,
        "ProjectedLeafSoftmax": taxonomy.num_leaves,
        "NodeSoftmax": taxonomy.num_nodes,
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
    return built_in_kinds()[kind.split()[-1]](taxonomy, logits, **SETTINGS.get(kind, {}))


def rule_for(name: str, variant: int, kind: str, taxonomy: Taxonomy) -> Inference:
    """The rule, fitted if it is one that is."""
    options = dict(VARIANTS.get(name, [{}])[variant])
    if options.get("allowed") == "the last leaf":
        options["allowed"] = (int(taxonomy.leaf_nodes[-1]),)
    rule = inference.make(name, **options)
    if isinstance(rule, Fittable):
        return rule.fit(predicted(kind, taxonomy), torch.arange(IMAGES) % taxonomy.num_nodes)
    return rule


def defined(name: str, kind: str, taxonomy: Taxonomy) -> bool:
    """Whether the rule takes such predictions; where it does not, it must say so."""
    if kind.startswith("rootless") and taxonomy.num_nodes == 1:
        return False  # a softmax over no node at all
    if (name, kind) not in UNDEFINED or taxonomy.num_nodes <= taxonomy.num_leaves + 1:
        return True
    with pytest.raises(InputError, match=kind):
        inference.make(name)(predicted(kind, taxonomy))
    return False


@every_case
@every_kind
@every_tree
def test_result_keeps_its_promise(name: str, variant: int, kind: str, tree: str) -> None:
    taxonomy = TREES[tree]
    if not defined(name, kind, taxonomy):
        return
    result = rule_for(name, variant, kind, taxonomy)(predicted(kind, taxonomy))
    assert isinstance(result, Prediction)
    assert result.log_prob.shape == (IMAGES, taxonomy.num_nodes)
    assert not result.log_prob.isnan().any()
    assert (result.log_prob <= 1e-5).all()
    assert result.log_prob.dtype == torch.float32
    p = result.log_prob.exp().double()
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


@every_case
@every_kind
def test_images_are_independent(name: str, variant: int, kind: str) -> None:
    if not defined(name, kind, RAGGED):
        return
    rule, prediction = rule_for(name, variant, kind, RAGGED), predicted(kind, RAGGED)
    result, order = rule(prediction), torch.randperm(IMAGES)
    torch.testing.assert_close(rule(prediction[order]).log_prob, result.log_prob[order])
    torch.testing.assert_close(rule(prediction[2:3]).log_prob, result.log_prob[2:3])
    torch.testing.assert_close(result[2:4].log_prob, result.log_prob[2:4])
    torch.testing.assert_close(rule(prediction[0]).log_prob, result.log_prob[0])
    assert rule(prediction[:0]).log_prob.shape == (0, RAGGED.num_nodes)


@every_case
@every_kind
def test_result_survives_the_disk(name: str, variant: int, kind: str, tmp_path: Path) -> None:
    if not defined(name, kind, RAGGED):
        return
    result = rule_for(name, variant, kind, RAGGED)(predicted(kind, RAGGED))
    path = tmp_path / "scores.safetensors"
    path.write_bytes(storage.to_bytes(result, extra={}, about={}))
    again, _, _ = storage.load_prediction(path, RAGGED)
    assert type(again) is type(result)
    torch.testing.assert_close(again.log_prob, result.log_prob.detach())


@every_case
@every_kind
@every_tree
def test_gradients_are_finite_at_extreme_scores(name: str, variant: int, kind: str, tree: str) -> None:
    taxonomy = TREES[tree]
    if not defined(name, kind, taxonomy):
        return
    rule, prediction = rule_for(name, variant, kind, taxonomy), predicted(kind, taxonomy, 1e4)
    logits = prediction.logits.clone().requires_grad_()
    result = rule(prediction.map(lambda _: logits)).log_prob
    assert not result.isnan().any()
    if result.requires_grad:
        result.masked_fill(result == -torch.inf, 0.0).sum().backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


@every_case
@every_kind
def test_half_precision_is_taken(name: str, variant: int, kind: str) -> None:
    if not defined(name, kind, RAGGED):
        return
    prediction = predicted(kind, RAGGED).to(torch.float16)
    rule = rule_for(name, variant, kind, RAGGED)
    result, single = rule(prediction).log_prob, rule(prediction.to(torch.float32)).log_prob
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, single, atol=1e-4, rtol=1e-4)


@every_case
@pytest.mark.parametrize("kind", ["LeafSoftmax", "NodeSoftmax", "LevelSoftmax", "LevelTransition", "NodeSigmoid"])
@pytest.mark.parametrize("after", inference.available())
def test_rules_compose(name: str, variant: int, kind: str, after: str) -> None:
    if not defined(name, kind, RAGGED):
        return
    first = rule_for(name, variant, kind, RAGGED)
    options = {"subset": {"allowed": ("warbler",)}, "differentiable-diffusion": {"epochs": 1}}.get(after, {})
    both = inference.chain(first, inference.make(after, **options))
    assert both.handle == f"{first.handle}+{both.rules[1].handle}"  # type: ignore[attr-defined]
    if after == "top-down" and not bool(first(predicted(kind, RAGGED)).has_score[1:].all()):
        return
    if isinstance(both, Fittable):
        both = both.fit(predicted(kind, RAGGED), torch.arange(IMAGES))
    if (first.handle, after) == (LAST.handle, "subset") and not kind.endswith("Sigmoid"):
        with pytest.raises(InputError, match="an allowed leaf that earlier rules left"):
            both(predicted(kind, RAGGED))
        return
    result = both(predicted(kind, RAGGED))
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
