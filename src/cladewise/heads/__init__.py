"""Heads: features to a prediction."""

from cladewise.heads.head import Head, LinearHead

__all__ = ["Head", "LinearHead"]
