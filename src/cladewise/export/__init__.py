"""A run as one file for other runtimes: from decoded images to answers."""

from cladewise.export.checking import Checked
from cladewise.export.exporting import Exported, export
from cladewise.export.format import FORMATS, Format, Precision, Session, format_of
from cladewise.export.graph import RunGraph
from cladewise.export.loss import Loss
from cladewise.export.preprocessing import Preprocessing
from cladewise.export.program import exported

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
