"""A run as one module: from images and the numbers of its rule to answers, in a form that exporters can trace."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cladewise import decisions
from cladewise.decisions import Answer, Decision, LabelSets, Nodes
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.classifier import Classifier
from cladewise.engine.rules import decision_of, inference_of, spec_of
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.exporting.preprocessing import Preprocessing
from cladewise.inference import Inference, Subset
from cladewise.inference.columns import needs_columns
from cladewise.inference.weighing import weighed
from cladewise.ops import path_table, tree_index
from cladewise.predictions import Coherence, LeafWeights, Prediction
from cladewise.taxonomy import Taxonomy
from cladewise.tracing import traced

Start = Literal["images", "pixels", "features"]
"""First input of a graph: decoded images, the pixels that the encoder takes, or the encoder's features."""
ALLOWED = "allowed"
"""Name of the input that says which leaves are possible."""
NONE = -1
"""Node where there is none."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rules:
    """The rules of a graph, ready to be applied.

    Args:
        inference: The inference, fitted if it has to be; ``None`` for none.
        decision: The decision, fitted if it has to be.
        tree: The trees of the network and of the answers.
        split: Split that the decision was fitted on; empty if it was not fitted.
        warnings: Warnings about fitting.
    """

    inference: Inference | None
    decision: Decision
    tree: AnswerTree
    split: str = ""
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        run: Run,
        *,
        inference: str | Inference | None = None,
        decision: str | Decision | None = None,
        fit_split: str | None = None,
        progress: bool = False,
    ) -> Rules:
        """The rules of a run, fitted on its scores and kept in its folder as for a prediction.

        Raises:
            InputError: There is no such rule, or it cannot be part of a graph.
        """
        infer = inference_of(inference, run.inference)
        decide = decision_of(decision, run.decision)
        check_rules(infer, decide)
        before = ready(run, infer, split=fit_split, progress=progress)
        after = ready(run, decide, before=before.rule, split=fit_split, progress=progress)
        said = tuple(dict.fromkeys((*before.warnings, *after.warnings)))
        return cls(before.rule, after.rule, run.answer_tree(), after.split or before.split, said)

    @property
    def spec(self) -> str:
        """Both rules as a spec."""
        return f"{spec_of(self.inference)} | {spec_of(self.decision)}"


def check_rules(inference: Inference | None, decision: Decision) -> None:
    """Check that rules can be part of a graph, as far as their kinds tell.

    Raises:
        InputError: They cannot; the message lists those that can.
    """
    for rule in (inference, decision):
        if rule is not None and needs_columns(rule):
            advice = "Leave it out, or fix the possible labels: subset, or the graph's input `allowed`."
            raise InputError("rules of images alone for a graph", f"{rule.name}, which needs columns", advice=advice)
    if not decision.is_traceable:
        able = [name for name, kind in decisions.available().items() if kind.traced is not Decision.traced]
        raise InputError(f"a decision that can be part of a graph: {', '.join(able)}", repr(decision.name))


class RunGraph(nn.Module):
    r"""A run as one module, from decoded images to answers.

    Preprocessing, encoder, head, inference, calibration and decision are in the module. Its inputs are the images, the
    :attr:`~cladewise.decisions.Decision.adjustable` numbers of the decision and which leaves are possible; all but the
    images are optional and default to the run's own. Its outputs are named by :attr:`output_names`:

    ================================  =================================================================================
    output                            content
    ================================  =================================================================================
    ``node``                          int64 ``[batch]``: the answer; for answers per level the finest level's
    ``log_prob``                      float32 ``[batch]``: log-probability at or under it, in nats
    ``path``                          int64 ``[batch, depth]``: the nodes from below the root to the answer, then -1
    ``level_node``                    int64 ``[batch, level]``: the node of each level on the path; -1 where it skips
                                      the level or does not reach it. For answers per level the answer of each level
    ``level_log_prob``                float32 ``[batch, level]``: log-probability at or under those; -inf for -1
    ``leaf``, ``leaf_log_prob``       the most probable leaf, whatever the decision
    ``new``                           bool ``[batch]``, of ``new-class`` only: whether the class is new under the node
    ``chosen``                        bool ``[batch, node]``, of rules that answer with sets, in place of ``node``,
                                      ``log_prob``, ``path`` and the levels
    ``log_probs``                     float32 ``[batch, node]``, on request: log-probability of every node
    ================================  =================================================================================

    An image for which the network's scores are not finite numbers, or for which no possible leaf is left, has -1 for
    every node and -inf for every log-probability: a graph cannot raise an error.

    Args:
        classifier: The network.
        backbone: Its encoder if it was frozen; ``None`` if the classifier begins with it, or for ``start="features"``.
        preprocessing: The module from decoded images to pixels, for ``start="images"``.
        rules: The rules.
        start: What the first input is.
        log_probs: Whether the log-probabilities of all nodes are an output.
        allowed: Whether an input says which leaves are possible. A run that answers in another tree than its network's
            has none.
        possible: Leaves that are possible unless the input says otherwise; all by default.

    Raises:
        InputError: A rule cannot be part of a graph.
    """

    def __init__(
        self,
        classifier: Classifier,
        rules: Rules,
        *,
        backbone: nn.Module | None = None,
        preprocessing: nn.Module | None = None,
        start: Start = "images",
        log_probs: bool = False,
        allowed: bool = True,
        possible: Bool[Tensor, " leaf"] | None = None,
    ) -> None:
        super().__init__()
        check_rules(rules.inference, rules.decision)
        self.start, self.rules, self.with_log_probs = start, rules, log_probs
        self.taxonomy: Taxonomy = rules.tree.taxonomy
        self.own_taxonomy: Taxonomy = rules.tree.change.own
        self.preprocessing = preprocessing
        parts = [backbone] if backbone is not None else []
        if start != "features" or not classifier.end_to_end:
            parts.append(classifier.encoder)
        self.encoder = nn.Sequential(*(_for_graphs(part) for part in parts))
        self.head = classifier.head.eval()
        self.defaults: dict[str, Tensor] = {name: value.cpu() for name, value in rules.decision.adjustable.items()}
        self.can_allow = allowed and rules.tree.change.is_none and rules.tree.carried is None
        if self.can_allow:
            leaves = torch.ones(self.taxonomy.num_leaves, dtype=torch.bool)
            self.defaults[ALLOWED] = leaves if possible is None else possible.cpu()
        elif possible is not None:
            raise InputError("a run that answers in the tree of its network, to name allowed labels", "another")
        paths = path_table(self.taxonomy)[:, 1:]
        paths = paths if paths.shape[1] else np.full((self.taxonomy.num_nodes, 1), NONE)
        self.paths: Tensor
        self.levels: Tensor
        self.register_buffer("paths", torch.from_numpy(paths.copy()), persistent=False)
        self.register_buffer("levels", torch.from_numpy(levels_on_path(self.taxonomy)), persistent=False)
        self._names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        run: Run | str | PathLike[str],
        *,
        inference: str | Inference | None = None,
        decision: str | Decision | None = None,
        allowed: Sequence[str] | str | Path | None = None,
        fit_split: str | None = None,
        start: Start = "images",
        log_probs: bool = False,
        progress: bool = False,
    ) -> RunGraph:
        """The module of a run.

        Args:
            run: A trained run, or its folder.
            inference: A rule or its spec; the method's own by default, ``"none"`` for none.
            decision: A rule or its spec; the method's own by default. A rule that learns from scores is fitted first.
            allowed: Labels that are possible unless the input ``allowed`` says otherwise; all by default.
            fit_split: Split to fit rules on; their own by default.
            start: What the first input is: ``"images"``, uint8 ``[batch, height, width, 3]``; ``"pixels"``, what the
                encoder takes; or ``"features"``, the encoder's output.
            log_probs: Whether the log-probabilities of all nodes are an output.
            progress: Show progress bars where rules are fitted.

        Raises:
            InputError: The run has no network, or a rule cannot be part of a graph.
        """
        run = Run.open(run)
        run.check_network()
        if start not in get_args(Start):
            raise InputError(f"a start among {', '.join(get_args(Start))}", repr(start))
        rules = Rules.of(run, inference=inference, decision=decision, fit_split=fit_split, progress=progress)
        classifier, possible = run.classifier, None
        if allowed is not None:
            can_be = Subset(allowed).can_be(run.own_taxonomy)
            possible = can_be[torch.as_tensor(run.own_taxonomy.leaf_nodes.copy())]
        frozen = start != "features" and not classifier.end_to_end
        graph = cls(
            classifier,
            rules,
            backbone=run.backbone if frozen else None,
            preprocessing=Preprocessing(run.backbone.transform()) if start == "images" else None,
            start=start,
            log_probs=log_probs,
            possible=possible,
        )
        width, towers = run.backbone.num_features, run.method.towers(run.own_taxonomy)
        several = towers > 1 and classifier.end_to_end
        sides = (3, run.backbone.image_size, run.backbone.image_size)
        graph.input_shape = sides if start == "pixels" else (towers, width) if several else (width,)
        return graph

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, the images first."""
        return (self.start, *self.defaults)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, in order; known once the module was called."""
        return self._names

    def forward(self, images: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(self.defaults, inputs or self.defaults.values(), strict=True))
        found = self.named(images, given)
        self._names = tuple(found)
        return tuple(found.values())

    def named(self, images: Tensor, inputs: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """The outputs by name.

        Args:
            images: The first input.
            inputs: Values of the other inputs; those that are missing have their defaults.
        """
        given = self.defaults | dict(inputs or {})
        prediction = self.prediction(images)
        usable = has_scores(prediction.logits)
        if ALLOWED not in given:
            return self._outputs(prediction, given, usable)
        weights = LeafWeights(self.taxonomy, torch.where(given[ALLOWED], 0.0, -torch.inf), only_cuts=True)
        cut = weighed(prediction, weights)
        outputs = self._outputs(cut, given, usable & has_scores(cut.logits))
        if prediction.coherence is Coherence.EXACT or prediction.settled().weighted(weights) is not None:
            return outputs
        # leaving nothing out would still change the kind, so the answer of the kind itself is given for that
        whole, uncut = given[ALLOWED].all(), self._outputs(prediction, given, usable)
        return {name: torch.where(whole, uncut[name], value) for name, value in outputs.items()}

    def prediction(self, images: Tensor) -> Prediction:
        """The prediction that is decided on, in the tree of the answers, before the input ``allowed``."""
        pixels = self.preprocessing(images) if self.preprocessing is not None else images
        own = self.head(self.encoder(pixels)).settled()
        inferred = own if self.rules.inference is None else self.rules.inference(own)
        return self.rules.tree.prediction(inferred)

    def example(self, batch: int = 2, *, height: int = 37, width: int = 53) -> Tensor:
        """A first input of the right shape, of any content."""
        generator = torch.Generator().manual_seed(0)
        if self.start == "images":
            return torch.randint(0, 256, (batch, height, width, 3), generator=generator, dtype=torch.uint8)
        return torch.randn(batch, *self.input_shape, generator=generator)

    input_shape: tuple[int, ...] = ()
    """Shape of one image's pixels or features, where the input is not decoded images."""

    def _outputs(self, prediction: Prediction, given: Mapping[str, Tensor], usable: Tensor) -> dict[str, Tensor]:
        answer = self.rules.decision.traced(prediction, given)
        found = self.of_answer(answer, prediction)
        best = prediction.best_leaf()
        found |= {"leaf": best.node, "leaf_log_prob": best.log_prob}
        if self.with_log_probs:
            found["log_probs"] = prediction.log_prob
        return {name: _unless(usable, value) for name, value in found.items()}

    def of_answer(self, answer: Answer, prediction: Prediction) -> dict[str, Tensor]:
        """The outputs that follow from an answer alone."""
        if isinstance(answer, LabelSets):
            return {"chosen": answer.chosen}
        if isinstance(answer, Nodes):
            node, log_prob = answer.node, answer.log_prob
            levels = self.levels[node]
            below = prediction.log_prob_of(levels.clamp_min(0))
            of_levels = torch.where(levels < 0, -torch.inf, below)
        else:
            levels, of_levels = answer.node, answer.log_prob
            node, log_prob = levels[:, -1], of_levels[:, -1]
        found = {"node": node, "log_prob": log_prob.float(), "path": self.paths[node]}
        found |= {"level_node": levels, "level_log_prob": of_levels.float()}
        if isinstance(answer, Nodes) and answer.new is not None:
            found["new"] = answer.new
        return found


