"""Heads: features to a prediction."""

from cladewise.heads.embedding import Embedding, part_widths
from cladewise.heads.head import Head, LinearHead, leaf_softmax_head, node_logit_head

__all__ = ["Embedding", "Head", "LinearHead", "leaf_softmax_head", "node_logit_head", "part_widths"]
