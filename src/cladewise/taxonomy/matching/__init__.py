"""Proposals of how the nodes of two versions of a tree correspond, with evidence and certainty."""

from __future__ import annotations

from cladewise.taxonomy.matching.matching import match

__all__ = ["match"]
