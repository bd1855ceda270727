"""Answers as JSON: one dictionary per image."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property, singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cladewise.decisions import Answer, Hedging, LabelSets, LevelNodes, Nodes
from cladewise.engine.answering.prediction_table import NO_PROBABILITY, node_name, node_path
from cladewise.metrics import set_tips
from cladewise.predictions import Prediction
from cladewise.serving.refusals import to_json
from cladewise.taxonomy import Taxonomy

Result = dict[str, Any]

_EVERY_CAUTION = Hedging(caution=0.0)


class Namer:
    """Names, paths and levels of a tree's nodes, as JSON.

    Args:
        taxonomy: The tree.
        language: Language of the names; blank for the nodes' own.
    """

    def __init__(self, taxonomy: Taxonomy, language: str = "") -> None:
        self.taxonomy = taxonomy
        self._names = taxonomy.names_in(language) if language else taxonomy.names
        self._levels = [None, *(name or None for name in taxonomy.level_names)]

    def name(self, node: int) -> str:
        """Name of a node."""
        return node_name(self._names, node)

    def path(self, node: int) -> str:
        """Path of a node, of the nodes' own names."""
        return node_path(self.taxonomy, node)

    def level(self, node: int) -> str | None:
        """Name of the level of a node; ``None`` for the root and for levels without a name."""
        return self._levels[int(self.taxonomy.level[node])]

    @cached_property
    def tree(self) -> tuple[bytes, str]:
        """The whole tree as JSON, and its tag."""
        taxonomy = self.taxonomy
        nodes = {
            "name": [self.name(node) for node in range(taxonomy.num_nodes)],
            "parent": taxonomy.parents.tolist(),
            "level": [self._levels[level] for level in taxonomy.level.tolist()],
        }
        body = to_json({"nodes": nodes})
        return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def results(
    answer: Answer, seen: Prediction, inferred: Prediction, namer: Namer, *, top: int, ladder: bool
) -> list[Result]:
    """The results of some images.

    Args:
        answer: The answer of the decision.
        seen: The prediction that it was taken from.
        inferred: The prediction after the inference, from which the ladder is made.
        namer: Names of the nodes.
        top: Number of most probable leaves to list.
        ladder: Whether to list the answers by caution.

    Returns:
        One dictionary per image. An image whose probabilities are not numbers has only an ``error``.
    """
    found = _results(answer, seen, namer)
    if top:
        leaves = seen.leaf_ranking(top)
        probabilities = _probabilities(seen, leaves)
        for row, nodes, values in zip(found, leaves.tolist(), probabilities, strict=True):
            row["leaves"] = [
                {"node": node, "name": namer.name(node), "label_path": namer.path(node), "probability": value}
                for node, value in zip(nodes, values, strict=True)
            ]
    if ladder:
        for row, rungs in zip(found, _ladders(inferred), strict=True):
            row["ladder"] = rungs
    return [row if _is_finite(row) else {"error": NO_PROBABILITY} for row in found]


@singledispatch
def _results(answer: Any, seen: Prediction, namer: Namer) -> list[Result]:
    raise TypeError(f"cannot send a {type(answer).__name__}")


@_results.register
def _(answer: Nodes, seen: Prediction, namer: Namer) -> list[Result]:
    taxonomy = namer.taxonomy
    nodes: list[int] = answer.node.tolist()
    paths = [taxonomy.path(node)[1:] for node in nodes]  # without the root
    values = _along(paths, nodes, seen)
    found: list[Result] = []
    for place, (node, path) in enumerate(zip(nodes, paths, strict=True)):
        row: Result = {
            "error": None,
            "node": node,
            "label": namer.name(node),
            "label_path": namer.path(node),
            "probability": values[place][-1],
        }
        if answer.new is not None:
            row["new"] = bool(answer.new[place])
        steps = zip(path, values[place], strict=False)
        row["path"] = [
            {"node": at, "name": namer.name(at), "level": namer.level(at), "probability": value} for at, value in steps
        ]
        found.append(row)
    return found


