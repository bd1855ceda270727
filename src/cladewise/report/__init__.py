"""Reports: compares run folders on one HTML page, and exports its figures and tables; no torch."""

from cladewise.report.page import compare

__all__ = ["compare"]
