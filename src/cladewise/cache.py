"""The folder for downloads and other results that are computed once."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The folder named by the environment variable ``CLADEWISE_CACHE``, or by default the user's cache folder.

    Example:
        >>> getfixture("monkeypatch").setenv("CLADEWISE_CACHE", "/kept/here")
        >>> cache_folder().as_posix()
        '/kept/here'
    """
    named = os.environ.get("CLADEWISE_CACHE")
    return Path(named).expanduser().absolute() if named else Path(platformdirs.user_cache_dir("cladewise"))