@_results.register
def _(answer: LevelNodes, seen: Prediction, namer: Namer) -> list[Result]:
    probabilities = answer.log_prob.exp().double().tolist()
    names = [name or None for name in namer.taxonomy.level_names]
    return [
        {
            "error": None,
            "levels": [
                {
                    "level": names[level],
                    "node": node,
                    "label": namer.name(node),
                    "label_path": namer.path(node),
                    "probability": values[level],
                }
                for level, node in enumerate(nodes)
                if node not in nodes[:level]  # a coarser level has this node already
            ],
        }
        for nodes, values in zip(answer.node.tolist(), probabilities, strict=True)
    ]


@_results.register
def _(answer: LabelSets, seen: Prediction, namer: Namer) -> list[Result]:
    tips = set_tips(answer.chosen, namer.taxonomy)
    found: list[Result] = []
    for place, chosen in enumerate(answer.chosen):
        nodes = chosen.nonzero().squeeze(1)
        values = answer.log_prob[place, nodes].exp().double().tolist()
        finest = tips[place, nodes].tolist()
        labels = [
            {
                "node": node,
                "label": namer.name(node),
                "label_path": namer.path(node),
                "probability": value,
                "finest": is_finest,
            }
            for node, value, is_finest in zip(nodes.tolist(), values, finest, strict=True)
        ]
        found.append({"error": None, "labels": labels})
    return found


def _along(paths: Sequence[tuple[int, ...]], nodes: Sequence[int], seen: Prediction) -> list[list[float]]:
    """Probability of each node of a path; of the root where that is the answer."""
    width = max(map(len, paths), default=0) + 1
    table: NDArray[np.int64] = np.zeros((len(paths), width), dtype=np.int64)
    for row, (path, node) in enumerate(zip(paths, nodes, strict=True)):
        table[row, : len(path)] = path
        table[row, len(path) :] = node
    values = _probabilities(seen, torch.from_numpy(table).to(seen.device))
    return [row[: max(len(path), 1)] for row, path in zip(values, paths, strict=True)]


def _probabilities(seen: Prediction, nodes: torch.Tensor) -> list[list[float]]:
    return seen.log_prob_of(nodes).exp().double().tolist()


def _ladders(inferred: Prediction) -> list[list[Result]]:
    """The answers of hedging per image, from the boldest to the root, each with the caution from which it applies."""
    steps = _EVERY_CAUTION.steps_of(inferred)
    images, nodes, cautions = steps.image.tolist(), steps.node.tolist(), steps.caution.tolist()
    rungs: list[list[tuple[int, float]]] = [[(0, 0.0)] for _ in range(steps.num_images)]
    for image, node, caution in zip(images, nodes, cautions, strict=True):
        below = rungs[image][-1]
        rungs[image][-1] = (below[0], caution)  # the coarser answer begins where this one ends
        rungs[image].append((node, 0.0))
    width = max(map(len, rungs), default=1)
    table: NDArray[np.int64] = np.zeros((len(rungs), width), dtype=np.int64)
    for row, climbed in enumerate(rungs):
        table[row, : len(climbed)] = [node for node, _ in climbed]
    values = _probabilities(inferred, torch.from_numpy(table).to(inferred.device))
    return [
        [
            {"node": node, "probability": value, "caution": caution}
            for (node, caution), value in reversed(list(zip(climbed, row, strict=False)))
        ]
        for climbed, row in zip(rungs, values, strict=True)
    ]


def _is_finite(row: Result) -> bool:
    """Whether all probabilities of a result are numbers."""
    lists = [row.get(name, ()) for name in ("path", "leaves", "levels", "labels", "ladder")]
    values = [entry["probability"] for entries in lists for entry in entries]
    return all(map(math.isfinite, (*values, row.get("probability", 0.0))))
