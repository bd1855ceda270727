"""Explanations of a trained model: where it looks, level by level, and where images lie in its feature space."""

from cladewise.explanations.cam import grad_cam
from cladewise.explanations.descent import Descent, descents
from cladewise.explanations.explaining import explain
from cladewise.explanations.feature_map import FeatureMap, last_feature_map
from cladewise.explanations.finding_look_alikes import LookAlike, look_alikes
from cladewise.explanations.level_scores import LevelScores
from cladewise.explanations.manifold_plates import Manifolds, manifolds
from cladewise.explanations.overlap import Overlap, neighbour_purity, overlap_by_level
from cladewise.explanations.overlaying import overlay
from cladewise.explanations.pairs import Pairs, extreme_pairs
from cladewise.explanations.plane import in_the_plane
from cladewise.explanations.side_by_side import ManifoldGrid, manifold_grid
from cladewise.explanations.space_plate import space

__all__ = [
    "Descent",
    "FeatureMap",
    "LevelScores",
    "LookAlike",
    "ManifoldGrid",
    "Manifolds",
    "Overlap",
    "Pairs",
    "descents",
    "explain",
    "extreme_pairs",
    "grad_cam",
    "in_the_plane",
    "last_feature_map",
    "look_alikes",
    "manifold_grid",
    "manifolds",
    "neighbour_purity",
    "overlap_by_level",
    "overlay",
    "space",
]
