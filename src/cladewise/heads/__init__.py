"""Heads: features to a prediction."""

from cladewise.heads.head import Head, LinearHead, leaf_softmax_head, node_logit_head

__all__ = ["Head", "LinearHead", "leaf_softmax_head", "node_logit_head"]
