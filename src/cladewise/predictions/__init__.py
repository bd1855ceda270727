"""Predictions over nodes: what heads return and inference, decisions and metrics take."""

from cladewise.predictions.prediction import Coherence, LevelLogProb, Prediction
from cladewise.predictions.softmax import LeafSoftmax, NodeSoftmax

__all__ = ["Coherence", "LeafSoftmax", "LevelLogProb", "NodeSoftmax", "Prediction"]
