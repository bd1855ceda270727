"""Methods are found by name and made of what their papers say; wrong names and options are answered with right ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from cladewise import InputError, Taxonomy, methods

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])

PARTS: dict[str, tuple[str, str, str]] = {
    "ancor": ("ProjectedLeafSoftmax", "FlatSoftmaxLoss", "leaf"),
    "coarse-cross-entropy": ("LeafSoftmax", "FlatSoftmaxLoss", "leaf"),
    "coarse-moco": ("ProjectedLeafSoftmax", "FlatSoftmaxLoss", "leaf"),
    "conditional-sigmoid": ("ConditionalSigmoid", "ConditionalSigmoidLoss", "leaf"),
    "conditional-softmax": ("SiblingSoftmax", "ConditionalSoftmaxLoss", "leaf"),
    "deep-rtc": ("PathSumSigmoid", "DeepRTCLoss", "leaf"),
    "deep-rtc:form=original": ("PathSumSigmoid", "DeepRTCLoss", "greedy"),
    "descendant-softmax": ("NodeSoftmax", "DescendantSoftmaxLoss", "leaf"),
    "fgon": ("LevelSoftmax", "LevelSoftmaxLoss", "levels"),
    "flat-softmax": ("LeafSoftmax", "FlatSoftmaxLoss", "leaf"),
    "hab": ("NodeSigmoid", "MultilabelSoftMarginLoss", "boundary"),
    "hace": ("NodeSoftmax", "HACELoss", "node-argmax"),
    "hace:domain=leaves": ("LeafSoftmax", "HACELoss", "leaf"),
    "hcm": ("ProjectedLeafSoftmax", "FlatSoftmaxLoss", "leaf"),
    "hier-cos": ("SubspaceNorms", "HierCOSLoss", "leaf"),
    "hs": ("SiblingSoftmax", "ConditionalSoftmaxLoss", "levels"),
    "hxe": ("LeafSoftmax", "HXELoss", "leaf"),
    "hxe:logits=conditional": ("SiblingSoftmax", "HXELoss", "leaf"),
    "level-softmax": ("LevelSoftmax", "LevelSoftmaxLoss", "levels"),
    "lht": ("LevelTransition", "LHTLoss", "levels"),
    "m-plc": ("SiblingSoftmax", "ConditionalSoftmaxLoss", "greedy"),
    "mc": ("LeafSoftmax", "MarginalSoftmaxLoss", "levels"),
    "moco": ("ProjectedLeafSoftmax", "FlatSoftmaxLoss", "leaf"),
    "multilabel-focal": ("NodeSigmoid", "MultilabelFocalLoss", "leaf"),
    "plc": ("LevelSoftmax", "LevelSoftmaxLoss", "levels"),
    "ps-softmax": ("PathSumSoftmax", "PSSoftmaxLoss", "leaf"),
    "soft-labels": ("LeafSoftmax", "SoftLabelLoss", "leaf"),
    "soft-max-margin": ("NodeSoftmax", "SoftMaxMarginLoss", "leaf"),
    "vanilla": ("LeafSoftmax", "FlatSoftmaxLoss", "backtrack"),
    "vanilla-multi": ("LevelSoftmax", "LevelSoftmaxLoss", "levels"),
    "vanilla-single": ("LevelSoftmax", "LevelSoftmaxLoss", "levels"),
}


def made(text: str) -> methods.Method:
    name, _, options = text.partition(":")
    return methods.make(name, **dict(option.split("=") for option in options.split(",") if option))


@pytest.mark.parametrize("text", PARTS)
def test_a_method_is_made_of_what_its_paper_says(text: str) -> None:
    method = made(text)
    prediction = method.head(TREE, 4)(torch.zeros(1, 4))
    loss = method.loss(TREE)
    assert (type(prediction).__name__, type(loss).__name__, method.decision().name) == PARTS[text]
    assert prediction.logits.shape[-1] == loss.num_outputs
    named = loss.prediction(prediction.logits).settled()
    assert type(named) is type(prediction.settled())
    torch.testing.assert_close(named.log_prob, prediction.log_prob)


@pytest.mark.parametrize("name", methods.available())
def test_every_value_that_a_paper_searches_is_taken(name: str) -> None:
    kind = methods.available()[name]
    for field in dataclasses.fields(kind):
        for value in field.metadata["grid"]:
            chosen: dict[str, Any] = {field.name: value}
            assert methods.make(name, **chosen).loss(TREE).num_outputs > 0


def test_options_reach_the_parts() -> None:
    assert made("hxe:weighting=normalised").loss(TREE).weighting == "normalised"
    assert made("conditional-softmax:node_weights=parent").loss(TREE).node_weights == "parent"
    loss = methods.make("deep-rtc", form="original", rho=0.2, sampling_weight=0.5).loss(TREE)
    assert (loss.form, loss.rho, loss.sampling_weight) == ("original", 0.2, 0.5)
    assert methods.make("deep-rtc", form="original", gate=0.4).decision().threshold == 0.4
    loss = methods.make("multilabel-focal", alpha=0.25, gamma=2.0, below="ignored").loss(TREE)
    assert (loss.alpha, loss.gamma, loss.below) == (0.25, 2.0, "ignored")
    assert methods.make("ps-softmax", label_smoothing=0.1).loss(TREE).label_smoothing == 0.1
    assert methods.make("hab", boundary="per-class").decision().kind == "per-class"
    assert methods.make("hab", class_weights=True).loss(TREE).class_weights


def test_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(InputError, match=r"Expected a method: .*hace.*but got 'hacee'\. Did you mean hace"):
        methods.make("hacee")


def test_wrong_option_lists_the_right_ones() -> None:
    with pytest.raises(
        InputError, match=r"an option of the method hace: dilution, .*but got 'dilutoin'\. Did you mean dilution"
    ):
        methods.make("hace", dilutoin=0.5)


def test_a_wrong_choice_lists_the_right_ones() -> None:
    with pytest.raises(InputError, match="one of random-cut, original, but got 'published'"):
        methods.make("deep-rtc", form="published")
