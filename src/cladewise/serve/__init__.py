"""A server that classifies images over HTTP with trained runs, and keeps corrections for the next training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.serve.app import create_app
    from cladewise.serve.corrections import Correction, Corrections
    from cladewise.serve.keys import read_keys
    from cladewise.serve.running import run
    from cladewise.serve.settings import Limits, Settings

__all__ = ["Correction", "Corrections", "Limits", "Settings", "create_app", "read_keys", "run"]

_MODULES = {
    "Correction": "cladewise.serve.corrections",
    "Corrections": "cladewise.serve.corrections",
    "Limits": "cladewise.serve.settings",
    "Settings": "cladewise.serve.settings",
    "create_app": "cladewise.serve.app",
    "read_keys": "cladewise.serve.keys",
    "run": "cladewise.serve.running",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