def has_scores(logits: Float[Tensor, "image out"]) -> Bool[Tensor, " image"]:
    """Whether each image has usable scores: no NaN, no infinity but -inf, and not -inf alone."""
    if logits.shape[-1] == 0:
        return torch.ones(logits.shape[:1], dtype=torch.bool, device=logits.device)
    peak = logits.amax(-1)
    return (peak > -torch.inf) & (peak < torch.inf) & ~logits.isnan().any(-1)


def levels_on_path(taxonomy: Taxonomy) -> Int[np.ndarray, "node level"]:
    """The node of each level on the path to every node, coarse to fine; -1 where the path has none.

    Example:
        >>> levels_on_path(Taxonomy.from_paths([("a", "", "b"), ("c",)])).tolist()
        [[-1, -1, -1], [1, -1, -1], [1, -1, 2], [3, -1, -1]]
    """
    paths, table = path_table(taxonomy), np.full((taxonomy.num_nodes, taxonomy.num_levels), NONE, dtype=np.int64)
    for depth in range(1, paths.shape[1]):
        nodes = np.flatnonzero(paths[:, depth] >= 0)
        above = paths[nodes, depth]
        table[nodes, taxonomy.level[above] - 1] = above
    return table


def warmed(graph: RunGraph, *inputs: Tensor) -> RunGraph:
    """The module after a call, which fills caches with tensors before an exporter would fill them with stand-ins."""
    with traced(), torch.no_grad():
        tree_index(graph.taxonomy, "cpu")
        graph(*(inputs or (graph.example(),)))
    return graph


def _for_graphs(module: nn.Module) -> nn.Module:
    module = copy.deepcopy(module).to("cpu", torch.float32).eval().requires_grad_(False)
    return module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _unless(usable: Bool[Tensor, " image"], value: Tensor) -> Tensor:
    """The value where images are usable; otherwise no node, a probability of 0, or false."""
    kept = usable.view(-1, *[1] * (value.ndim - 1))
    if value.dtype == torch.bool:
        return value & kept
    return torch.where(kept, value, -torch.inf if value.is_floating_point() else NONE)
