"""What a trained model looks at, level by level, and where images lie in its space."""

from cladewise.explain.cam import grad_cam
from cladewise.explain.descent import Descent, descents
from cladewise.explain.explaining import explain
from cladewise.explain.feature_map import FeatureMap, last_feature_map
from cladewise.explain.level_scores import LevelScores
from cladewise.explain.look_alikes import LookAlike, look_alikes
from cladewise.explain.manifolds import Manifolds, manifolds
from cladewise.explain.overlap import Overlap, neighbour_purity, overlap_by_level
from cladewise.explain.overlay import overlay
from cladewise.explain.pairs import Pairs, extreme_pairs
from cladewise.explain.plane import in_the_plane
from cladewise.explain.space import space

__all__ = [
    "Descent",
    "FeatureMap",
    "LevelScores",
    "LookAlike",
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
    "manifolds",
    "neighbour_purity",
    "overlap_by_level",
    "overlay",
    "space",
]
