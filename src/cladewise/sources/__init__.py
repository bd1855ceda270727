"""Images to predict, from files, tables, archives and videos, local or remote, in chunks of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.sources.boxes import CROPS, THRESHOLD, BoxSource, Cropping
    from cladewise.sources.cropping import square_pixels
    from cladewise.sources.files import FileSource, find_images
    from cladewise.sources.formats import FORMATS
    from cladewise.sources.opening import open_source
    from cladewise.sources.parquet_images import ParquetSource
    from cladewise.sources.source import Chunk, Row, Source
    from cladewise.sources.storage import Storage, storage_options
    from cladewise.sources.table import TableSource
    from cladewise.sources.tar import TarSource
    from cladewise.sources.video import FPS, VideoSource

__all__ = [
    "CROPS",
    "FORMATS",
    "FPS",
    "THRESHOLD",
    "BoxSource",
    "Chunk",
    "Cropping",
    "FileSource",
    "ParquetSource",
    "Row",
    "Source",
    "Storage",
    "TableSource",
    "TarSource",
    "VideoSource",
    "find_images",
    "open_source",
    "square_pixels",
    "storage_options",
]

_MODULES = {
    "FPS": "cladewise.sources.video",
    "THRESHOLD": "cladewise.sources.boxes",
    "CROPS": "cladewise.sources.boxes",
    "BoxSource": "cladewise.sources.boxes",
    "Cropping": "cladewise.sources.boxes",
    "square_pixels": "cladewise.sources.cropping",
    "FileSource": "cladewise.sources.files",
    "find_images": "cladewise.sources.files",
    "FORMATS": "cladewise.sources.formats",
    "open_source": "cladewise.sources.opening",
    "ParquetSource": "cladewise.sources.parquet_images",
    "Chunk": "cladewise.sources.source",
    "Row": "cladewise.sources.source",
    "Source": "cladewise.sources.source",
    "Storage": "cladewise.sources.storage",
    "storage_options": "cladewise.sources.storage",
    "TableSource": "cladewise.sources.table",
    "TarSource": "cladewise.sources.tar",
    "VideoSource": "cladewise.sources.video",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
