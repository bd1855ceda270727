"""A run as one file for other runtimes: decoded pictures in, answers out."""

from cladewise.export.format import FORMATS, Format, Session, format_of
from cladewise.export.graph import RunGraph
from cladewise.export.preprocessing import Preprocessing
from cladewise.export.program import exported

__all__ = ["FORMATS", "Format", "Preprocessing", "RunGraph", "Session", "exported", "format_of"]
