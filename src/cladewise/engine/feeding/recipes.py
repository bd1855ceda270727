"""Names and version of the feature cache, which can be looked at without an encoder."""

from __future__ import annotations

FORMAT = 2
"""Incremented whenever the same images would give other features, or the files change."""
FEATURES = "features"
"""Subfolder of the cache with a folder per recipe."""
FILES = "files"
"""Subfolder of the cache with the content of files by path, size and time."""
TEXTS = "texts"
"""Subfolder of the cache with vectors of texts."""
