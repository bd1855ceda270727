"""Predictions: log-probabilities over the nodes of a taxonomy.

Heads return predictions; inference, decisions and metrics take them.

Names say how logits become probabilities: what is normalised together (``Leaf``, ``Node``, ``Sibling``, ``Level``,
``PathSum``, ``Conditional``), then by which function (``Softmax``, ``Sigmoid``; ``Energies`` and ``Transition`` have
their own). None ends in ``Loss``: a loss class does, and ``loss.prediction(logits)`` gives the prediction that fits its
logits.

A distribution adds a kind by subclassing :class:`Prediction`; the entry-point group ``cladewise.predictions`` lets
stored scores of that kind be read before its module is imported.
"""

from cladewise.predictions.carried import CarriedPrediction
from cladewise.predictions.conditional import (
    CappedSigmoid,
    ConditionalSigmoid,
    NodeSigmoid,
    PathSumSigmoid,
    PathSumSoftmax,
    SiblingSoftmax,
)
from cladewise.predictions.embedded_levels import EmbeddedLevelSoftmax
from cladewise.predictions.energies import LevelEnergies
from cladewise.predictions.experts import with_experts
from cladewise.predictions.fittable import Fittable
from cladewise.predictions.leaf_weights import LeafWeights
from cladewise.predictions.level_softmax import LevelSoftmax, level_layout, level_width
from cladewise.predictions.listed import ListedNodes
from cladewise.predictions.pooling import pooled
from cladewise.predictions.pools import POOLS, Pool, Pooling
from cladewise.predictions.prediction import (
    BestLeaf,
    Coherence,
    HasTransitions,
    LevelLogProb,
    Prediction,
    SiblingScores,
    best_nodes,
)
from cladewise.predictions.projected_leaves import ProjectedLeafSoftmax
from cladewise.predictions.softmax import LeafSoftmax, NodeSoftmax
from cladewise.predictions.subspaces import SubspaceNorms
from cladewise.predictions.transitions import LevelTransition, TransitionLayout, transition_layout

__all__ = [
    "POOLS",
    "BestLeaf",
    "CappedSigmoid",
    "CarriedPrediction",
    "Coherence",
    "ConditionalSigmoid",
    "EmbeddedLevelSoftmax",
    "Fittable",
    "HasTransitions",
    "LeafSoftmax",
    "LeafWeights",
    "LevelEnergies",
    "LevelLogProb",
    "LevelSoftmax",
    "LevelTransition",
    "ListedNodes",
    "NodeSigmoid",
    "NodeSoftmax",
    "PathSumSigmoid",
    "PathSumSoftmax",
    "Pool",
    "Pooling",
    "Prediction",
    "ProjectedLeafSoftmax",
    "SiblingScores",
    "SiblingSoftmax",
    "SubspaceNorms",
    "TransitionLayout",
    "best_nodes",
    "level_layout",
    "level_width",
    "pooled",
    "transition_layout",
    "with_experts",
]
