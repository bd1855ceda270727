"""A run as one file for other runtimes: from decoded images to answers."""

from cladewise.export.checking import Checked
from cladewise.export.exporting import Exported, export
from cladewise.export.format import FORMATS, Format, Session, format_of
from cladewise.export.graph import RunGraph
from cladewise.export.preprocessing import Preprocessing
from cladewise.export.program import exported

__all__ = [
    "FORMATS",
    "Checked",
    "Exported",
    "Format",
    "Preprocessing",
    "RunGraph",
    "Session",
    "export",
    "exported",
    "format_of",
]
