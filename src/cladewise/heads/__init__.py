"""Heads: modules that turn features into a prediction over nodes."""

from cladewise.heads.coarse import LevelClasses, ProjectionHead, coarse_head
from cladewise.heads.contrastive import ContrastiveHead
from cladewise.heads.cosine import CosineHead
from cladewise.heads.embedding_layer import EmbeddedHead, Embedding, embedded_head, part_widths
from cladewise.heads.energy import EnergyHead, ImageMap, LabelEdges, label_vectors_of
from cladewise.heads.head import Head, LinearHead, leaf_softmax_head, node_logit_head
from cladewise.heads.image_text import ImageTextHead, TextClassifierHead
from cladewise.heads.joint_softmax import JointSoftmaxHead
from cladewise.heads.level_classifiers import LevelClassifierHead, finer_parts_head, level_sizes, towers_head
from cladewise.heads.poincare_classes import PoincareClasses
from cladewise.heads.text_tower import TextTower
from cladewise.heads.transformation import Transformation
from cladewise.heads.transition import TransitionHead

__all__ = [
    "ContrastiveHead",
    "CosineHead",
    "EmbeddedHead",
    "Embedding",
    "EnergyHead",
    "Head",
    "ImageMap",
    "ImageTextHead",
    "JointSoftmaxHead",
    "LabelEdges",
    "LevelClasses",
    "LevelClassifierHead",
    "LinearHead",
    "PoincareClasses",
    "ProjectionHead",
    "TextClassifierHead",
    "TextTower",
    "Transformation",
    "TransitionHead",
    "coarse_head",
    "embedded_head",
    "finer_parts_head",
    "label_vectors_of",
    "leaf_softmax_head",
    "level_sizes",
    "node_logit_head",
    "part_widths",
    "towers_head",
]
