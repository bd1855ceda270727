"""Run folders → one HTML page; no torch."""

from cladewise.report.page import write_page

__all__ = ["write_page"]
