"""Features of images as Parquet tables for other tools, and the nearest images by an index that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.features.embedding_images import embed_images
    from cladewise.features.feature_tables import FeatureTable, read_features
    from cladewise.features.image_index import ImageIndex, index_features
    from cladewise.features.nearest_images import nearest
    from cladewise.features.table_encoders import TableEncoder, table_encoder

__all__ = [
    "FeatureTable",
    "ImageIndex",
    "TableEncoder",
    "embed_images",
    "index_features",
    "nearest",
    "read_features",
    "table_encoder",
]

_MODULES = {
    "FeatureTable": "cladewise.features.feature_tables",
    "ImageIndex": "cladewise.features.image_index",
    "TableEncoder": "cladewise.features.table_encoders",
    "embed_images": "cladewise.features.embedding_images",
    "index_features": "cladewise.features.image_index",
    "nearest": "cladewise.features.nearest_images",
    "read_features": "cladewise.features.feature_tables",
    "table_encoder": "cladewise.features.table_encoders",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
