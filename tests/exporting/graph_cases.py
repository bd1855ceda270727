"""Graphs of untrained heads, and the rules that they are compared under."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from cladewise import Taxonomy, decisions, inference, methods
from cladewise.catalogue import from_spec
from cladewise.decisions import Answer, Decision, LabelSets
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.exporting.graph import Rules, RunGraph
from cladewise.inference import Inference
from cladewise.predictions import Fittable, Prediction
from cladewise.taxonomy.alteration import Alteration

FEATURES = 12
RAGGED = Taxonomy.from_paths(
    [("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h"), ("f", "i", "j"), ("f", "i", "k"), ("l",)],
    level_names=["order", "family", "species"],
)
SKIPPING = Taxonomy.from_paths(
    [("a", "", "c"), ("a", "b", "d"), ("e", "g", "h"), ("e", "g", "i"), ("m", "n", "o")],
    level_names=["order", "family", "species"],
)
TREES = {"ragged": RAGGED, "skipping": SKIPPING}


def graph_of(
    method: str,
    tree: Taxonomy,
    decision: Decision,
    infer: Inference | None = None,
    *,
    log_probs: bool = True,
    allowed: bool = True,
) -> RunGraph:
    """The graph of an untrained head, from features on."""
    torch.manual_seed(0)
    head = from_spec(methods.available(), "method", method).head(tree, FEATURES).eval()
    classifier = Classifier(head, scaling=FeatureScaling("none", FEATURES))
    rules = Rules(infer, decision, AnswerTree(Alteration.none(tree)))
    graph = RunGraph(classifier, rules, start="features", log_probs=log_probs, allowed=allowed)
    graph.input_shape = (FEATURES,)
    return graph


def features(count: int, scale: float, seed: int = 1) -> Tensor:
    """Features of some images; with larger ones probabilities are nearer to 0 and 1."""
    return scale * torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(seed))


def rules() -> dict[str, Decision]:
    """Every decision that can be in a graph, with the options that have a form of their own."""
    d = decisions
    made: list[Decision] = [
        d.Leaf(),
        d.NodeArgmax(),
        d.ExclusiveMass(),
        d.Levels(),
        d.Backtrack(),
        d.Consistent(),
        d.CRM(),
        d.CRM("nodes", "path-length"),
        d.Optimal(),
        d.Optimal("zhao"),
        d.Optimal("hf", "leaf"),
        d.Optimal("hamming", "set"),
        d.Majority(),
        d.Threshold(0.4),
        d.Threshold(0.9, by_name={"order": 0.3}),
        d.Plurality(),
        d.ExpectedInformation(),
        d.Greedy(),
        d.Greedy(0.3),
        d.Greedy(0.6, "step"),
        d.OperatingPoint(0.3),
        d.Hedging(0.5),
        d.Hedging(caution=2.0),
        d.Hedging(0.3, per="order"),
        d.HedgedMajority(caution=0.3),
        d.HedgedExpectation(caution=0.2),
        d.LeafOrRoot(caution=0.3),
        d.Climbing(0.5),
        d.Boundary(),
        d.NewClass(0.3),
        d.NewClass(0.3, "max-logit", over="children", known="majority"),
        d.Conformal(0.7),
        d.Conformal(0.7, "set"),
        d.Conformal(0.7, per="order"),
    ]
    return {rule.handle: rule for rule in made}


def inferences() -> dict[str, Inference]:
    """Every inference that can be in a graph."""
    i = inference
    made: list[Inference] = [
        i.BottomUp(),
        i.TopDown(),
        i.LevelTopDown(),
        i.LevelTopDown("two-level"),
        i.Diffusion(),
        i.Diffusion(readout="level", steps=3, shift="level-min"),
        i.ProHOC(root=0.5),
        i.ProHOC("complement"),
        i.Subset([1]),
        i.LogitAdjustment(),
        i.chain(i.Subset([1]), i.Diffusion()),
        *(i.Calibrate(kind, by) for kind in ("temperature", "isotonic", "beta") for by in ("all", "level")),
        i.DifferentiableDiffusion(epochs=1),
        i.DifferentiableDiffusion(form="neighbourhood", epochs=1),
    ]
    return {rule.handle: rule for rule in made}


def fitted(rule: Decision | Inference, prediction: Prediction) -> Decision | Inference:
    """The rule, fitted on a prediction whose labels are mostly its best leaves."""
    if not isinstance(rule, Fittable) or rule.is_fitted:
        return rule
    generator = torch.Generator().manual_seed(2)
    count = len(prediction.logits)
    other = torch.randint(1, prediction.taxonomy.num_nodes, (count,), generator=generator)
    right = torch.rand(count, generator=generator) < 0.8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rule.fit(prediction, torch.where(right, prediction.best_leaf().node, other))  # type: ignore[return-value]


def choices(answer: Answer) -> Iterator[Tensor]:
    """The outputs of two answers that have to be exactly equal."""
    yield answer.chosen if isinstance(answer, LabelSets) else answer.node
    if (new := getattr(answer, "new", None)) is not None:
        yield new
