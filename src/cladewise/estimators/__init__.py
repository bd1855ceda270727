"""Methods as scikit-learn estimators on arrays of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.estimators.classifier import HierarchicalClassifier
    from cladewise.estimators.hierarchies import taxonomy_of
    from cladewise.estimators.labels import LabelForm, read_labels

__all__ = ["HierarchicalClassifier", "LabelForm", "read_labels", "taxonomy_of"]

_MODULES = {
    "HierarchicalClassifier": "cladewise.estimators.classifier",
    "LabelForm": "cladewise.estimators.labels",
    "read_labels": "cladewise.estimators.labels",
    "taxonomy_of": "cladewise.estimators.hierarchies",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
