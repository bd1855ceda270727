"""A server that classifies images over HTTP with trained runs, and keeps corrections for the next training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.serving.app import create_app
    from cladewise.serving.corrections import Correction, Corrections
    from cladewise.serving.keys import read_keys
    from cladewise.serving.running import serve
    from cladewise.serving.settings import Limits, Settings

__all__ = ["Correction", "Corrections", "Limits", "Settings", "create_app", "read_keys", "serve"]

_MODULES = {
    "Correction": "cladewise.serving.corrections",
    "Corrections": "cladewise.serving.corrections",
    "Limits": "cladewise.serving.settings",
    "Settings": "cladewise.serving.settings",
    "create_app": "cladewise.serving.app",
    "read_keys": "cladewise.serving.keys",
    "serve": "cladewise.serving.running",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
