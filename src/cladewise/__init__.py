"""Cladewise: hierarchical image classification."""

from cladewise.errors import InputError, MissingExtraError
from cladewise.taxonomy import Taxonomy

__version__ = "0.1.0"
__all__ = ["InputError", "MissingExtraError", "Taxonomy", "__version__"]
