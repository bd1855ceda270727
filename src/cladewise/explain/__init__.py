"""What a trained model looks at, level by level."""

from cladewise.explain.cam import grad_cam
from cladewise.explain.explaining import explain
from cladewise.explain.feature_map import FeatureMap, last_feature_map
from cladewise.explain.level_scores import LevelScores
from cladewise.explain.overlay import overlay

__all__ = ["FeatureMap", "LevelScores", "explain", "grad_cam", "last_feature_map", "overlay"]
