"""Run folders → one HTML page; no torch."""

from cladewise.report.page import compare

__all__ = ["compare"]
