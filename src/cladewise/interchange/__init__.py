"""Predictions in the files that other tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.interchange.answered_nodes import scored_nodes
    from cladewise.interchange.corrected_labels import CorrectedLabels, read_corrected_labels
    from cladewise.interchange.formats import FORMATS, PredictionFormat
    from cladewise.interchange.writing import About, Write, prediction_writer, write_predictions

__all__ = [
    "FORMATS",
    "About",
    "CorrectedLabels",
    "PredictionFormat",
    "Write",
    "prediction_writer",
    "read_corrected_labels",
    "scored_nodes",
    "write_predictions",
]

_MODULES = {
    "CorrectedLabels": "cladewise.interchange.corrected_labels",
    "read_corrected_labels": "cladewise.interchange.corrected_labels",
    "FORMATS": "cladewise.interchange.formats",
    "PredictionFormat": "cladewise.interchange.formats",
    "scored_nodes": "cladewise.interchange.answered_nodes",
    "About": "cladewise.interchange.writing",
    "Write": "cladewise.interchange.writing",
    "prediction_writer": "cladewise.interchange.writing",
    "write_predictions": "cladewise.interchange.writing",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
