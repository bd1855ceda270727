"""A run as one file for other runtimes: decoded pictures in, answers out."""

from cladewise.export.preprocessing import Preprocessing

__all__ = ["Preprocessing"]
