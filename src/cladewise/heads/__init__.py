"""Heads: features to a prediction."""

from cladewise.heads.coarse import LevelClasses, ProjectionHead, coarse_head
from cladewise.heads.contrast import ContrastHead
from cladewise.heads.embedding import EmbeddedHead, Embedding, part_widths
from cladewise.heads.head import Head, LinearHead, leaf_softmax_head, node_logit_head
from cladewise.heads.image_text import ImageTextHead, TextClassifierHead
from cladewise.heads.levels import LevelClassifiers, finer_parts_head, level_sizes, towers_head
from cladewise.heads.poincare import PoincareClasses
from cladewise.heads.texts import TextTower

__all__ = [
    "ContrastHead",
    "EmbeddedHead",
    "Embedding",
    "Head",
    "ImageTextHead",
    "LevelClasses",
    "LevelClassifiers",
    "LinearHead",
    "PoincareClasses",
    "ProjectionHead",
    "TextClassifierHead",
    "TextTower",
    "coarse_head",
    "finer_parts_head",
    "leaf_softmax_head",
    "level_sizes",
    "node_logit_head",
    "part_widths",
    "towers_head",
]
