"""Prediction for any number of images: in parts, resumable, on one machine or many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.scale.engines import Engine, Local
    from cladewise.scale.parts import Parts, read_parts
    from cladewise.scale.predicting import predict_tables, predict_to
    from cladewise.scale.ray_engine import Ray
    from cladewise.scale.shards import Shard

__all__ = ["Engine", "Local", "Parts", "Ray", "Shard", "predict_tables", "predict_to", "read_parts"]

_MODULES = {
    "Engine": "cladewise.scale.engines",
    "Local": "cladewise.scale.engines",
    "Parts": "cladewise.scale.parts",
    "Ray": "cladewise.scale.ray_engine",
    "Shard": "cladewise.scale.shards",
    "predict_tables": "cladewise.scale.predicting",
    "predict_to": "cladewise.scale.predicting",
    "read_parts": "cladewise.scale.parts",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
