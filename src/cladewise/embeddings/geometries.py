"""Geometries by name: those of this package and of other distributions."""

from __future__ import annotations

import sys
from typing import Any

from cladewise.catalogue import make_part, named_parts
from cladewise.embeddings.label_geometry import Geometry

PACKAGE = __name__.rpartition(".")[0]


def available() -> dict[str, type[Geometry]]:
    """All geometries by name, including those of other distributions."""
    return named_parts(sys.modules[PACKAGE], Geometry)


def make(name: str, **options: Any) -> Geometry:
    """Create a geometry by name, with its options.

    Raises:
        InputError: No such geometry or option.

    Example:
        >>> make("euclidean", aperture=0.2)
        EuclideanCones(aperture=0.2)
    """
    return make_part(available(), "geometry", name, options)
