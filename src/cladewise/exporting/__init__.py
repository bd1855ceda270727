"""A run as one file for other runtimes: from decoded images to answers."""

from cladewise.exporting.checking import Checked
from cladewise.exporting.exporting import Exported, export
from cladewise.exporting.format import FORMATS, Format, Precision, Session, format_of
from cladewise.exporting.graph import RunGraph
from cladewise.exporting.loss import Loss
from cladewise.exporting.preprocessing import Preprocessing
from cladewise.exporting.program import exported

__all__ = [
    "FORMATS",
    "Checked",
    "Exported",
    "Format",
    "Loss",
    "Precision",
    "Preprocessing",
    "RunGraph",
    "Session",
    "export",
    "exported",
    "format_of",
]
